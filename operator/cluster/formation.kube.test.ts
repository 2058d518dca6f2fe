import { expect } from 'chai';
import type { PhotonNode } from '../api/generated/photon-node.ts';
import { resources } from '../kube/object.ts';
import { eventually } from './testing/api-types.ts';
import { Stage } from './testing/stage.ts';

describe('the formation of a cluster, against a real control plane', function () {
  this.timeout(60_000);
  let stage: Stage;

  beforeEach(async () => (stage = await Stage.open('formation')));
  afterEach(() => stage.close());

  const data = { name: 'main', roles: ['data', 'consensus'], storage: { size: '1Gi' } };
  const query = { name: 'query', roles: ['coordinator'], replicas: 2, storage: { size: '1Gi' } };
  const [founder, first, second] = ['shop-main-0-0', 'shop-query-0-0', 'shop-query-0-1'];

  const write = (...pools: readonly object[]): Promise<unknown> =>
    stage.apply('shop', { spec: { pools } });
  const nodeOf = (name: string): Promise<PhotonNode | undefined> =>
    stage.find<PhotonNode>(resources.photonNodes, name);
  const isThere = async (name: string): Promise<boolean> =>
    (await stage.kubelet.pod(name)) !== undefined;
  const clusterId = async (): Promise<string | undefined> =>
    (await stage.clusterOf('shop'))?.status?.clusterId;

  /** The data node has founded the cluster, and the others have joined it. */
  async function formed(): Promise<void> {
    await write(data, query);
    await stage.podIs(founder);
    await stage.kubelet.bringUp(founder, { id: 'a', clusterId: 'c1' });
    for (const [name, id] of [
      [first, 'b'],
      [second, 'c'],
    ] as const) {
      await stage.podIs(name);
      await stage.kubelet.bringUp(name, { id, clusterId: 'c1' });
    }
    await stage.conditionIs('shop', 'Ready', 'True');
  }

  it('lets one node found it, and starts no other before its identity is recorded', async () => {
    await write(data, query);
    await stage.podIs(founder);
    await stage.conditionSays('shop', 'Ready', 'pod shop-main-0-0 is not ready');
    expect((await nodeOf(founder))?.spec).to.include({ founder: true });
    expect((await nodeOf(first))?.spec).to.not.have.any.keys('founder', 'clusterId');
    await stage.kubelet.bringUp(founder);
    await stage.conditionSays('shop', 'Ready', `2 nodes start when ${founder} has founded`);
    expect(await isThere(first)).to.equal(false);

    await stage.kubelet.report(founder, { id: 'a', clusterId: 'c1' });
    await stage.podIs(first);
    await stage.podIs(second);
    expect(await clusterId()).to.equal('c1');
    for (const name of [founder, first, second]) {
      await eventually(`${name} to know its cluster`, async () => {
        const { clusterId: id, founder: isFounder } = (await nodeOf(name))?.spec ?? {};
        return id === 'c1' && isFounder === undefined;
      });
    }
  });

  it('is ready when all pools serve, and leads clients to the nodes with data', async () => {
    await formed();
    const roleOf = async (name: string): Promise<string | undefined> =>
      (await stage.kubelet.pod(name))?.metadata.labels?.['photondb.io/role-data'];
    expect(await roleOf(founder)).to.equal('true');
    expect(await roleOf(first)).to.equal(undefined);
    const service = await stage.find(resources.services, 'shop');
    const { selector } = (service as unknown as { readonly spec: { readonly selector: object } })
      .spec;
    expect(selector).to.include({ 'photondb.io/role-data': 'true' });
  });

  it('takes away the objects of nodes and pools that the manifest no longer names', async () => {
    await formed();
    await write(data, { ...query, replicas: 1 });
    await eventually('the second coordinator to be gone', async () => {
      return !(await isThere(second)) && (await nodeOf(second)) === undefined;
    });
    expect(await nodeOf(first)).to.not.equal(undefined);
    await write(data);
    await eventually('the pool to be gone', async () => {
      const set = await stage.find(resources.statefulSets, 'shop-query-0');
      const pool = await stage.find(resources.photonPools, 'shop-query');
      return set === undefined && pool === undefined && (await nodeOf(first)) === undefined;
    });
    await stage.conditionIs('shop', 'Ready', 'True');
    expect(await clusterId()).to.equal('c1');
  });

  it('lets no node found again when the founder has lost its volume, before that is accepted', async () => {
    await write(data, query);
    await stage.podIs(founder);
    await stage.kubelet.bringUp(founder, { id: 'a', clusterId: 'c1' });
    await eventually('the identity', async () => (await clusterId()) === 'c1');
    await stage.kubelet.report(founder, { missingId: 'a' });
    await stage.conditionSays('shop', 'Stalled', 'photondb.io/accept-data-loss=a');
    expect((await nodeOf(founder))?.spec.founder).to.equal(undefined);

    const annotations = { 'photondb.io/accept-data-loss': 'a' };
    const at = { namespace: stage.namespace, name: 'shop' };
    await stage.client.mergePatch(resources.photonClusters, at, { metadata: { annotations } });
    await eventually('the node to be asked to found', async () => {
      return (await nodeOf(founder))?.spec.founder === true;
    });
    await stage.kubelet.report(founder, { id: 'b', clusterId: 'c2', missingId: null });
    await eventually('the next identity', async () => (await clusterId()) === 'c2');
  });

  it('keeps its identity when the status is deleted', async () => {
    await formed();
    await stage.operator?.stop();
    const at = { namespace: stage.namespace, name: 'shop' };
    const patch = [{ op: 'remove', path: '/status' } as const];
    await stage.client.patchJson(resources.photonClusters, at, patch, { subresource: 'status' });
    await stage.kubelet.report(founder, { clusterId: null });
    await stage.startOperator();
    await eventually('the identity', async () => (await clusterId()) === 'c1');
    expect((await nodeOf(founder))?.spec.founder).to.equal(undefined);
  });

  it('stops at a node that has the data of another cluster', async () => {
    await formed();
    await stage.kubelet.report(first, { clusterId: 'c9' });
    await stage.reasonIs('shop', 'Stalled', 'WrongCluster');
    await stage.conditionSays('shop', 'Stalled', `node ${first} has the data of cluster c9`);
  });

  for (let writes = 0; writes <= 4; writes += 1) {
    it(`records one identity when the operator dies after ${writes} writes on the way`, async () => {
      await write(data, query);
      await stage.podIs(founder);
      await stage.operator?.stop();
      await stage.kubelet.bringUp(founder, { id: 'a', clusterId: 'c1' });
      const dying = await stage.startOperator(writes);
      await eventually('its death, or a look', async () => {
        return dying.client.writesLeft < 0 || dying.observations.length > 0;
      });
      const started = await isThere(first);
      if (started) expect(await clusterId()).to.equal('c1');
      await stage.startOperator();
      await stage.podIs(first);
      expect(await clusterId()).to.equal('c1');
    });
  }
});
