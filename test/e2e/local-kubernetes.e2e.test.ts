import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  containerProcess,
  heal,
  isolate,
  killNode,
  killProgram,
  partition,
} from '../../k8s/local/cluster/chaos.ts';
import { loadImage, startCluster, stopCluster } from '../../k8s/local/cluster/cluster.ts';
import type { Cluster, ClusterOptions } from '../../k8s/local/cluster/cluster.ts';
import { readInstance } from '../../k8s/local/cluster/instances.ts';
import { findMachine, findMachines } from '../../k8s/local/cluster/machine.ts';
import { hostRoutes } from '../../k8s/local/cluster/network.ts';
import { signalProcess } from '../../k8s/local/host/processes.ts';
import { buildPhotonImage } from '../../k8s/local/image/photondb-image.ts';
import { kubeFolder, kubectlOf, podField, until } from './cluster-under-test.ts';

/** Two nodes with a real kubelet each: what the local Kubernetes promises to tests and to `up`. */
const root = join(import.meta.dirname, '..', '..');
const instance = `e2e-local-${process.pid}`;
const options: ClusterOptions = { instance, nodes: 2, kube: kubeFolder(), temporary: true };

const server = `require('node:http').createServer((_, answer) => answer.end('hello')).listen(8080)`;

/** A pod on a given node that answers HTTP, within the rules of a restricted namespace. */
const pod = (name: string, node: string, image: string): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    nodeSelector: { 'kubernetes.io/hostname': node },
    terminationGracePeriodSeconds: 0,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'server',
        image,
        args: ['-e', server],
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
      },
    ],
  },
});

