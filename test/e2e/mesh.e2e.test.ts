import { expect } from 'chai';
import r from 'rethinkdb';
import { words } from '../../k8s/local/host/run.ts';
import { kubectl } from '../../k8s/local/up/target.ts';
import { until } from './cluster-under-test.ts';
import { connectWhenServing, startPhoton } from './photon-under-test.ts';
import type { Photon } from './photon-under-test.ts';

/**
 * Three pods form one mesh with certificates that the operator has issued: a data node and two
 * coordinators, which return with their identities, with and without the operator.
 */
interface NodeObject {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly id?: string;
    readonly health?: string;
    readonly clusterId?: string;
    readonly roles?: readonly string[];
    readonly peerSummary?: string;
    readonly certificate?: { readonly authority?: string };
    readonly authorities?: readonly string[];
  };
}

interface ClusterObject {
  readonly metadata: { readonly generation: number };
  readonly status?: {
    readonly clusterId?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly observedGeneration: number;
    }[];
    readonly certificates?: {
      readonly phase?: string;
      readonly rotation?: string;
      readonly authorities?: readonly { readonly hash: string }[];
    };
  };
}

const query = {
  name: 'query',
  roles: ['coordinator'],
  replicas: 2,
  storage: { size: '1Gi' },
  resources: { requests: { cpu: '50m', memory: '256Mi' } },
};
const formedMs = 180_000;

