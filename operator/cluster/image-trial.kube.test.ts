import { expect } from 'chai';
import { resources } from '../kube/object.ts';
import { eventually } from './testing/api-types.ts';
import { Stage } from './testing/stage.ts';

const trialOf = (name: string): string => `${name}-main-0-0-trial`;
const image = (tag: string): { spec: object } => ({ spec: { image: { tag } } });

describe('the trial of new images, against a real control plane', function () {
  this.timeout(60_000);
  let stage: Stage;

  beforeEach(async () => (stage = await Stage.open('trial')));
  afterEach(() => stage.close());

  /** As the kubelet reports it. */
  async function trialStatus(name: string, status: object): Promise<void> {
    await stage.podIs(trialOf(name));
    const at = { namespace: stage.namespace, name: trialOf(name) };
    await stage.client.mergePatch(resources.pods, at, { status }, { subresource: 'status' });
  }

  const ended = (exitCode: number, message: string): object => ({
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    containerStatuses: [
      {
        name: 'photondb',
        image: 'x',
        imageID: 'y',
        ready: false,
        restartCount: 0,
        state: { terminated: { exitCode, message } },
      },
    ],
  });
  const waiting = (reason: string): object => ({
    containerStatuses: [
      {
        name: 'photondb',
        image: 'x',
        imageID: '',
        ready: false,
        restartCount: 0,
        state: { waiting: { reason, message: 'no such host' } },
      },
    ],
  });

  const uidOf = async (pod: string): Promise<string | undefined> =>
    (await stage.kubelet.pod(pod))?.metadata.uid;

  it('comes before the pod is replaced, and is removed when the new one serves', async () => {
    const pod = await stage.settled('fit');
    const before = await uidOf(pod);
    await stage.apply('fit', image('next'));
    await stage.podIs(trialOf('fit'));
    await stage.anotherLook('fit');
    expect(await uidOf(pod)).to.equal(before);
    await trialStatus('fit', ended(0, '0.1.0'));
    await stage.successorOf(resources.pods, pod, before);
    await stage.kubelet.bringUp(pod);
    await stage.conditionIs('fit', 'Ready', 'True');
    await eventually('the trial to be removed', async () => {
      return (await uidOf(trialOf('fit'))) === undefined;
    });
  });

  const failures: readonly (readonly [about: string, status: object, words: string])[] = [
    ['cannot be pulled', waiting('ErrImagePull'), 'cannot be pulled: ErrImagePull: no such host'],
    ['does not start', ended(1, 'unknown option'), 'does not start: exit code 1: unknown option'],
    ['is of another version', ended(0, '9.9.9'), 'is PhotonDB 9.9.9 and spec.version is 0.1.0'],
    [
      'cannot be tried',
      { phase: 'Failed', reason: 'OutOfpods', message: 'too many pods' },
      'photondb.io/skip-image-trial=photondb:bad',
    ],
  ];
  for (const [about, status, words] of failures) {
    it(`keeps the pod that serves when the image ${about}, and says so`, async () => {
      const pod = await stage.settled('unfit');
      const before = await uidOf(pod);
      await stage.apply('unfit', image('bad'));
      await trialStatus('unfit', status);
      await stage.conditionSays('unfit', 'Stalled', words);
      await stage.conditionIs('unfit', 'Ready', 'False');
      expect(await stage.said('unfit', 'Available')).to.include({ status: 'True' });
      await stage.anotherLook('unfit');
      expect(await uidOf(pod)).to.equal(before);

      // Back to what runs: nothing was lost, and nothing is left.
      await stage.apply('unfit');
      await stage.conditionIs('unfit', 'Ready', 'True');
      expect(await uidOf(pod)).to.equal(before);
      await eventually('the trial to be removed', async () => {
        return (await uidOf(trialOf('unfit'))) === undefined;
      });
    });
  }

  it('begins again for another image', async () => {
    await stage.settled('second');
    await stage.apply('second', image('bad'));
    await trialStatus('second', waiting('ErrImagePull'));
    const first = await uidOf(trialOf('second'));
    await stage.apply('second', image('good'));
    await stage.successorOf(resources.pods, trialOf('second'), first);
  });

  it('is left out when the manifest says so, and for a pod that does not serve', async () => {
    const pod = await stage.settled('hasty');
    const before = await uidOf(pod);
    const annotations = { 'photondb.io/skip-image-trial': 'photondb:next' };
    const at = { namespace: stage.namespace, name: 'hasty' };
    await stage.client.mergePatch(resources.photonClusters, at, { metadata: { annotations } });
    await stage.apply('hasty', image('next'));
    await stage.successorOf(resources.pods, pod, before);
    const second = await uidOf(pod);
    await stage.apply('hasty', image('another'));
    await stage.successorOf(resources.pods, pod, second);
    expect(await uidOf(trialOf('hasty'))).to.equal(undefined);
  });

  it('is said when a quota refuses it', async () => {
    const pod = await stage.settled('bound');
    const quotas = {
      group: '',
      version: 'v1',
      plural: 'resourcequotas',
      kind: 'ResourceQuota',
      namespaced: true,
    } as const;
    const metadata = { namespace: stage.namespace, name: 'one-pod' };
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata,
      spec: { hard: { pods: '1' } },
    };
    await stage.client.create(quotas, quota);
    await eventually('the quota to be counted', async () => {
      const found = (await stage.client.get(quotas, metadata)) as {
        readonly status?: { readonly used?: { readonly pods?: string } };
      };
      return found.status?.used?.pods === '1';
    });
    const before = await uidOf(pod);
    await stage.apply('bound', image('next'));
    await stage.conditionSays('bound', 'Stalled', 'exceeded quota');
    await stage.conditionSays('bound', 'Stalled', 'photondb.io/skip-image-trial=photondb:next');
    expect(await uidOf(pod)).to.equal(before);
  });

  for (let writes = 0; writes <= 4; writes += 1) {
    it(`is found again when the operator dies after ${writes} writes on the way`, async () => {
      const pod = await stage.settled('dying');
      const before = await uidOf(pod);
      await stage.operator?.stop();
      await stage.apply('dying', image('next'));
      const dying = await stage.startOperator(writes);
      await eventually('its death, or a look', async () => {
        return dying.client.writesLeft < 0 || dying.observations.length > 0;
      });
      await stage.startOperator();
      await trialStatus('dying', waiting('ErrImagePull'));
      await stage.conditionSays('dying', 'Stalled', 'cannot be pulled');
      expect(await uidOf(pod)).to.equal(before);
      await trialStatus('dying', ended(0, '0.1.0'));
      await stage.successorOf(resources.pods, pod, before);
    });
  }
});
