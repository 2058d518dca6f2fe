import { expect } from 'chai';
import type { KubeObject } from '../kube/object.ts';
import { resources } from '../kube/object.ts';
import { eventually } from './testing/api-types.ts';
import { Stage } from './testing/stage.ts';

const clusterId = '11111111-2222-4333-8444-555555555555';
const nodeId = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';

interface Event extends KubeObject {
  readonly reason?: string;
  readonly note?: string;
}

describe('the drain of a node before its pod is replaced, against a real control plane', function () {
  this.timeout(60_000);
  let stage: Stage;

  beforeEach(async () => (stage = await Stage.open('drain')));
  afterEach(() => stage.close());

  it('is left out, with an event that says why, for a node that cannot be reached', async () => {
    const pod = await stage.settled('orders');
    await stage.kubelet.report(pod, { id: nodeId, clusterId });
    await eventually('the cluster to be founded', async () => {
      return (await stage.clusterOf('orders'))?.status?.clusterId === clusterId;
    });
    stage.adminAddresses.set(pod, { host: '127.0.0.1', port: 1 });
    const uid = (await stage.kubelet.pod(pod))?.metadata.uid;
    await stage.apply('orders', { spec: { config: { 'cache-mib': 65 } } });
    await stage.successorOf(resources.pods, pod, uid);
    await eventually('the event', async () => {
      const { items } = await stage.client.list<Event>(resources.events, {
        namespace: stage.namespace,
      });
      const failed = items.find(({ reason }) => reason === 'DrainFailed');
      if (failed !== undefined) expect(failed.note).to.match(/127\.0\.0\.1:1 cannot be reached/);
      return failed !== undefined;
    });
    await stage.keptReady('orders');
  });
});