describe('a local Kubernetes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'photondb-e2e-'));
  let cluster: Cluster;
  let addresses: Record<string, string>;

  /** What the pod `from` says when it asks the pod `to`: its answer, or that there is none. */
  async function ask(from: string, to: string): Promise<string> {
    const script = `fetch('http://${addresses[to]}:8080/', { signal: AbortSignal.timeout(1500) })
      .then((answer) => answer.text()).catch(() => 'no answer')
      .then((said) => process.stdout.write(said, () => process.exit()))`;
    return (await kubectlOf(cluster)(['exec', from, '--', 'node', '-e', script])).trim();
  }

  before(async function startTwoNodes() {
    this.timeout(180_000);
    cluster = await startCluster(options);
    const image = await buildPhotonImage(root);
    await loadImage(cluster, image.name, async () => {
      await image.write(join(folder, 'image.tar'));
      return join(folder, 'image.tar');
    });
    const kubectl = kubectlOf(cluster);
    const pods = [
      pod('a', 'node1', image.name),
      pod('b', 'node2', image.name),
      pod('c', 'node1', image.name),
    ];
    const enforce = 'pod-security.kubernetes.io/enforce=restricted';
    await kubectl(['label', 'namespace', 'default', enforce]);
    await kubectl(
      ['apply', '--filename', '-'],
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pods }),
    );
    await kubectl(['wait', '--for=condition=Ready', 'pod', '--all', '--timeout=90s']);
    addresses = Object.fromEntries(
      await Promise.all(
        ['a', 'b', 'c'].map(
          async (name) => [name, await podField(cluster, name, '{.status.podIP}')] as const,
        ),
      ),
    );
  });

  after(async function stop() {
    this.timeout(60_000);
    rmSync(folder, { recursive: true });
    await stopCluster(instance);
  });

  it('lets pods reach each other across nodes, and the host reach them', async () => {
    expect(await ask('a', 'b')).to.equal('hello');
    const answer = await fetch(`http://${addresses['b']}:8080/`);
    expect(await answer.text()).to.equal('hello');
  });

  it('lets nothing out of the machine', async () => {
    // A documentation address: nothing answers there, but a route would forward the packet.
    const script = `require('node:net').connect(80, '198.51.100.1').on('error', (error) => console.log(error.code))`;
    const said = await kubectlOf(cluster)(['exec', 'a', '--', 'node', '-e', script]);
    expect(said.trim()).to.be.oneOf(['ENETUNREACH', 'EHOSTUNREACH']);
  });

  it('cuts two pods off from each other and heals them', async () => {
    await partition(cluster, [addresses['a'] ?? '', addresses['b'] ?? '']);
    expect(await ask('a', 'b')).to.equal('no answer');
    expect(await ask('b', 'a')).to.equal('no answer');
    expect(await ask('a', 'c')).to.equal('hello');
    await heal(cluster);
    expect(await ask('a', 'b')).to.equal('hello');
  });

  it('shows a container that is killed as restarted', async () => {
    const id = await podField(cluster, 'c', '{.status.containerStatuses[0].containerID}');
    signalProcess(containerProcess(id), 'SIGKILL');
    const restarts =
      '{.status.containerStatuses[0].restartCount}{.status.containerStatuses[0].ready}';
    await until(
      'c to be restarted',
      async () => (await podField(cluster, 'c', restarts)) === '1true',
    );
  });

  it('isolates a node, which Kubernetes notices, and takes it back', async function isolation() {
    this.timeout(120_000);
    const ready = `{.status.conditions[?(@.type=="Ready")].status}`;
    const status = (): Promise<string> =>
      kubectlOf(cluster)(['get', 'node', 'node2', '--output', `jsonpath=${ready}`]);
    await isolate(cluster, 'node2');
    await until('node2 to be lost', async () => (await status()) === 'Unknown', 60_000);
    await heal(cluster);
    await until('node2 to be back', async () => (await status()) === 'True', 60_000);
  });

  it('starts a killed API server again without losing a pod', async function apiServer() {
    this.timeout(120_000);
    const uid = await podField(cluster, 'a', '{.metadata.uid}');
    await killProgram(cluster, 'control', 'kube-apiserver');
    cluster = await startCluster(options);
    expect(await podField(cluster, 'a', '{.metadata.uid}')).to.equal(uid);
  });

  it('boots a node that has lost its power, and its pods come back', async function power() {
    this.timeout(120_000);
    await killNode(cluster, 'node2');
    expect(findMachine(cluster.layout, 'node2')).to.equal(undefined);
    cluster = await startCluster(options);
    await until(
      'b to run again',
      async () => {
        const state =
          '{.status.containerStatuses[0].restartCount}{.status.containerStatuses[0].ready}';
        return (await podField(cluster, 'b', state)) === '1true';
      },
      90_000,
    );
    addresses['b'] = await podField(cluster, 'b', '{.status.podIP}');
    expect(await ask('a', 'b')).to.equal('hello');
  });

  it('starts over what a killed run has left', async function leftOvers() {
    this.timeout(180_000);
    for (const { pid } of findMachines(cluster.layout)) signalProcess(pid, 'SIGKILL');
    await until('the end of all machines', () => findMachines(cluster.layout).length === 0);
    cluster = await startCluster(options);
    await until(
      'a and b to run again',
      async () => {
        const ready = '{.items[*].status.containerStatuses[0].ready}';
        const said = await kubectlOf(cluster)(['get', 'pods', '--output', `jsonpath=${ready}`]);
        return said === 'true true true';
      },
      90_000,
    );
  });

  it('stands beside another one, and takes only itself away', async function sideBySide() {
    this.timeout(120_000);
    const other = `${instance}-x`;
    const second = await startCluster({ ...options, instance: other, nodes: 0 });
    expect(second.layout.api).to.not.equal(cluster.layout.api);
    const get = ['get', 'namespaces', '--output', 'name'];
    await kubectlOf(second)(['create', 'namespace', 'only-here']);
    expect(await kubectlOf(cluster)(get)).to.not.contain('only-here');
    await stopCluster(other);
    expect(findMachines(second.layout)).to.deep.equal([]);
    expect(readInstance(other)).to.equal(undefined);
    expect(await kubectlOf(cluster)(get)).to.contain('default');
  });

  it('leaves no process, route or device behind', async () => {
    await stopCluster(instance);
    expect(findMachines(cluster.layout)).to.deep.equal([]);
    expect(await hostRoutes()).to.not.contain(cluster.layout.network.block);
    expect(readInstance(instance)).to.equal(undefined);
  });
});
