import { expect } from 'chai';
import type { PhotonNode } from '../api/generated/photon-node.ts';
import { resources } from '../kube/object.ts';
import { eventually } from './testing/api-types.ts';
import { Stage } from './testing/stage.ts';

describe('the identities of nodes, against a real control plane', function () {
  this.timeout(60_000);
  let stage: Stage;

  beforeEach(async () => (stage = await Stage.open('identities')));
  afterEach(() => stage.close());

  const nodeOf = (name: string): Promise<PhotonNode | undefined> =>
    stage.find<PhotonNode>(resources.photonNodes, `${name}-main-0-0`);
  const memberOf = async (name: string): Promise<string | undefined> =>
    (await stage.clusterOf(name))?.status?.members?.[0]?.id;

  async function recorded(name: string, id: string): Promise<void> {
    await eventually(`${id} to be recorded`, async () => {
      const node = await nodeOf(name);
      return (await memberOf(name)) === id && node?.spec.id === id;
    });
  }

  async function serving(name: string, id: string): Promise<string> {
    const pod = await stage.settled(name);
    await stage.kubelet.report(pod, { id });
    await recorded(name, id);
    return pod;
  }

  const accept = (name: string, ids: string): Promise<unknown> =>
    stage.client.mergePatch(
      resources.photonClusters,
      { namespace: stage.namespace, name },
      { metadata: { annotations: { 'photondb.io/accept-data-loss': ids } } },
    );

  it('are recorded, and restored in a recreated PhotonNode', async () => {
    await serving('known', 'a');
    await stage.client.remove(resources.photonNodes, {
      namespace: stage.namespace,
      name: 'known-main-0-0',
    });
    await eventually('the PhotonNode with its identity', async () => {
      return (await nodeOf('known'))?.spec.id === 'a';
    });
  });

  const losses: readonly (readonly [about: string, report: object, words: string])[] = [
    ['an empty directory', { health: 'Starting', missingId: 'a' }, 'its data directory is empty'],
    ['the directory of another', { id: 'b' }, 'it now has b'],
  ];
  for (const [about, report, words] of losses) {
    it(`make a node with ${about} not ready, until its loss is accepted`, async () => {
      const pod = await serving('losing', 'a');
      await stage.kubelet.report(pod, report);
      await stage.conditionSays('losing', 'Stalled', words);
      expect(await stage.said('losing', 'Stalled')).to.include({ reason: 'DataMissing' });
      await stage.conditionIs('losing', 'Ready', 'False');
      await stage.conditionSays('losing', 'Ready', 'photondb.io/accept-data-loss=a');
      await stage.anotherLook('losing');
      await recorded('losing', 'a');

      await accept('losing', 'a');
      await eventually('the loss to be passed on', async () => {
        return (await nodeOf('losing'))?.spec.acceptedLosses?.join() === 'a';
      });
      await stage.kubelet.report(pod, { id: 'b', missingId: null });
      await recorded('losing', 'b');
      await stage.conditionIs('losing', 'Ready', 'True');

      // Of no effect on what is lost later.
      await stage.kubelet.report(pod, { missingId: 'b' });
      await stage.conditionIs('losing', 'Ready', 'False');
      await recorded('losing', 'b');
    });
  }

  for (let writes = 0; writes <= 3; writes += 1) {
    it(`come to the same end when the operator dies after ${writes} writes on the way`, async () => {
      const pod = await serving('dying', 'a');
      await stage.kubelet.report(pod, { missingId: 'a' });
      await stage.conditionIs('dying', 'Ready', 'False');
      await stage.operator?.stop();
      await accept('dying', 'a');
      const dying = await stage.startOperator(writes);
      await eventually('its death, or a look', async () => {
        return dying.client.writesLeft < 0 || dying.observations.length > 0;
      });
      await stage.startOperator();
      await eventually('the loss to be passed on', async () => {
        return (await nodeOf('dying'))?.spec.acceptedLosses?.join() === 'a';
      });
      await stage.kubelet.report(pod, { id: 'b', missingId: null });
      await recorded('dying', 'b');
      await stage.conditionIs('dying', 'Ready', 'True');
    });
  }
});
