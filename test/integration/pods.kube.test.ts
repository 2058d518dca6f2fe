import { expect } from 'chai';
import r from 'rethinkdb';
import { isSignedByAuthority } from '../../dataplane/membership/orders.ts';
import type { PhotonCluster } from '../../operator/api/generated/photon-cluster.ts';
import type { PhotonNode } from '../../operator/api/generated/photon-node.ts';
import { eventually } from '../../operator/cluster/testing/api-types.ts';
import type { RunningSigner } from '../../operator/cluster/testing/signing-stage.ts';
import { startSigner } from '../../operator/cluster/testing/signing-stage.ts';
import { Stage } from '../../operator/cluster/testing/stage.ts';
import type { KubeObject } from '../../operator/kube/object.ts';
import { resources } from '../../operator/kube/object.ts';
import { PodProcess } from './testing/pod-process.ts';
import { Traffic } from './testing/traffic.ts';

/** Real nodes as pods, with the real operator and API server: only the kubelet is the test. */
const data = { name: 'main', roles: ['data', 'consensus'], storage: { size: '1Gi' } };
const query = { name: 'query', roles: ['coordinator'], replicas: 2, storage: { size: '1Gi' } };
const names = ['orders-main-0-0', 'orders-query-0-0', 'orders-query-0-1'];
const formedMs = 120_000;

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

interface Event extends KubeObject {
  readonly reason?: string;
  readonly note?: string;
  readonly regarding?: { readonly name?: string };
}

