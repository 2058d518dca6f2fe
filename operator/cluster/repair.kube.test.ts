import { expect } from 'chai';
import type { KubeObject, Resource } from '../kube/object.ts';
import { resources } from '../kube/object.ts';
import type { JsonPatchOperation } from '../kube/options.ts';
import { eventually } from './testing/api-types.ts';
import { Stage } from './testing/stage.ts';

type Json = Record<string, unknown>;
type Found = KubeObject & { readonly spec?: unknown };

/** An edit by hand of one object of the cluster `drifting`. */
interface Edit {
  readonly about: string;
  readonly resource: Resource;
  readonly name: string;
  readonly operations: readonly JsonPatchOperation[];
}

const edit = (
  about: string,
  [resource, name]: readonly [Resource, string],
  ...operations: readonly (readonly [op: JsonPatchOperation['op'], path: string, value?: unknown])[]
): Edit => ({
  about,
  resource,
  name,
  operations: operations.map(([op, path, value]) =>
    op === 'remove' ? { op, path } : { op, path, value },
  ),
});

const set = [resources.statefulSets, 'drifting-main-0'] as const;
const client = [resources.services, 'drifting'] as const;
const nodes = [resources.services, 'drifting-nodes'] as const;
const budget = [resources.podDisruptionBudgets, 'drifting'] as const;
const role = [resources.roles, 'drifting-node'] as const;
const binding = [resources.roleBindings, 'drifting-node'] as const;
const account = [resources.serviceAccounts, 'drifting-node'] as const;
const node = [resources.photonNodes, 'drifting-main-0-0'] as const;
const pool = [resources.photonPools, 'drifting-main'] as const;

const template = '/spec/template';
const container = '/spec/template/spec/containers/0';

