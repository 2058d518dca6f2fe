import { expect } from 'chai';
import type { KubeObject } from '../kube/object.ts';
import { resources } from '../kube/object.ts';
import { eventually, refusalOf } from './testing/api-types.ts';
import { Stage } from './testing/stage.ts';
import type { StatefulSet, VolumeClaim } from './informer-set.ts';

/** A claim as a user makes it from a snapshot: by name, without any label of ours. */
const claimOf = (namespace: string, name: string, spec: object = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { namespace, name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      ...spec,
    },
  }) as KubeObject;

const cpu = (amount: string): { pool: object } => ({
  pool: { resources: { requests: { cpu: amount } } },
});

describe('the volume claims of a cluster, against a real control plane', function () {
  this.timeout(60_000);
  let stage: Stage;

  beforeEach(async () => (stage = await Stage.open('claims')));
  afterEach(() => stage.close());

  const claim = (name: string): Promise<VolumeClaim | undefined> =>
    stage.find<VolumeClaim>(resources.persistentVolumeClaims, name);

  /** A finalizer stands for the protection of a claim that a pod uses. */
  async function beginDeletion(
    name: string,
    finalizers = ['test.photondb.io/held'],
  ): Promise<void> {
    const at = { namespace: stage.namespace, name };
    await stage.client.mergePatch(resources.persistentVolumeClaims, at, {
      metadata: { finalizers },
    });
    await stage.client.remove(resources.persistentVolumeClaims, at);
  }

  async function endDeletion(name: string): Promise<void> {
    const at = { namespace: stage.namespace, name };
    await stage.client.mergePatch(resources.persistentVolumeClaims, at, {
      metadata: { finalizers: null },
    });
  }

  it('keeps a pod whose claim is being deleted, whatever the manifest asks for, and says so', async () => {
    const pod = await stage.settled('leaving');
    const before = await stage.kubelet.pod(pod);
    await beginDeletion(`data-${pod}`);
    await stage.conditionIs('leaving', 'Stalled', 'True');
    expect(await stage.said('leaving', 'Stalled')).to.include({ reason: 'VolumeAtRisk' });
    await stage.conditionSays('leaving', 'Stalled', 'its data is lost as soon as the pod stops');
    expect(await stage.said('leaving', 'Available')).to.include({ status: 'True' });

    const budget = await stage.find(resources.podDisruptionBudgets, 'leaving');
    expect(budget).to.have.nested.property('spec.maxUnavailable', 0);
    const eviction = { namespace: stage.namespace, name: pod };
    const refusal = await refusalOf(stage.client.evict(eviction));
    expect(refusal).to.match(/^kube\.(disruption_budget|throttled)/);

    await stage.apply('leaving', cpu('11m'));
    await stage.conditionSays('leaving', 'Ready', `pod ${pod} is not replaced`);
    await stage.anotherLook('leaving');
    expect((await stage.kubelet.pod(pod))?.metadata.uid).to.equal(before?.metadata.uid);
    await endDeletion(`data-${pod}`);
  });

  it('keeps a pod whose claim is gone', async () => {
    const pod = await stage.settled('gone');
    const before = await stage.kubelet.pod(pod);
    await beginDeletion(`data-${pod}`, []);
    await eventually(
      'the claim to be gone',
      async () => (await claim(`data-${pod}`)) === undefined,
    );
    await stage.apply('gone', cpu('11m'));
    await stage.conditionSays('gone', 'Stalled', `volume claim data-${pod} is missing`);
    await stage.anotherLook('gone');
    expect((await stage.kubelet.pod(pod))?.metadata.uid).to.equal(before?.metadata.uid);
  });

  it('replaces the pod when the claim is there again', async () => {
    const pod = await stage.settled('again');
    const before = await stage.kubelet.pod(pod);
    await beginDeletion(`data-${pod}`);
    await stage.apply('again', cpu('11m'));
    await stage.conditionSays('again', 'Ready', `pod ${pod} is not replaced`);
    await endDeletion(`data-${pod}`);
    await eventually(
      'the claim to be gone',
      async () => (await claim(`data-${pod}`)) === undefined,
    );
    const restored = claimOf(stage.namespace, `data-${pod}`);
    await stage.client.create(resources.persistentVolumeClaims, restored);
    await stage.successorOf(resources.pods, pod, before?.metadata.uid);
  });

  for (let writes = 0; writes <= 4; writes += 1) {
    it(`keeps it also when the operator dies after ${writes} writes on the way`, async () => {
      const pod = await stage.settled('dying');
      const before = await stage.kubelet.pod(pod);
      await beginDeletion(`data-${pod}`);
      await stage.operator?.stop();
      await stage.apply('dying', cpu('11m'));
      const dying = await stage.startOperator(writes);
      await eventually('its death, or a look', async () => {
        return dying.client.writesLeft < 0 || dying.observations.length > 0;
      });
      await stage.startOperator();
      await stage.conditionSays('dying', 'Ready', `pod ${pod} is not replaced`);
      expect((await stage.kubelet.pod(pod))?.metadata.uid).to.equal(before?.metadata.uid);
      await endDeletion(`data-${pod}`);
    });
  }

  it('adopts a claim that was made by hand under the expected name', async () => {
    await stage.client.create(
      resources.persistentVolumeClaims,
      claimOf(stage.namespace, 'data-restored-main-0-0'),
    );
    await stage.settled('restored');
    await eventually('the labels', async () => {
      const labels = (await claim('data-restored-main-0-0'))?.metadata.labels ?? {};
      return labels['photondb.io/cluster'] === 'restored' && labels['photondb.io/pool'] === 'main';
    });
  });

  const refused: readonly (readonly [about: string, spec: object, pool: object, words: string])[] =
    [
      ['a block device', { volumeMode: 'Block' }, {}, 'volumeMode: Filesystem'],
      ['read-only', { accessModes: ['ReadOnlyMany'] }, {}, 'make it with ReadWriteOnce'],
      [
        'of another class',
        { storageClassName: 'slow' },
        { storage: { size: '1Gi', className: 'fast' } },
        'its class is slow and storage.className is fast',
      ],
    ];
  for (const [about, spec, pool, words] of refused) {
    it(`refuses a claim that is ${about} before a pod starts on it`, async () => {
      await stage.client.create(
        resources.persistentVolumeClaims,
        claimOf(stage.namespace, 'data-odd-main-0-0', spec),
      );
      await stage.apply('odd', { pool });
      await stage.conditionSays('odd', 'Stalled', words);
      expect(await stage.said('odd', 'Stalled')).to.include({ reason: 'ClaimRefused' });
      expect(await stage.find(resources.statefulSets, 'odd-main-0')).to.equal(undefined);
    });
  }

  it('refuses a claim of another cluster', async () => {
    const foreign = claimOf(stage.namespace, 'data-mine-main-0-0');
    const labels = { 'photondb.io/cluster': 'other' };
    await stage.client.create(resources.persistentVolumeClaims, {
      ...foreign,
      metadata: { ...foreign.metadata, labels },
    });
    await stage.apply('mine');
    await stage.conditionSays('mine', 'Stalled', 'it belongs to PhotonCluster other');
    expect((await claim('data-mine-main-0-0'))?.metadata.labels).to.deep.equal(labels);
  });

  it('expands volumes although the pod does not serve and the password is missing', async () => {
    const pod = await stage.settled('full');
    await stage.kubelet.setReady(pod, false);
    await stage.conditionIs('full', 'Available', 'False');
    await stage.apply('full', {
      pool: { storage: { size: '2Gi' } },
      spec: { security: { passwordSecret: 'nowhere' } },
    });
    // The class of the test has no provisioner: what counts is that the claim is asked for more.
    await stage.conditionSays('full', 'Stalled', `volume claim data-${pod} cannot grow to 2Gi`);
    await stage.conditionSays('full', 'Stalled', 'Secret nowhere is not there');
    const set = await stage.find<StatefulSet>(resources.statefulSets, 'full-main-0');
    expect(set?.metadata.deletionTimestamp).to.equal(undefined);
  });

  it('keeps and names the claims that a StatefulSet scaled by hand has left behind', async () => {
    const pod = await stage.settled('scaled');
    const set = { namespace: stage.namespace, name: 'scaled-main-0' };
    await stage.operator?.stop();
    await stage.client.mergePatch(resources.statefulSets, set, { spec: { replicas: 2 } });
    await eventually(
      'a second claim',
      async () => (await claim('data-scaled-main-0-1')) !== undefined,
    );
    await stage.startOperator();
    await eventually('the status to name it', async () => {
      const { status } = (await stage.clusterOf('scaled')) ?? {};
      return status?.unusedClaims?.join() === 'data-scaled-main-0-1';
    });
    await eventually('an event', async () => {
      const { items } = await stage.client.list<KubeObject & { reason?: string; note?: string }>(
        resources.events,
        { namespace: stage.namespace },
      );
      return items.some(
        ({ reason, note = '' }) => reason === 'UnusedClaim' && note.includes('0-1'),
      );
    });
    await stage.conditionIs('scaled', 'Ready', 'True');
    expect(await claim('data-scaled-main-0-1')).to.not.equal(undefined);
    expect(await stage.kubelet.pod(pod)).to.not.equal(undefined);
  });
});
