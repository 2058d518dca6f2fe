import { expect } from 'chai';
import { stringify } from 'yaml';
import { containerProcess } from '../../k8s/local/cluster/chaos.ts';
import { signalProcess } from '../../k8s/local/host/processes.ts';
import { kubectlOf, podField, until } from './cluster-under-test.ts';
import { startPhoton } from './photon-under-test.ts';
import type { Photon } from './photon-under-test.ts';

/**
 * What only a kubelet detects: the status of the cluster reports it, with the action to take, and
 * so does an event. All clusters are in trouble side by side, since kubelets take their time.
 */
const troubleTimeoutMs = 90_000;

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** A registry that is not there, on a port that answers at once. */
const noRegistry = '127.0.0.1:1/photondb';

describe('a cluster whose pod does not run', () => {
  let photon: Photon;

  const kubectl = (args: readonly string[], input?: string): Promise<string> =>
    kubectlOf(photon.cluster)([...args, '--namespace', photon.namespace], input);

  async function apply(name: string, pool: object, image: object = {}): Promise<void> {
    const manifest = {
      apiVersion: 'photondb.io/v1alpha1',
      kind: 'PhotonCluster',
      metadata: { name },
      spec: {
        version: '0.1.0',
        image: { ...photon.installation.image, ...image },
        pools: [
          {
            name: 'main',
            roles: ['data', 'coordinator', 'consensus'],
            storage: { size: '1Gi' },
            ...pool,
          },
        ],
      },
    };
    await kubectl(
      ['apply', '--server-side', '--force-conflicts', '--filename', '-'],
      stringify(manifest),
    );
  }

  async function conditions(name: string): Promise<Readonly<Record<string, Condition>>> {
    const text = await kubectl(['get', 'photoncluster', name, '--output', 'json']);
    const { status } = JSON.parse(text) as { status?: { conditions?: readonly Condition[] } };
    return Object.fromEntries((status?.conditions ?? []).map((each) => [each.type, each]));
  }

  /** Waits for the condition, and answers what it says. */
  async function said(name: string, type: string, reason: string): Promise<Condition> {
    let last: Condition | undefined;
    await until(
      `${type} of ${name} to give the reason ${reason}`,
      async () => {
        last = (await conditions(name))[type];
        return last?.reason === reason;
      },
      troubleTimeoutMs,
    );
    if (last === undefined) throw new Error('unreachable');
    return last;
  }

  async function warnings(name: string, reason: string): Promise<string> {
    const fields = `type=Warning,regarding.name=${name},reason=${reason}`;
    const format = 'jsonpath={.items[*].note}';
    const args = ['get', 'events.events.k8s.io', '--field-selector', fields, '--output', format];
    return kubectl(args);
  }

  /** The conditions agree, and a Warning event carries the reason. */
  async function expectTold(name: string, reason: string): Promise<void> {
    const all = await conditions(name);
    expect(all['Ready']).to.include({ status: 'False', reason });
    expect(all['Available']).to.include({ status: 'False' });
    await until('a warning', async () => (await warnings(name, reason)) !== '');
  }

  before(async function start() {
    this.timeout(300_000);
    photon = await startPhoton(`e2e-trouble-${process.pid}`);
    const runtime = {
      apiVersion: 'node.k8s.io/v1',
      kind: 'RuntimeClass',
      metadata: { name: 'nope' },
      handler: 'nope',
    };
    await kubectl(['apply', '--filename', '-'], stringify(runtime));
    await Promise.all([
      apply('small', { resources: { limits: { memory: '64Mi' } } }),
      apply('imageless', {}, { repository: noRegistry }),
      apply('homeless', { resources: { requests: { cpu: 1000 } } }),
      apply('greedy', { resources: { limits: { 'ephemeral-storage': '1k' } } }),
      apply('sandless', { template: { spec: { runtimeClassName: 'nope' } } }),
    ]);
  });

  after(async function stop() {
    this.timeout(60_000);
    await photon?.stop();
  });

  it('has run out of memory: with its limit, and what to raise', async function memory() {
    this.timeout(120_000);
    const { message } = await said('small', 'Stalled', 'OutOfMemory');
    expect(message).to.contain('container photondb was killed because it ran out of memory');
    expect(message).to.contain('OOMKilled').and.to.contain('a limit of 64Mi');
    expect(message).to.contain('raise resources.limits.memory of pool main');
    await expectTold('small', 'OutOfMemory');
  });

  it('comes up when the limit is raised', async function raised() {
    this.timeout(120_000);
    await apply('small', { resources: { limits: { memory: '512Mi' } } });
    await said('small', 'Ready', 'Fulfilled');
    expect((await conditions('small'))['Degraded']).to.include({ status: 'False' });
  });

  it('has no image: with its name, and the words of the registry', async function image() {
    this.timeout(120_000);
    const { message } = await said('imageless', 'Stalled', 'ImageUnavailable');
    expect(message).to.contain(`image ${noRegistry}:${photon.installation.image.tag}`);
    expect(message).to.contain('connection refused').and.to.contain('correct spec.image');
    await expectTold('imageless', 'ImageUnavailable');
  });

  it('has no sandbox: with the machine, and the words of its runtime', async function sandbox() {
    this.timeout(120_000);
    const { message, status } = await said('sandless', 'Ready', 'SandboxFailed');
    expect(status).to.equal('False');
    expect(message).to.contain('FailedCreatePodSandBox').and.to.contain('nope');
    expect((await conditions('sandless'))['Reconciling']).to.include({ status: 'True' });
    await expectTold('sandless', 'SandboxFailed');
  });

  it('has no machine: with the words of the scheduler', async function machine() {
    this.timeout(120_000);
    const { message } = await said('homeless', 'Ready', 'Unschedulable');
    expect(message).to.contain('0/1 nodes are available').and.to.contain('Insufficient cpu');
  });

  it('is evicted: by an event that stays, with the words of the kubelet', async function eviction() {
    this.timeout(120_000);
    await until(
      'a warning',
      async () => (await warnings('greedy', 'Evicted')).includes('ephemeral local storage usage'),
      troubleTimeoutMs,
    );
  });

  it('takes up an edited password without a restart', async function password() {
    this.timeout(120_000);
    const uid = await podField(photon.cluster, photon.pod, '{.metadata.uid}', photon.namespace);
    const patch = JSON.stringify({ stringData: { password: 'chosen by a person' } });
    await kubectl(['patch', 'secret', `${photon.name}-admin`, '--patch', patch]);
    await until(
      'the new password to be right',
      async () => (await photon.sayOfPassword('chosen by a person')) === 'let in',
      60_000,
    );
    const field = '{.metadata.uid} {.status.containerStatuses[0].restartCount}';
    expect(await podField(photon.cluster, photon.pod, field, photon.namespace)).to.equal(
      `${uid} 0`,
    );
  });

  it('does not answer: with the words of the probe, and only while it hangs', async function hang() {
    this.timeout(120_000);
    const id = await podField(
      photon.cluster,
      photon.pod,
      '{.status.containerStatuses[0].containerID}',
      photon.namespace,
    );
    const pid = containerProcess(id);
    signalProcess(pid, 'SIGSTOP');
    try {
      const { message } = await said(photon.name, 'Ready', 'NodesUnhealthy');
      expect(message).to.contain('the process of the pod does not answer');
      expect((await conditions(photon.name))['Available']).to.include({ status: 'False' });
    } finally {
      signalProcess(pid, 'SIGCONT');
    }
    await said(photon.name, 'Ready', 'Fulfilled');
  });
});