describe('a cluster of a data node and two coordinators', () => {
  let photon: Photon;
  let coordinators: readonly [string, string];

  const run = (args: readonly string[]): Promise<string> =>
    kubectl(photon.target, [...args, '--namespace', photon.namespace]);
  const read = async <T>(kind: string): Promise<T> =>
    JSON.parse(await run([...words`get ${kind}`, '--output', 'json'])) as T;
  const nodes = async (): Promise<readonly NodeObject[]> =>
    (await read<{ readonly items: readonly NodeObject[] }>('photonnodes')).items;
  const statusOf = async (name: string): Promise<NodeObject['status']> =>
    (await nodes()).find(({ metadata }) => metadata.name === name)?.status;
  const cluster = (): Promise<ClusterObject> => read(`photoncluster/${photon.name}`);

  /** Every node is ready and sees the two others alive. */
  const formed = (what: string): Promise<void> =>
    until(
      what,
      async () => {
        const all = await nodes();
        return (
          all.length === 3 &&
          all.every(({ status }) => status?.health === 'Ready' && status.peerSummary === '2 alive')
        );
      },
      formedMs,
    );

  const podUid = (name: string): Promise<string> =>
    run([...words`get pod ${name} --ignore-not-found`, '--output', 'jsonpath={.metadata.uid}']);

  async function replacePod(name: string): Promise<void> {
    const before = await podUid(name);
    await run(words`delete pod ${name} --wait=false`);
    await until(
      `a successor of pod ${name}`,
      async () => ![before, ''].includes(await podUid(name)),
      60_000,
    );
  }

  before(async function start() {
    this.timeout(420_000);
    photon = await startPhoton(`e2e-mesh-${process.pid}`);
    coordinators = [`${photon.name}-query-0-0`, `${photon.name}-query-0-1`];
  });

  after(async function stop() {
    this.timeout(60_000);
    await photon?.stop();
  });

  it('forms one mesh, which its nodes report', async function forms() {
    this.timeout(formedMs + 30_000);
    const { status } = await cluster();
    expect(status?.clusterId).to.match(/^[0-9a-f-]{36}$/);
    const patch = JSON.stringify([{ op: 'add', path: '/spec/pools/-', value: query }]);
    await run([...words`patch photoncluster ${photon.name} --type json --patch`, patch]);
    await formed('a mesh of three nodes');
    const authority = status?.certificates?.authorities?.[0]?.hash;
    for (const node of await nodes()) {
      expect(node.status?.clusterId, node.metadata.name).to.equal(status?.clusterId);
      expect(node.status?.certificate?.authority, node.metadata.name).to.equal(authority);
    }
    expect((await statusOf(coordinators[0]))?.roles).to.deep.equal(['coordinator']);
    const table = await run(words`get photonnodes`);
    expect(table)
      .to.match(/PEERS/)
      .and.match(/2 alive/);
    const ready = words`wait --for=condition=Ready --timeout=60s photoncluster/${photon.name}`;
    expect(await run(ready)).to.contain('condition met');
  });

  it('leads drivers to the node with data alone', async function leads() {
    this.timeout(90_000);
    const args = words`get endpointslices --selector kubernetes.io/service-name=${photon.name}`;
    const names = await run([
      ...args,
      '--output',
      'jsonpath={.items[*].endpoints[*].targetRef.name}',
    ]);
    expect(names).to.equal(photon.pod);
    const connection = await connectWhenServing(photon);
    expect(await r.expr(1).run(connection)).to.equal(1);
    await connection.close();
  });

  it('drains each node before its pod is replaced', async function drains() {
    this.timeout(formedMs + 240_000);
    const events = (reason: string): Promise<string> =>
      run([
        ...words`get events --field-selector reason=${reason}`,
        ...words`--output jsonpath={.items[*].message}`,
      ]);
    const patch = JSON.stringify({ spec: { config: { 'cache-mib': 65 } } });
    await run([...words`patch photoncluster ${photon.name} --type merge --patch`, patch]);
    await until(
      'the rollout to end',
      async () => {
        const { status } = await cluster();
        const ready = status?.conditions?.find(({ type }) => type === 'Ready');
        const { generation } = (await cluster()).metadata;
        return ready?.status === 'True' && ready.observedGeneration === generation;
      },
      formedMs + 120_000,
    );
    await formed('the mesh after the rollout');
    const notes = await events('Draining');
    for (const name of [photon.pod, ...coordinators]) {
      expect(notes).to.contain(`draining node ${name} before its pod is replaced`);
    }
    expect(await events('DrainFailed')).to.equal('');
  });

  it('takes back a pod that was deleted as the node that it was', async function back() {
    this.timeout(formedMs + 90_000);
    const [name] = coordinators;
    const before = (await statusOf(name))?.id;
    await replacePod(name);
    await formed('the pod to be back');
    expect((await statusOf(name))?.id).to.equal(before);
  });

  it('takes back a pod while there is no operator', async function alone() {
    this.timeout(formedMs + 120_000);
    const [, name] = coordinators;
    const before = (await statusOf(name))?.id;
    const scale = (count: number): Promise<string> =>
      kubectl(
        photon.target,
        words`scale deployment photondb-operator --namespace photondb-system --replicas ${count}`,
      );
    await scale(0);
    try {
      await replacePod(name);
      await formed('the pod to be back');
      expect((await statusOf(name))?.id).to.equal(before);
    } finally {
      await scale(1);
    }
  });

  it('replaces its certificate authority while every node sees every other', async function rotate() {
    this.timeout(600_000);
    const former = (await cluster()).status?.certificates?.authorities?.[0]?.hash;
    const wish = 'photondb.io/rotate-authority=first';
    await run([...words`annotate photoncluster ${photon.name}`, wish]);
    await until(
      'the replacement to end',
      async () => {
        for (const { metadata, status } of await nodes()) {
          expect(status?.peerSummary, metadata.name).to.equal('2 alive');
        }
        const { certificates } = (await cluster()).status ?? {};
        return certificates?.rotation === 'first' && certificates.phase === 'Stable';
      },
      540_000,
    );
    const [signing, ...others] = (await cluster()).status?.certificates?.authorities ?? [];
    const hash = signing?.hash;
    expect(others).to.deep.equal([]);
    expect(hash).to.not.equal(former);
    for (const { status } of await nodes()) expect(status?.certificate?.authority).to.equal(hash);
  });
});