const removed: readonly Edit[] = [
  edit('a container', set, ['add', `${template}/spec/containers/-`, { name: 'x', image: 'x' }]),
  edit('an init container', set, [
    'add',
    `${template}/spec/initContainers`,
    [{ name: 'x', image: 'x' }],
  ]),
  edit('a variable', set, ['add', `${container}/env/-`, { name: 'STRAY', value: '1' }]),
  edit('a port of the container', set, ['add', `${container}/ports/-`, { containerPort: 99 }]),
  edit('a command', set, ['add', `${container}/command`, ['sh']]),
  edit('a volume', set, ['add', `${template}/spec/volumes/-`, { name: 'x', emptyDir: {} }]),
  edit('a label of the pods', set, ['add', `${template}/metadata/labels/stray`, '1']),
  edit('an annotation of the pods', set, ['add', `${template}/metadata/annotations/stray`, '1']),
  edit('the network of the host', set, ['add', `${template}/spec/hostNetwork`, true]),
  edit('a node selector', set, ['add', `${template}/spec/nodeSelector`, { disk: 'ssd' }]),
  edit('another strategy', set, ['replace', '/spec/updateStrategy', { type: 'RollingUpdate' }]),
  edit('another number of pods', set, ['replace', '/spec/replicas', 0]),
  edit('a minimum of ready seconds', set, ['add', '/spec/minReadySeconds', 100]),
  edit('a port of the Service', client, ['add', '/spec/ports/-', { name: 'x', port: 99 }]),
  edit('an external address', client, ['add', '/spec/externalIPs', ['192.0.2.1']]),
  edit('a narrower selector', client, ['add', '/spec/selector/stray', 'x']),
  edit('another type', client, ['replace', '/spec/type', 'NodePort']),
  edit('sticky sessions', client, ['replace', '/spec/sessionAffinity', 'ClientIP']),
  edit('a label without a prefix', client, ['add', '/metadata/labels/stray', 'x']),
  edit('a label of ours', client, ['add', '/metadata/labels/photondb.io~1stray', 'x']),
  edit('another value of our label', client, [
    'replace',
    '/metadata/labels/app.kubernetes.io~1instance',
    'x',
  ]),
  edit('unready addresses left out', nodes, ['replace', '/spec/publishNotReadyAddresses', false]),
  edit('a rule', role, [
    'add',
    '/rules/-',
    { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
  ]),
  edit('a subject', binding, ['add', '/subjects/-', { kind: 'User', name: 'x', apiGroup: '' }]),
  edit('a token for everybody', account, ['replace', '/automountServiceAccountToken', true]),
  edit('another role of a node', node, ['replace', '/spec/roles', ['data']]),
  edit('a zone of a node', node, ['add', '/spec/zone', 'x']),
  edit('another role of a pool', pool, ['replace', '/spec/roles', ['data']]),
];

/** Merged with these, what the operator applies is invalid. */
const invalid: readonly Edit[] = [
  edit('a port of the Service that keeps its name', client, ['replace', '/spec/ports/1/port', 99]),
  edit('a port of the container that keeps its name', set, [
    'replace',
    `${container}/ports/0/containerPort`,
    99,
  ]),
  edit('a variable with a value in place of its source', set, [
    'replace',
    `${container}/env/0`,
    { name: 'PHOTONDB_NODE_NAME', value: 'x' },
  ]),
  edit('a volume of another kind', set, [
    'replace',
    `${template}/spec/volumes/0`,
    { name: 'config', emptyDir: {} },
  ]),
  edit('the other bound of the disruption budget', budget, [
    'replace',
    '/spec',
    { minAvailable: 1, selector: { matchLabels: { a: 'b' } } },
  ]),
];

/** What others may add, and what Kubernetes allocates. */
const kept: readonly Edit[] = [
  edit('an annotation of a tool', client, [
    'add',
    '/metadata/annotations',
    { 'example.com/seen': 'yes' },
  ]),
  edit('a label of a tool', client, ['add', '/metadata/labels/example.com~1team', 'x']),
  edit('a finalizer', client, ['add', '/metadata/finalizers', ['example.com/held']]),
  edit('secrets to pull images with', account, ['add', '/imagePullSecrets', [{ name: 'x' }]]),
];

/** What a test compares: everything but what each write changes. */
function essence(object: KubeObject | undefined): unknown {
  const { metadata, status: _, ...rest } = structuredClone(object) as unknown as Json;
  const { labels, annotations, finalizers } = metadata as Json;
  return { ...rest, labels, annotations, finalizers };
}

describe('what others change in objects of a cluster, against a real control plane', function () {
  this.timeout(60_000);
  let stage: Stage;

  before(async () => {
    stage = await Stage.open('repair');
    await stage.settled('drifting');
    await stage.anotherLook('drifting');
  });
  after(() => stage.close());

  const found = (resource: Resource, name: string): Promise<Found | undefined> =>
    stage.find<Found>(resource, name);
  const change = ({ resource, name, operations }: Edit): Promise<KubeObject> =>
    stage.client.patchJson(resource, { namespace: stage.namespace, name }, operations);
  /**
   * Changes with each write of the operator. The controllers of Kubernetes write the status of an object
   * when they like, so its resource version counts only where it has no generation.
   */
  const versionOf = async ({ resource, name }: Edit): Promise<unknown> => {
    const metadata = (await found(resource, name))?.metadata;
    const { generation = metadata?.resourceVersion, managedFields = [] } = (metadata ?? {}) as {
      readonly generation?: number;
      readonly managedFields?: readonly { readonly subresource?: string }[];
    };
    return [generation, managedFields.filter(({ subresource }) => subresource === undefined)];
  };

  for (const each of [...removed, ...invalid]) {
    it(`is repaired: ${each.about} (${each.resource.kind})`, async () => {
      const before = await found(each.resource, each.name);
      const pod = (await stage.kubelet.pod('drifting-main-0-0'))?.metadata.uid;
      expect(essence(await change(each)), 'the edit').to.not.deep.equal(essence(before));
      const wanted = JSON.stringify(essence(before));
      await eventually('the object to be as it was', async () => {
        return JSON.stringify(essence(await found(each.resource, each.name))) === wanted;
      });
      // Kubernetes may have acted on an edit of the StatefulSet before it was put right.
      await stage.keptReady('drifting');
      if (each.name !== 'drifting-main-0') {
        expect((await stage.kubelet.pod('drifting-main-0-0'))?.metadata.uid).to.equal(pod);
      }
      await stage.anotherLook('drifting');
      const version = await versionOf(each);
      await stage.anotherLook('drifting');
      expect(await versionOf(each)).to.deep.equal(version);
    });
  }

  for (const each of kept) {
    it(`stays: ${each.about} (${each.resource.kind})`, async () => {
      const edited = essence(await change(each));
      // Something of ours beside it, so that the object is written.
      const label = edit('', [each.resource, each.name], ['add', '/metadata/labels/stray', 'x']);
      await change(label);
      await eventually('the label to be gone', async () => {
        const labels = (await found(each.resource, each.name))?.metadata.labels ?? {};
        return !Object.hasOwn(labels, 'stray');
      });
      expect(essence(await found(each.resource, each.name))).to.deep.equal(edited);
      if (each.about === 'a finalizer') {
        await change(edit('', [each.resource, each.name], ['remove', '/metadata/finalizers']));
      }
    });
  }

  it('is repaired also without a recorded field manager', async () => {
    const before = essence(await found(...set));
    await change(
      edit(
        '',
        set,
        ['add', `${template}/spec/containers/-`, { name: 'x', image: 'x' }],
        ['replace', '/metadata/managedFields', [{}]],
      ),
    );
    await eventually('the container to be gone', async () => {
      return JSON.stringify(essence(await found(...set))) === JSON.stringify(before);
    });
  });

  it('is said in an event', async () => {
    await eventually('an event', async () => {
      const { items } = await stage.client.list<KubeObject & { reason?: string; note?: string }>(
        resources.events,
        { namespace: stage.namespace },
      );
      return items.some(
        ({ reason, note = '' }) => reason === 'Repaired' && note.includes('StatefulSet'),
      );
    });
  });

  const cannotChange: readonly (readonly [
    about: string,
    at: readonly [Resource, string],
    change: (object: Json) => Json,
  ])[] = [
    [
      'a headless Service that has an address',
      nodes,
      ({ spec, ...rest }) => {
        const { clusterIP: _, clusterIPs: __, ...others } = spec as Json;
        return { ...rest, spec: others };
      },
    ],
    [
      'a binding to another role',
      binding,
      (object) => ({ ...object, roleRef: { ...(object['roleRef'] as Json), name: 'other' } }),
    ],
    [
      'a StatefulSet that orders its pods',
      set,
      ({ spec, ...rest }) => ({
        ...rest,
        spec: { ...(spec as Json), podManagementPolicy: 'OrderedReady' },
      }),
    ],
  ];
  for (const [about, [resource, name], change] of cannotChange) {
    it(`is recreated when it cannot be repaired: ${about}`, async () => {
      const before = await found(resource, name);
      const pod = (await stage.kubelet.pod('drifting-main-0-0'))?.metadata.uid;
      await stage.operator?.stop();
      const at = { namespace: stage.namespace, name };
      await stage.client.remove(resource, at, { propagationPolicy: 'Orphan' });
      await eventually('it to be gone', async () => (await found(resource, name)) === undefined);
      const { metadata, status: _, ...rest } = before as unknown as Json;
      const { labels, ownerReferences } = metadata as Json;
      const copy = change({ ...rest, metadata: { ...at, labels, ownerReferences } });
      await stage.client.create(resource, copy as unknown as KubeObject);
      await stage.startOperator();
      const wanted = JSON.stringify(specOf(before));
      await eventually('it to be as it was', async () => {
        return JSON.stringify(specOf(await found(resource, name))) === wanted;
      });
      await stage.conditionIs('drifting', 'Ready', 'True');
      expect((await stage.kubelet.pod('drifting-main-0-0'))?.metadata.uid).to.equal(pod);
    });
  }

  it('does not cost an object when the manifest is at fault', async () => {
    const before = await found(...set);
    await stage.apply('drifting', { pool: { template: { spec: { nodeSelectorr: {} } } } });
    await stage.conditionSays('drifting', 'Stalled', 'nodeSelectorr');
    expect((await found(...set))?.metadata.uid).to.equal(before?.metadata.uid);
    await stage.apply('drifting');
    await stage.conditionIs('drifting', 'Ready', 'True');
  });

  it('asks for a restart when kubectl rollout restart has been called, once', async () => {
    const pod = await stage.kubelet.pod('drifting-main-0-0');
    const at = '2026-01-01T00:00:00Z';
    const path = `${template}/metadata/annotations/kubectl.kubernetes.io~1restartedAt`;
    await change(edit('', set, ['add', path, at]));
    await stage.successorOf(resources.pods, 'drifting-main-0-0', pod?.metadata.uid);
    const next = await stage.kubelet.pod('drifting-main-0-0');
    await stage.kubelet.bringUp('drifting-main-0-0');
    await stage.conditionIs('drifting', 'Ready', 'True');
    await stage.anotherLook('drifting');
    expect((await stage.kubelet.pod('drifting-main-0-0'))?.metadata.uid).to.equal(
      next?.metadata.uid,
    );
  });

  it('keeps other work from nothing: pods run although the client Service is not ours', async () => {
    const metadata = { namespace: stage.namespace, name: 'beside' };
    const spec = { ports: [{ port: 80 }] };
    await stage.client.create<KubeObject>(resources.services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec,
    } as KubeObject);
    await stage.apply('beside');
    await stage.conditionSays('beside', 'Stalled', 'Service beside exists and does not belong');
    await stage.podIs('beside-main-0-0');
  });
});

/** What the operator says of an object; addresses are Kubernetes' own. */
function specOf(object: Found | undefined): unknown {
  const { spec, roleRef } = structuredClone(object ?? {}) as Json;
  const { clusterIP, clusterIPs, ...rest } = (spec ?? {}) as Json;
  return {
    ...rest,
    roleRef,
    isHeadless: clusterIP === 'None',
    addresses: clusterIPs !== undefined,
  };
}
