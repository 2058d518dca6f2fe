import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { PhotonPool } from '../api/generated/photon-pool.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeObject, Resource } from '../kube/object.ts';
import { resources } from '../kube/object.ts';
import type { TestNamespace } from '../kube/testing/control-plane.ts';
import { testNamespace } from '../kube/testing/control-plane.ts';
import { eventually, installTypes, manifestOf } from './testing/api-types.ts';
import type { RunningOperator } from './testing/operator-under-test.ts';
import { Kubelet, said, startOperator } from './testing/operator-under-test.ts';
import type { StatefulSet, VolumeClaim } from './informer-set.ts';

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

type SetWithStatus = StatefulSet & {
  readonly status?: {
    readonly observedGeneration?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
  };
};

/** A control plane makes pods of StatefulSets; nobody runs them but the test. */
describe('a reconcile, against a real control plane', function () {
  this.timeout(60_000);
  let at: TestNamespace;
  let client: KubeClient;
  let namespace: string;
  let kubelet: Kubelet;
  let operator: RunningOperator | undefined;

  const find = <T extends KubeObject>(resource: Resource, name: string): Promise<T | undefined> =>
    client.find<T>(resource, { namespace, name });
  const clusterOf = (name: string): Promise<PhotonCluster | undefined> =>
    find<PhotonCluster>(resources.photonClusters, name);
  const apply = (name: string, change: object = {}): Promise<KubeObject> =>
    client.apply(resources.photonClusters, manifestOf(name, namespace, change));
  const conditionIs = (name: string, type: string, status: string): Promise<void> =>
    eventually(`${type} of ${name} to be ${status}`, async () => {
      const cluster = await clusterOf(name);
      const { status: is, observedGeneration } = said(cluster, type) ?? {};
      return is === status && observedGeneration === cluster?.metadata.generation;
    });
  const podIs = (name: string): Promise<void> =>
    eventually(`pod ${name}`, async () => (await kubelet.pod(name)) !== undefined);
  const revisionOf = async (name: string): Promise<string | undefined> =>
    (await kubelet.pod(name))?.metadata.annotations?.['photondb.io/revision'];

  async function settled(name: string, change: object = {}): Promise<string> {
    await apply(name, change);
    const pod = `${name}-main-0-0`;
    await podIs(pod);
    await kubelet.bringUp(pod);
    await conditionIs(name, 'Ready', 'True');
    return pod;
  }

  const made: readonly (readonly [Resource, (name: string) => string])[] = [
    [resources.statefulSets, (name) => `${name}-main-0`],
    [resources.services, (name) => name],
    [resources.services, (name) => `${name}-nodes`],
    [resources.serviceAccounts, (name) => `${name}-node`],
    [resources.roles, (name) => `${name}-node`],
    [resources.roleBindings, (name) => `${name}-node`],
    [resources.podDisruptionBudgets, (name) => name],
    [resources.networkPolicies, (name) => name],
    [resources.photonPools, (name) => `${name}-main`],
    [resources.photonNodes, (name) => `${name}-main-0-0`],
    [resources.secrets, (name) => `${name}-admin`],
    [resources.secrets, (name) => `${name}-ca`],
    [resources.configMaps, (name) => `${name}-ca`],
  ];

  before(async () => {
    const first = await testNamespace('reconcile');
    await installTypes(first.client, first.namespace);
    await first.remove();
  });

  // A namespace for each test: what one leaves undone would be the first work of the next operator.
  beforeEach(async () => {
    at = await testNamespace('reconcile');
    ({ client, namespace } = at);
    kubelet = new Kubelet(client, namespace);
    operator = await startOperator(namespace);
  });

  afterEach(async () => {
    await operator?.stop();
    operator = undefined;
    await at.remove();
  });

  it('makes everything that a cluster needs, and is ready when its node serves and says so', async () => {
    await apply('whole');
    await podIs('whole-main-0-0');
    for (const [resource, nameOf] of made) {
      expect(await find(resource, nameOf('whole')), nameOf('whole')).to.not.equal(undefined);
    }
    await conditionIs('whole', 'Reconciling', 'True');
    expect(said(await clusterOf('whole'), 'Ready')?.status).to.equal('False');

    await kubelet.setReady('whole-main-0-0', true);
    await conditionIs('whole', 'Available', 'True');
    await eventually('Ready to say what is awaited', async () => {
      const { message = '' } = said(await clusterOf('whole'), 'Ready') ?? {};
      return message.includes('has not reported');
    });

    await kubelet.report('whole-main-0-0');
    await conditionIs('whole', 'Ready', 'True');
    const { status } = (await clusterOf('whole')) ?? {};
    expect(status?.nodes).to.deep.equal({ ready: 1, wanted: 1, unknown: 0, summary: '1/1' });
    expect(status).to.include({ version: '0.1.0', passwordSecret: 'whole-admin' });
    const pool = await find<PhotonPool>(resources.photonPools, 'whole-main');
    expect(pool?.status).to.include({ replicas: 1, readyReplicas: 1, updatedReplicas: 1 });
    const scale = await client.getScale(resources.photonPools, { namespace, name: 'whole-main' });
    expect(scale.status?.selector).to.contain('photondb.io/pool=main');
  });

  it('labels the pod with its roles', async () => {
    const pod = await settled('labelled');
    await eventually('the role labels', async () => {
      const labels = (await kubelet.pod(pod))?.metadata.labels ?? {};
      return labels['photondb.io/role-data'] === 'true';
    });
  });

  it('keeps the generated password over restarts', async () => {
    await settled('keeping');
    const before = await find<Secret>(resources.secrets, 'keeping-admin');
    await operator?.stop();
    operator = await startOperator(namespace);
    await apply('keeping', { spec: { version: '0.1.1' } });
    await conditionIs('keeping', 'Reconciling', 'True');
    const after = await find<Secret>(resources.secrets, 'keeping-admin');
    expect(after?.metadata.uid).to.equal(before?.metadata.uid);
    expect(after?.data).to.deep.equal(before?.data);
  });

  it('repairs what others delete or change', async () => {
    await settled('drifting');
    await client.remove(resources.services, { namespace, name: 'drifting-nodes' });
    await client.remove(resources.roles, { namespace, name: 'drifting-node' });
    const set = { namespace, name: 'drifting-main-0' };
    await client.mergePatch(resources.statefulSets, set, { spec: { replicas: 0 } });
    const service = { namespace, name: 'drifting' };
    await client.mergePatch(resources.services, service, { spec: { selector: { other: 'x' } } });
    await eventually('the objects to be as they were', async () => {
      const found = await find<StatefulSet & { readonly spec?: { readonly replicas?: number } }>(
        resources.statefulSets,
        'drifting-main-0',
      );
      const role = await find(resources.roles, 'drifting-node');
      const nodes = await find(resources.services, 'drifting-nodes');
      return found?.spec?.replicas === 1 && role !== undefined && nodes !== undefined;
    });
  });

  it('writes nothing while nothing changes', async () => {
    await settled('quiet');
    const versions = async (): Promise<string> => {
      const found = await Promise.all(
        [...made, [resources.photonClusters, (name: string) => name] as const].map(
          async ([resource, nameOf]) => find(resource, nameOf('quiet')),
        ),
      );
      return found.map((object) => object?.metadata.resourceVersion).join();
    };
    await eventually('the work to come to rest', async () => {
      const before = await versions();
      await new Promise((resolve) => {
        setTimeout(resolve, 300);
      });
      return before === (await versions());
    });
    const before = await versions();
    const count = operator?.observations.length ?? 0;
    // Something that concerns the cluster and asks for nothing: it is looked at, and left as it is.
    await kubelet.report('quiet-main-0-0');
    await eventually('another look', async () => (operator?.observations.length ?? 0) > count);
    const changed = (await versions()).split(',').filter((v, i) => v !== before.split(',')[i]);
    expect(changed.length, 'only the node itself has changed').to.equal(1);
  });

  it('says first of a new generation that there is work, before it is done', async () => {
    await settled('claimed');
    await operator?.stop();
    await apply('claimed', { spec: { version: '0.2.0' } });
    const stale = await clusterOf('claimed');
    expect(stale?.status?.observedGeneration).to.equal(1);
    // It dies after a single write, which must be the status.
    operator = await startOperator(namespace, 1);
    await eventually('the first write', async () => {
      const { status } = (await clusterOf('claimed')) ?? {};
      return status?.observedGeneration === 2;
    });
    const cluster = await clusterOf('claimed');
    expect(said(cluster, 'Ready')).to.include({ status: 'Unknown', reason: 'NewGeneration' });
    expect(said(cluster, 'Reconciling')).to.include({ status: 'True' });
    expect(said(cluster, 'Available')).to.include({ status: 'True' });
  });

  it('brings a change to the pod, and waits until it is back', async () => {
    const pod = await settled('rolling');
    const before = await kubelet.pod(pod);
    await apply('rolling', { pool: { resources: { requests: { cpu: '10m' } } } });
    await eventually('the pod to be replaced', async () => {
      const now = await kubelet.pod(pod);
      return now !== undefined && now.metadata.uid !== before?.metadata.uid;
    });
    expect(await revisionOf(pod)).to.not.equal(
      before?.metadata.annotations?.['photondb.io/revision'],
    );
    await conditionIs('rolling', 'Ready', 'False');
    await kubelet.bringUp(pod);
    await conditionIs('rolling', 'Ready', 'True');
    const maps = await client.list(resources.configMaps, {
      namespace,
      labelSelector: 'photondb.io/cluster=rolling',
    });
    const names = maps.items.map(({ metadata }) => metadata.name);
    expect(names.filter((name) => name.includes('-config-')).length).to.equal(1);
  });

  it('works on with a StatefulSet whose status is that of its predecessor', async () => {
    await settled('inherited');
    const set = { namespace, name: 'inherited-main-0' };
    // Its controller has nothing more to write: what the test writes stays.
    await eventually('the status of the StatefulSet to be complete', async () => {
      const { status } = await client.get<SetWithStatus>(resources.statefulSets, set);
      return status?.readyReplicas === 1 && status.availableReplicas === 1;
    });
    await operator?.stop();
    // As Kubernetes leaves it when it writes the status of a set that was replaced meanwhile.
    const patch = { status: { observedGeneration: 7 } };
    await client.mergePatch(resources.statefulSets, set, patch, { subresource: 'status' });
    const next = await startOperator(namespace);
    operator = next;
    await eventually('a first reconcile', async () => next.observations.length > 0);
    expect(said(await clusterOf('inherited'), 'Ready')).to.include({ status: 'True' });
    const found = await client.get<SetWithStatus>(resources.statefulSets, set);
    expect(found.status?.observedGeneration).to.equal(7);

    // Its status claims to know any template: the pod comes back as wanted at the first time.
    const pod = 'inherited-main-0-0';
    const before = await kubelet.pod(pod);
    await apply('inherited', { pool: { resources: { requests: { cpu: '10m' } } } });
    await eventually('the pod to be replaced', async () => {
      const now = await kubelet.pod(pod);
      return now !== undefined && now.metadata.uid !== before?.metadata.uid;
    });
    expect(await revisionOf(pod)).to.not.equal(
      before?.metadata.annotations?.['photondb.io/revision'],
    );
  });

  it('takes away the configuration that no pod uses any more', async () => {
    const pod = await settled('configured');
    const before = await kubelet.pod(pod);
    await apply('configured', { spec: { config: { 'log-level': 'debug' } } });
    await eventually('the pod to be replaced', async () => {
      const now = await kubelet.pod(pod);
      return now !== undefined && now.metadata.uid !== before?.metadata.uid;
    });
    await kubelet.bringUp(pod);
    await conditionIs('configured', 'Ready', 'True');
    await eventually('one configuration', async () => {
      const { items } = await client.list(resources.configMaps, {
        namespace,
        labelSelector: 'photondb.io/cluster=configured',
      });
      const names = items.map(({ metadata }) => metadata.name);
      return names.filter((name) => name.includes('-config-')).length === 1;
    });
  });

  it('leaves objects of other owners alone, and reports the conflict', async () => {
    const spec = { ports: [{ port: 80 }] };
    const metadata = { namespace, name: 'foreign-nodes' };
    const service = { apiVersion: 'v1', kind: 'Service', metadata, spec };
    const before = await client.create<KubeObject>(resources.services, service);
    await apply('foreign');
    await conditionIs('foreign', 'Stalled', 'True');
    const stalled = said(await clusterOf('foreign'), 'Stalled');
    expect(stalled?.reason).to.equal('ForeignObject');
    expect(stalled?.message).to.contain('Service foreign-nodes exists and does not belong');
    const after = await find(resources.services, 'foreign-nodes');
    expect(after?.metadata.resourceVersion).to.equal(before.metadata.resourceVersion);
    expect(await find(resources.statefulSets, 'foreign-main-0')).to.equal(undefined);
  });

  it('says that the Secret is missing which the manifest names', async () => {
    await apply('secretless', { spec: { security: { passwordSecret: 'nowhere' } } });
    await conditionIs('secretless', 'Stalled', 'True');
    const { reason, message } = said(await clusterOf('secretless'), 'Stalled') ?? {};
    expect(reason).to.equal('Missing');
    expect(message).to.contain('Secret nowhere is not there');
  });

  it('says what of an overlay belongs to the operator', async () => {
    const spec = { containers: [{ name: 'photondb', image: 'x' }] };
    await apply('overlaid', { pool: { template: { spec } } });
    await conditionIs('overlaid', 'Stalled', 'True');
    const stalled = said(await clusterOf('overlaid'), 'Stalled');
    expect(stalled?.message).to.contain('use spec.image');
  });

  it('gives no pod what only the chart may allow', async () => {
    const volumes = [{ name: 'machine', hostPath: { path: '/' } }];
    await apply('reaching', { pool: { template: { spec: { volumes } } } });
    await conditionIs('reaching', 'Stalled', 'True');
    const { reason, message } = said(await clusterOf('reaching'), 'Stalled') ?? {};
    expect(reason).to.equal('InvalidSpec');
    expect(message).to.contain('only hostPath in podTemplates.allow');
    expect(await find(resources.statefulSets, 'reaching-main-0')).to.equal(undefined);
    await operator?.stop();
    operator = await startOperator(namespace, undefined, ['hostPath']);
    await podIs('reaching-main-0-0');
  });

  it('closes the ports between nodes to others, unless the manifest says otherwise', async () => {
    await settled('closed');
    const policy = await find(resources.networkPolicies, 'closed');
    expect(policy).to.have.nested.property(
      'spec.podSelector.matchLabels.photondb\\.io/cluster',
      'closed',
    );
    await apply('closed', { spec: { security: { networkPolicy: false } } });
    await eventually('the policy to be gone', async () => {
      return (await find(resources.networkPolicies, 'closed')) === undefined;
    });
    const metadata = { namespace, name: 'closed' };
    const own = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata };
    await client.create<KubeObject>(resources.networkPolicies, own);
    await kubelet.report('closed-main-0-0');
    await conditionIs('closed', 'Ready', 'True');
    expect(await find(resources.networkPolicies, 'closed')).to.not.equal(undefined);
  });

  it('reports what the API server refuses, with its message', async () => {
    await apply('misspelt', { pool: { template: { spec: { nodeSelectorr: {} } } } });
    await conditionIs('misspelt', 'Stalled', 'True');
    const { reason, message } = said(await clusterOf('misspelt'), 'Stalled') ?? {};
    expect(reason).to.equal('Refused');
    expect(message).to.contain('nodeSelectorr');
  });

  it('grows a volume without a new pod, where its class allows it', async () => {
    const suffix = randomBytes(4).toString('hex');
    const className = `growing-${suffix}`;
    await growableVolume(client, { namespace, className, claim: 'data-growing-main-0-0' });
    const storage = { size: '1Gi', className };
    const pod = await settled('growing', { pool: { storage } });
    const claimOf = (): Promise<VolumeClaim | undefined> =>
      find<VolumeClaim>(resources.persistentVolumeClaims, `data-${pod}`);
    await eventually('the claim to be bound', async () => {
      const claim = (await claimOf()) as { readonly status?: { readonly phase?: string } };
      return claim.status?.phase === 'Bound';
    });
    const before = await kubelet.pod(pod);
    const set = await find(resources.statefulSets, 'growing-main-0');

    await apply('growing', { pool: { storage: { size: '2Gi', className } } });
    await eventually('the StatefulSet to be recreated', async () => {
      const now = await find(resources.statefulSets, 'growing-main-0');
      return now !== undefined && now.metadata.uid !== set?.metadata.uid;
    });
    expect((await claimOf())?.spec?.resources?.requests?.['storage']).to.equal('2Gi');
    await conditionIs('growing', 'Ready', 'True');
    expect((await kubelet.pod(pod))?.metadata.uid).to.equal(before?.metadata.uid);
  });

  for (let writes = 0; writes <= 4; writes += 1) {
    it(`grows a volume wherever it dies on the way, here after ${writes} writes`, async () => {
      const suffix = randomBytes(4).toString('hex');
      const className = `growing-${suffix}`;
      await growableVolume(client, { namespace, className, claim: 'data-cut-main-0-0' });
      const pod = await settled('cut', { pool: { storage: { size: '1Gi', className } } });
      await eventually('the claim to be bound', async () => {
        const claim = await find<VolumeClaim>(resources.persistentVolumeClaims, `data-${pod}`);
        return claim?.status?.phase === 'Bound';
      });
      const before = await kubelet.pod(pod);
      await operator?.stop();
      await apply('cut', { pool: { storage: { size: '2Gi', className } } });
      const dying = await startOperator(namespace, writes);
      await eventually('its death, or a look', async () => {
        return dying.client.writesLeft < 0 || dying.observations.length > 2;
      });
      await dying.stop();
      operator = await startOperator(namespace);
      await eventually('a StatefulSet for volumes of the new size', async () => {
        const set = await find<StatefulSet>(resources.statefulSets, 'cut-main-0');
        const [template] = set?.spec?.volumeClaimTemplates ?? [];
        return template?.spec?.resources?.requests?.['storage'] === '2Gi';
      });
      await conditionIs('cut', 'Ready', 'True');
      expect((await kubelet.pod(pod))?.metadata.uid).to.equal(before?.metadata.uid);
    });
  }

  it('says why a volume cannot grow, and keeps looking after the cluster', async () => {
    const pod = await settled('fixed');
    await apply('fixed', { pool: { storage: { size: '2Gi' } } });
    await conditionIs('fixed', 'Stalled', 'True');
    const { reason, message } = said(await clusterOf('fixed'), 'Stalled') ?? {};
    expect(reason).to.equal('Refused');
    expect(message).to.contain(`volume claim data-${pod} cannot grow to 2Gi`);
    expect(said(await clusterOf('fixed'), 'Available')?.status).to.equal('True');
  });

  it('leaves the password, and lets Kubernetes collect the rest, when a cluster is deleted', async () => {
    await settled('leaving');
    await client.remove(resources.photonClusters, { namespace, name: 'leaving' });
    await eventually('the StatefulSet to be collected', async () => {
      const set = await find(resources.statefulSets, 'leaving-main-0');
      return set === undefined;
    });
    expect(await find(resources.secrets, 'leaving-admin')).to.not.equal(undefined);
    expect(await find(resources.persistentVolumeClaims, 'data-leaving-main-0-0')).to.not.equal(
      undefined,
    );
  });

  it('comes to the same end wherever it dies on the way', async () => {
    await operator?.stop();
    // More than the writes of a whole cluster: the last of these dies of old age.
    for (let writes = 0; writes <= 16; writes += 1) {
      const name = `killed-${writes}`;
      await apply(name);
      const dying = await startOperator(namespace, writes);
      await eventually('the process to die, or to have done its work', async () => {
        const done = dying.observations.some((each) => each.key === `${namespace}/${name}`);
        return dying.client.writesLeft < 0 || done;
      });
      await dying.stop();
    }
    const passwords = new Map<string, string | undefined>();
    for (let writes = 0; writes <= 16; writes += 1) {
      const secret = await find<Secret>(resources.secrets, `killed-${writes}-admin`);
      passwords.set(`killed-${writes}`, secret?.data?.['password']);
    }
    operator = await startOperator(namespace);
    for (const [name, password] of passwords) {
      await podIs(`${name}-main-0-0`);
      for (const [resource, nameOf] of made) {
        expect(await find(resource, nameOf(name)), nameOf(name)).to.not.equal(undefined);
      }
      const secret = await find<Secret>(resources.secrets, `${name}-admin`);
      if (password !== undefined) expect(secret?.data?.['password']).to.equal(password);
    }
  });
});

/** A class whose volumes grow, and a volume that is kept for one claim. */
async function growableVolume(
  client: KubeClient,
  { namespace, className, claim }: { namespace: string; className: string; claim: string },
): Promise<void> {
  const wide = (group: string, plural: string, kind: string): Resource => ({
    group,
    version: 'v1',
    plural,
    kind,
    namespaced: false,
  });
  const storageClass = {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: className },
    provisioner: 'test.photondb.io/none',
    allowVolumeExpansion: true,
  };
  await client.apply(wide('storage.k8s.io', 'storageclasses', 'StorageClass'), storageClass);
  const volume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: className },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: className,
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: claim },
      hostPath: { path: '/nowhere' },
    },
  };
  await client.apply(wide('', 'persistentvolumes', 'PersistentVolume'), volume);
}
