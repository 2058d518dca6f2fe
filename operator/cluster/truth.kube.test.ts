import { expect } from 'chai';
import type { KubeObject, Resource } from '../kube/object.ts';
import { resources } from '../kube/object.ts';
import { eventually } from './testing/api-types.ts';
import { Stage } from './testing/stage.ts';

/** What the status says while something beside the manifest is wrong, and when it is right again. */
describe('the status of a cluster with faults around it', function () {
  this.timeout(60_000);
  let stage: Stage;

  beforeEach(async () => (stage = await Stage.open('truth')));
  afterEach(() => stage.close());

  const at = (name: string): { namespace: string; name: string } => ({
    namespace: stage.namespace,
    name,
  });
  const quotas: Resource = {
    ...resources.services,
    plural: 'resourcequotas',
    kind: 'ResourceQuota',
  };
  const webhooks: Resource = {
    group: 'admissionregistration.k8s.io',
    version: 'v1',
    plural: 'validatingwebhookconfigurations',
    kind: 'ValidatingWebhookConfiguration',
    namespaced: false,
  };
  const pod = 'orders-main-0-0';

  const warns = (words: string): Promise<void> =>
    eventually(`a warning with "${words}"`, async () => {
      const scope = { namespace: stage.namespace, fieldSelector: 'type=Warning' };
      const { items } = await stage.client.list<KubeObject & { note?: string }>(
        resources.events,
        scope,
      );
      return items.some(({ note }) => note?.includes(words));
    });

  it('is not available while the Service of clients is not its own, though its node serves', async () => {
    const spec = { ports: [{ port: 80 }] };
    const service = { apiVersion: 'v1', kind: 'Service', metadata: at('orders'), spec };
    await stage.client.create(resources.services, service);
    await stage.apply('orders');
    await stage.podIs(pod);
    await stage.kubelet.bringUp(pod);
    await stage.conditionIs('orders', 'Degraded', 'False');
    const available = await stage.said('orders', 'Available');
    expect(available).to.include({ status: 'False', reason: 'ServiceWrong' });
    expect(available?.message).to.contain('the cluster has no Service orders of its own');
    expect(await stage.said('orders', 'Ready')).to.include({ status: 'False' });

    await stage.client.remove(resources.services, at('orders'));
    await stage.conditionIs('orders', 'Available', 'True');
    await stage.conditionIs('orders', 'Ready', 'True');
  });

  it('continues when a quota is raised', async () => {
    const metadata = at('small');
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata,
      spec: { hard: { pods: '0' } },
    };
    await stage.client.create(quotas, quota);
    await stage.apply('orders');
    await stage.conditionSays('orders', 'Stalled', 'exceeded quota: small');
    await stage.client.remove(quotas, metadata);
    await stage.podIs(pod);
    await stage.kubelet.bringUp(pod);
    await stage.conditionIs('orders', 'Ready', 'True');
    expect(await stage.said('orders', 'Stalled')).to.include({ status: 'False' });
  });

  it('reports a webhook that fails, and continues when it is gone', async () => {
    const name = `broken-${stage.namespace}`;
    const gate = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name },
      webhooks: [
        {
          name: 'gate.photondb.io',
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          timeoutSeconds: 1,
          clientConfig: { url: 'https://127.0.0.1:1/gate' },
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': stage.namespace } },
          rules: [
            { apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['services'] },
          ],
        },
      ],
    };
    await stage.client.create(webhooks, gate);
    try {
      await stage.apply('orders');
      await stage.conditionSays('orders', 'Ready', 'failed calling webhook');
      const ready = await stage.said('orders', 'Ready');
      expect(ready).to.include({ status: 'False', reason: 'ApiServerFails' });
      expect(ready?.message).to.contain('gate.photondb.io');
      expect(await stage.said('orders', 'Reconciling')).to.include({ status: 'True' });
    } finally {
      await stage.client.remove(webhooks, { name });
    }
    await stage.podIs(pod);
    await stage.kubelet.bringUp(pod);
    await stage.conditionIs('orders', 'Ready', 'True');
  });

  it('says that nothing is known of the health of a node that has no pod', async () => {
    await stage.apply('orders');
    await stage.podIs(pod);
    await stage.reasonIs('orders', 'Degraded', 'NodesStarting');
    expect(await stage.said('orders', 'Degraded')).to.include({ status: 'Unknown' });
  });

  it('reports why the pod is unschedulable, with the message of the scheduler', async () => {
    await stage.apply('orders');
    await stage.conditionSays('orders', 'Ready', 'no nodes available to schedule pods');
    const ready = await stage.said('orders', 'Ready');
    expect(ready).to.include({ reason: 'Unschedulable' });
    expect(await stage.said('orders', 'Reconciling')).to.include({ status: 'True' });
    expect((await stage.said('orders', 'Available'))?.message).to.contain('no nodes available');
  });

  it('reports a node that was out of memory and serves again, once', async () => {
    await stage.settled('orders', {
      pool: { resources: { limits: { memory: '1Gi' } } },
    });
    const terminated = { reason: 'OOMKilled', exitCode: 137, finishedAt: '2026-01-01T00:30:00Z' };
    const status = {
      name: 'photondb',
      image: 'photondb',
      imageID: '',
      ready: true,
      restartCount: 1,
      state: { running: {} },
      lastState: { terminated },
    };
    const patch = { status: { containerStatuses: [status] } };
    await stage.client.mergePatch(resources.pods, at(pod), patch, { subresource: 'status' });
    await warns('OOMKilled, a limit of 1Gi');
    await stage.conditionSays('orders', 'Degraded', 'has recovered');
    expect(await stage.said('orders', 'Degraded')).to.include({ status: 'False' });
    expect(await stage.said('orders', 'Ready')).to.include({ status: 'True' });
  });

  it('is not ready when its nodes run another version than the manifest names, whatever the image', async () => {
    await stage.settled('orders', { spec: { image: { tag: 'mine' } } });
    await stage.apply('orders', { spec: { version: '9.9.9', image: { tag: 'mine' } } });
    await stage.conditionSays(
      'orders',
      'Stalled',
      'spec.version is 9.9.9, but orders-main-0-0 runs',
    );
    expect(await stage.said('orders', 'Ready')).to.include({ reason: 'VersionMismatch' });
    await stage.kubelet.report(pod, { version: '9.9.9' });
    await stage.conditionIs('orders', 'Ready', 'True');
    expect((await stage.clusterOf('orders'))?.status?.version).to.equal('9.9.9');
  });
});