describe('nodes as pods of a cluster', function () {
  this.timeout(480_000);
  let stage: Stage;
  let signer: RunningSigner;
  let pods: PodProcess[] = [];
  let addresses: Map<string, string>;

  beforeEach(async () => {
    stage = await Stage.open('pods');
    signer = await startSigner(stage);
    addresses = new Map();
    await stage.apply('orders', { spec: { pools: [data, query] } });
  });
  afterEach(async () => {
    await Promise.all(pods.map((pod) => pod.remove()));
    pods = [];
    await signer.server.close();
    await stage.close();
  });

  const nodeOf = (name: string): Promise<PhotonNode | undefined> =>
    stage.find<PhotonNode>(resources.photonNodes, name);
  const statusOf = async (): Promise<PhotonCluster['status']> =>
    (await stage.clusterOf('orders'))?.status;
  const mountAll = async (): Promise<void> => {
    for (const pod of pods) await pod.mount(signer.server.port);
  };

  async function podOf(name: string): Promise<PodProcess> {
    await stage.podIs(name);
    const pod = new PodProcess(stage, { cluster: 'orders', name, addresses });
    pods.push(pod);
    await pod.mount(signer.server.port);
    return pod;
  }

  /** Starts the data node and the coordinators, in the order in which the operator lets them. */
  async function started(): Promise<readonly [PodProcess, PodProcess, PodProcess]> {
    const founder = await podOf(names[0] ?? '');
    await founder.start();
    await founder.whenReady();
    const [first, second] = [await podOf(names[1] ?? ''), await podOf(names[2] ?? '')];
    await first.start();
    await second.start();
    await first.whenReady();
    await second.whenReady();
    return [founder, first, second];
  }

  const sees = (name: string, summary: string): Promise<void> =>
    eventually(
      `${name} to see ${summary}`,
      async () => (await nodeOf(name))?.status?.peerSummary === summary,
      formedMs,
    );

  /** An event about an object. */
  const saysOf = (name: string, reason: string, words: string): Promise<void> =>
    eventually(`an event ${reason}`, async () => {
      const { items } = await stage.client.list<Event>(resources.events, {
        namespace: stage.namespace,
      });
      return items.some(
        (event) =>
          event.regarding?.name === name &&
          event.reason === reason &&
          event.note?.includes(words) === true,
      );
    });

  async function formed(): Promise<readonly [PodProcess, PodProcess, PodProcess]> {
    const all = await started();
    for (const name of names) await sees(name, '2 alive');
    return all;
  }

  it('form one mesh with certificates that the operator has issued, and report it', async () => {
    await formed();
    const { clusterId, certificates } = (await statusOf()) ?? {};
    const [authority] = certificates?.authorities ?? [];
    for (const [at, name] of names.entries()) {
      const node = (await nodeOf(name)) as PhotonNode & { readonly status: object };
      const { id, certificate, peers = [], ...status } = node.status;
      expect(status.clusterId, name).to.equal(clusterId);
      expect(certificate?.authority, name).to.equal(authority?.hash);
      expect(status.roles, name).to.deep.equal(at === 0 ? data.roles : query.roles);
      expect(node.spec.id, name).to.equal(id);
      const states = peers.map(({ state }) => state);
      expect(states, name).to.deep.equal(['Alive', 'Alive']);
    }
    await stage.conditionIs('orders', 'Ready', 'True');
    await stage.conditionSays('orders', 'CertificatesExpiring', '3 certificates are valid');
  });

  it('found one cluster, also when the founder is killed before it has a certificate', async () => {
    const founder = await podOf(names[0] ?? '');
    await signer.server.close();
    await founder.start();
    await founder.says(/The operator cannot be reached/);
    await eventually('the identity', async () => (await statusOf())?.clusterId !== undefined);
    const { clusterId } = (await statusOf()) ?? {};
    const { id } = (await nodeOf(founder.name))?.status ?? {};
    await founder.stop('SIGKILL');
    signer = await startSigner(stage);
    await founder.mount(signer.server.port);
    await founder.start();
    await founder.whenReady();
    const { status } = (await nodeOf(founder.name)) ?? {};
    expect([status?.clusterId, status?.id]).to.deep.equal([clusterId, id]);
    expect((await statusOf())?.clusterId).to.equal(clusterId);
  });

  it('come back as the nodes that they were, while there is no operator', async () => {
    const [founder, first] = await formed();
    const before = [
      (await nodeOf(founder.name))?.status?.id,
      (await nodeOf(first.name))?.status?.id,
    ];
    await signer.server.close();
    await stage.operator?.stop();
    await first.stop('SIGKILL');
    await sees(founder.name, '1 alive, 1 dead');
    await first.start();
    await first.whenReady();
    await sees(founder.name, '2 alive');
    await founder.stop('SIGKILL');
    await founder.start();
    await founder.whenReady();
    await sees(founder.name, '2 alive');
    const after = [
      (await nodeOf(founder.name))?.status?.id,
      (await nodeOf(first.name))?.status?.id,
    ];
    expect(after).to.deep.equal(before);
    signer = await startSigner(stage);
  });

  for (const [at, about, isNeeded] of [
    [0, 'the data node, when its loss is accepted', true],
    [1, 'a coordinator, automatically', false],
  ] as const) {
    it(`come back as new nodes of the same cluster when their volume was lost: ${about}`, async () => {
      const all = await formed();
      const [node, other] = [all[at], all[2]];
      const { clusterId } = (await statusOf()) ?? {};
      const lost = (await nodeOf(node.name))?.status?.id ?? '';
      await node.stop('SIGKILL');
      node.loseData();
      // The addresses of the others, as a DNS would give them now.
      await node.mount(signer.server.port);
      await node.start();
      await node.says(/had the identity/);
      if (isNeeded) {
        await stage.conditionSays('orders', 'Stalled', 'it has no data');
        await stage.conditionSays('orders', 'Stalled', `photondb.io/accept-data-loss=${lost}`);
        await stage.client.mergePatch(
          resources.photonClusters,
          { namespace: stage.namespace, name: 'orders' },
          { metadata: { annotations: { 'photondb.io/accept-data-loss': lost } } },
        );
      } else {
        await saysOf('orders', 'ReplacingNode', lost);
      }
      await node.whenReady();
      await eventually(
        'the others to see the new node',
        async () => {
          const { id, ...status } = (await nodeOf(node.name))?.status ?? {};
          const peers = (await nodeOf(other.name))?.status?.peers ?? [];
          const isNew = id !== undefined && id !== lost && status.clusterId === clusterId;
          return isNew && peers.some((peer) => peer.id === id && peer.state === 'Alive');
        },
        formedMs,
      );
      // The former node can never come back.
      await eventually(
        'the removal of the former node',
        async () => {
          const peers = (await nodeOf(other.name))?.status?.peers ?? [];
          return peers.length === 2 && peers.every(({ id }) => id !== lost);
        },
        formedMs,
      );
      expect(other.output).to.contain('"order":"remove"').and.contain(lost);
      await saysOf('orders', 'NodeRemoved', lost);
    });
  }

  it('carry out what is asked for by an annotation of their PhotonNode', async () => {
    const [founder, first, second] = await formed();
    const order = (value: string): Promise<unknown> =>
      stage.client.mergePatch(
        resources.photonNodes,
        { namespace: stage.namespace, name: first.name },
        {
          metadata: {
            annotations: { 'photondb.io/order': value, 'photondb.io/order-reason': 'a test' },
          },
        },
      );
    const taken = (): Promise<void> =>
      eventually(
        'the annotation to be taken away',
        async () => {
          const { annotations = {} } = (await nodeOf(first.name))?.metadata ?? {};
          return Object.keys(annotations).every((key) => !key.startsWith('photondb.io/order'));
        },
        formedMs,
      );
    await order('quarantine');
    for (const { name } of [founder, second]) await sees(name, '1 alive, 1 quarantined');
    await eventually('the node to say why', async () => {
      const { health, message } = (await nodeOf(first.name))?.status ?? {};
      return health === 'Quarantined' && message?.includes('a test') === true;
    });
    await taken();
    await saysOf(first.name, 'OrderGiven', 'quarantine');
    await order('release');
    for (const { name } of [founder, second]) await sees(name, '2 alive');
    await taken();
    await order('remove');
    await taken();
    await saysOf(first.name, 'OrderRefused', 'photondb.io/accept-data-loss');
    await sees(founder.name, '2 alive');
  });

  it('are drained by the operator before their pods are replaced', async () => {
    const name = 'alone-main-0-0';
    await stage.apply('alone', { spec: { pools: [data] } });
    await stage.podIs(name);
    const node = new PodProcess(stage, { cluster: 'alone', name, addresses });
    pods.push(node);
    await node.mount(signer.server.port);
    await node.start();
    await node.whenReady();
    await stage.conditionIs('alone', 'Ready', 'True');
    const uid = (await stage.kubelet.pod(name))?.metadata.uid;
    const acts = (): number => node.output.match(/an administrator acts/g)?.length ?? 0;
    const change = { spec: { pools: [data], config: { 'cache-mib': 65 } } };
    await stage.apply('alone', change);
    await eventually('a drain', async () => acts() === 1, formedMs);
    expect(node.output).to.match(/"admin":"operator"/);
    // Not wanted any more before the pod is replaced: the node serves again.
    await stage.apply('alone', { spec: { pools: [data] } });
    await eventually('the end of the drain', async () => acts() === 2, formedMs);
    await stage.conditionIs('alone', 'Ready', 'True');
    expect((await stage.kubelet.pod(name))?.metadata.uid).to.equal(uid);
    await stage.apply('alone', change);
    await stage.successorOf(resources.pods, name, uid);
    expect(acts()).to.equal(3);
  });

  it('come back to a cluster that was deleted and created again, with their volumes', async () => {
    const all = await formed();
    const before = (await statusOf())?.clusterId;
    const [former] = (await statusOf())?.certificates?.authorities ?? [];
    await Promise.all(all.map((pod) => pod.stop()));
    const at = { namespace: stage.namespace, name: 'orders' };
    await stage.client.remove(resources.photonClusters, at);
    await eventually('the objects of the cluster to be gone', async () => {
      const left = await Promise.all([
        stage.find(resources.secrets, 'orders-ca'),
        stage.find(resources.statefulSets, 'orders-main-0'),
        stage.find(resources.serviceAccounts, 'orders-node'),
        ...names.flatMap((name) => [stage.kubelet.pod(name), nodeOf(name)]),
      ]);
      return left.every((object) => object === undefined);
    });
    await stage.apply('orders', { spec: { pools: [data, query] } });
    for (const pod of all) {
      await stage.podIs(pod.name);
      await eventually(`the trust of ${pod.name}`, async () => {
        await pod.mount(signer.server.port);
        return ((await nodeOf(pod.name))?.spec.authorities ?? []).length > 0;
      });
      await pod.start();
      await pod.whenReady();
    }
    for (const name of names) await sees(name, '2 alive');
    const { clusterId, certificates } = (await statusOf()) ?? {};
    const [authority] = certificates?.authorities ?? [];
    expect(clusterId).to.equal(before);
    expect(authority?.hash).to.not.equal(former?.hash);
    for (const name of names) {
      await eventually(`a new certificate of ${name}`, async () => {
        return (await nodeOf(name))?.status?.certificate?.authority === authority?.hash;
      });
    }
  });

  it('follow three other certificate authorities under traffic, and see each other throughout', async () => {
    const [founder] = await formed();
    const connection = await r.connect({ ...founder.driver, user: 'admin', password: '' });
    await r.db('test').tableCreate('t').run(connection);
    const table = r.db('test').table('t');
    const before = await Promise.all(pods.map((pod) => pod.failedRequests()));
    const loads = [
      new Traffic((count) => table.insert({ id: String(count) }).run(connection)),
      new Traffic((count) => table.get(String(count)).run(connection)),
    ];
    // An order that no authority of the former ones is left to prove at the end.
    const annotations = { 'photondb.io/order': 'release', 'photondb.io/order-reason': 'a test' };
    const at = { namespace: stage.namespace, name: founder.name };
    await stage.client.mergePatch(resources.photonNodes, at, { metadata: { annotations } });
    await saysOf(founder.name, 'OrderGiven', 'release');
    const signing = async (): Promise<readonly (string | undefined)[]> =>
      ((await statusOf())?.certificates?.authorities ?? []).map(({ hash }) => hash);
    const seen = new Set(await signing());
    for (const rotation of ['first', 'second', 'third']) {
      const counts = loads.map(({ count }) => count);
      await stage.client.mergePatch(
        resources.photonClusters,
        { namespace: stage.namespace, name: 'orders' },
        { metadata: { annotations: { 'photondb.io/rotate-authority': rotation } } },
      );
      await eventually(
        `the ${rotation} replacement to end`,
        async () => {
          await mountAll();
          for (const name of names) {
            expect((await nodeOf(name))?.status?.peerSummary, name).to.equal('2 alive');
          }
          const { rotation: done, phase } = (await statusOf())?.certificates ?? {};
          return done === rotation && phase === 'Stable';
        },
        120_000,
      );
      const [hash, ...others] = await signing();
      expect(others).to.deep.equal([]);
      expect(seen.has(hash)).to.equal(false);
      seen.add(hash);
      for (const [at, load] of loads.entries()) expect(load.count).to.be.above(counts[at] ?? 0);
    }
    await eventually('the order with a signature of the authority that is left', async () => {
      const trust = await stage.find<ConfigMap>(resources.configMaps, 'orders-ca');
      const authorities = [trust?.data?.['ca.crt'] ?? ''];
      return pods.every(({ orders }) => {
        expect(orders).to.have.lengthOf(1);
        return orders.every((order) => isSignedByAuthority(order, authorities));
      });
    });
    for (const load of loads) {
      await load.stop();
      expect(load.failures).to.deep.equal([]);
    }
    await connection.close();
    expect(await Promise.all(pods.map((pod) => pod.failedRequests()))).to.deep.equal(before);
    for (const pod of pods) expect(pod.output).to.not.match(/a node is (suspect|dead)/);
  });
});
