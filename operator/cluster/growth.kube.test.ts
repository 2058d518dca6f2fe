import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { KubeClient } from '../kube/client.ts';
import { resources } from '../kube/object.ts';
import type { TestNamespace } from '../kube/testing/control-plane.ts';
import { testNamespace } from '../kube/testing/control-plane.ts';
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { StatefulSet } from './informer-set.ts';
import { eventually, installTypes, manifestOf } from './testing/api-types.ts';
import type { RunningOperator } from './testing/operator-under-test.ts';
import { Kubelet, said, startOperator } from './testing/operator-under-test.ts';

/** The one node of a cluster restarts as the first of three before the others get pods. */
describe('a cluster of one node that is to have three', function growing() {
  this.timeout(120_000);
  let at: TestNamespace;
  let client: KubeClient;
  let kubelet: Kubelet;
  let operator: RunningOperator;
  const clusterId = randomUUID();
  const ids = [randomUUID(), randomUUID(), randomUUID()] as const;
  const pods = [0, 1, 2].map((ordinal) => `one-main-0-${ordinal}`) as [string, string, string];

  before(async () => {
    at = await testNamespace('growth');
    ({ client } = at);
    await installTypes(client, at.namespace);
    kubelet = new Kubelet(client, at.namespace);
    operator = await startOperator(at.namespace);
  });

  after(async () => {
    await operator.stop();
    await at.remove();
  });

  const apply = (replicas: number): Promise<unknown> =>
    client.apply(resources.photonClusters, manifestOf('one', at.namespace, { pool: { replicas } }));
  const isReady = async (): Promise<boolean> => {
    const place = { namespace: at.namespace, name: 'one' };
    const cluster = await client.find<PhotonCluster>(resources.photonClusters, place);
    const { status, observedGeneration } = said(cluster, 'Ready') ?? {};
    return status === 'True' && observedGeneration === cluster?.metadata.generation;
  };
  const podIs = (name: string): Promise<void> =>
    eventually(`pod ${name}`, async () => (await kubelet.pod(name)) !== undefined);
  const setIs = async (): Promise<number | undefined> => {
    const place = { namespace: at.namespace, name: 'one-main-0' };
    return (await client.find<StatefulSet>(resources.statefulSets, place))?.spec?.replicas;
  };

  it('gets them when it runs with the configuration of several', async () => {
    const [first, second, third] = pods;
    await apply(1);
    await podIs(first);
    await kubelet.bringUp(first, { id: ids[0], clusterId });
    await eventually('the cluster to be ready', isReady);
    const before = (await kubelet.pod(first))?.metadata;
    await apply(3);
    await eventually('a successor of the pod', async () => {
      const now = (await kubelet.pod(first))?.metadata;
      const isSuccessor = now !== undefined && now.uid !== before?.uid;
      // Until then nobody joins a node that keeps its data alone.
      if (!isSuccessor && now !== undefined) expect(await kubelet.pod(second)).to.equal(undefined);
      return isSuccessor;
    });
    const after = (await kubelet.pod(first))?.metadata.annotations;
    expect(after?.['photondb.io/revision']).to.not.equal(
      before?.annotations?.['photondb.io/revision'],
    );
    await kubelet.bringUp(first, { id: ids[0], clusterId });
    for (const [index, name] of [second, third].entries()) {
      await podIs(name);
      await kubelet.bringUp(name, { id: ids[index + 1], clusterId });
    }
    await eventually('the cluster to be ready', isReady);
    expect(await setIs()).to.equal(3);
    const last = (await kubelet.pod(first))?.metadata.annotations;
    expect(last?.['photondb.io/revision']).to.equal(after?.['photondb.io/revision']);
  });

  it('repairs the number of pods when somebody else changes it', async () => {
    const place = { namespace: at.namespace, name: 'one-main-0' };
    await client.mergePatch(resources.statefulSets, place, { spec: { replicas: 1 } });
    await eventually('the StatefulSet to have three pods', async () => (await setIs()) === 3);
  });
});
