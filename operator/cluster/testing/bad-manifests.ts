/**
 * Manifests that cannot work, of all kinds that a user writes by mistake: what the API server refuses, and
 * what only the operator or another controller finds out. Their answers are a table of the documentation.
 */
import type { KubeObject } from '../../kube/object.ts';

interface Change {
  readonly pool?: object;
  readonly spec?: object;
}

export interface RefusedManifest {
  /** The name of the cluster, where that is what is wrong. */
  readonly name?: string;
  readonly change: Change;
  /** What stands in the API server before, when a change is what is refused. */
  readonly before?: Change;
  readonly words: string;
}

const whole = { name: 'main', roles: ['data'], storage: { size: '1Gi' } };
const amounts = (resources: object): Change => ({ pool: { resources } });
const overlay = (spec: object): Change => ({ pool: { template: { spec } } });

/** Refused when they are applied. */
export const refusedManifests: readonly RefusedManifest[] = [
  { name: 'orders-of-the-whole-company', change: {}, words: 'at most 24 characters' },
  { name: 'orders.eu', change: {}, words: 'only lower-case letters, digits and hyphens' },
  { name: 'orders-nodes', change: {}, words: 'choose another ending' },
  { change: { spec: { version: 'latest' } }, words: 'MAJOR.MINOR.PATCH' },
  { change: { spec: { version: null } }, words: 'spec.version' },
  { change: { spec: { image: { repository: 'photondb:0.1.0' } } }, words: 'image.tag' },
  { change: { spec: { image: { tag: '-1' } } }, words: 'invalid tag' },
  { change: { spec: { image: { digest: 'sha256:12' } } }, words: '64 hexadecimal digits' },
  { change: { spec: { image: { pullPolicy: 'Sometimes' } } }, words: 'IfNotPresent' },
  { change: { spec: { image: { pullSecrets: ['My Secret'] } } }, words: 'invalid Secret name' },
  { change: { spec: { pools: [] } }, words: 'at least 1 items' },
  {
    change: { spec: { pools: [whole, { ...whole, name: 'more' }] } },
    words: 'use one pool',
  },
  { change: { pool: { roles: ['coordinator'] } }, words: 'role data' },
  { change: { pool: { roles: ['data', 'king'] } }, words: 'unknown role' },
  { change: { pool: { name: 'data-pool' } }, words: 'no hyphen' },
  { change: { pool: { replicas: 4 } }, words: '1, 3 or 5 nodes' },
  { change: { pool: { replicas: 0 } }, words: '1, 3 or 5 nodes' },
  { change: { pool: { roles: ['data'], replicas: 3 } }, words: 'add the role consensus' },
  { change: { pool: { zones: ['eu-1a', 'eu-1b'] } }, words: 'one zone for each node' },
  { change: { pool: { zones: ['eu west'] } }, words: 'invalid zone' },
  { change: { pool: { storage: null } }, words: 'spec.pools[0].storage' },
  { change: { pool: { storage: { size: '10 GB' } } }, words: 'invalid size' },
  { change: { pool: { storage: { size: '1Mi' } } }, words: '256Mi or more' },
  {
    change: { pool: { storage: { size: '1Gi', className: 'Fast SSD' } } },
    words: 'invalid StorageClass name',
  },
  { change: amounts({ requests: { cpu: 'lots' } }), words: 'invalid quantity' },
  { change: amounts({ requests: { cpu: 0.5 } }), words: 'integer,string' },
  { change: amounts({ limits: { memory: '4GB' } }), words: 'invalid quantity' },
  { change: amounts({ limits: { memory: '512m' } }), words: 'thousandths of a byte' },
  { change: amounts({ limits: { mem: '1Gi' } }), words: 'unknown resource' },
  {
    change: amounts({ requests: { memory: '2Gi' }, limits: { memory: '1Gi' } }),
    words: 'exceeds its limit',
  },
  {
    change: { pool: { template: { metadata: { labels: { team: 'a b' } } } } },
    words: 'invalid label value',
  },
  {
    change: { pool: { template: { metadata: { labels: { 'photondb.io/pool': 'x' } } } } },
    words: 'use another key',
  },
  { change: { pool: { replica: 1 } }, words: 'unknown field' },
  { change: { spec: { config: { 'data-dir': '/data' } } }, words: 'unknown field' },
  { change: { spec: { config: { 'log-level': 'loud' } } }, words: 'supported values' },
  { change: { spec: { config: { 'memtable-mib': 0 } } }, words: 'greater than or equal to 1' },
  {
    change: { spec: { security: { passwordSecret: 'My Secret' } } },
    words: 'invalid Secret name',
  },
  { change: { spec: { volumes: { whenDeleted: 'Keep' } } }, words: 'supported values' },
  {
    before: { pool: { storage: { size: '2Gi' } } },
    change: { pool: { storage: { size: '1Gi' } } },
    words: 'cannot shrink',
  },
  {
    before: {},
    change: { pool: { storage: { size: '1Gi', className: 'fast' } } },
    words: 'cannot change',
  },
  { before: {}, change: { pool: { name: 'other' } }, words: 'keep its name' },
  {
    change: { spec: { security: { certificates: { lifetime: '7d' } } } },
    words: 'hours or minutes',
  },
];

/** What there is beside the cluster. */
type Objects = (namespace: string) => readonly (readonly [kind: string, object: KubeObject])[];

export interface StalledManifest {
  readonly change: Change;
  /** What else is in the namespace, in the words of the table. */
  readonly given?: string;
  readonly objects?: Objects;
  readonly reason: string;
  readonly words: string;
}

const object = (apiVersion: string, kind: string, metadata: object, fields: object): KubeObject =>
  ({ apiVersion, kind, metadata, ...fields }) as KubeObject;

const quota =
  (hard: object): Objects =>
  (namespace) => [
    ['quota', object('v1', 'ResourceQuota', { namespace, name: 'small' }, { spec: { hard } })],
  ];

const secret =
  (stringData: object): Objects =>
  (namespace) => [
    ['secret', object('v1', 'Secret', { namespace, name: 'mine' }, { type: 'Opaque', stringData })],
  ];

const mine = { spec: { security: { passwordSecret: 'mine' } } };

/** Accepted, and impossible: the conditions and a Warning event say why. */
export const stalledManifests: readonly StalledManifest[] = [
  { change: mine, reason: 'Missing', words: 'Secret mine is not there' },
  {
    change: mine,
    given: 'a Secret mine without the key',
    objects: secret({ user: 'admin' }),
    reason: 'Missing',
    words: 'has no key password',
  },
  {
    change: mine,
    given: 'a Secret mine with an empty password',
    objects: secret({ password: '' }),
    reason: 'Missing',
    words: 'is empty',
  },
  {
    change: { pool: { storage: { size: '1Gi', className: 'nope' } } },
    reason: 'StorageUnavailable',
    words: '"nope" not found',
  },
  {
    change: {},
    given: 'a ResourceQuota of no pods',
    objects: quota({ pods: '0' }),
    reason: 'QuotaExceeded',
    words: 'exceeded quota: small',
  },
  {
    change: {},
    given: 'a ResourceQuota of no Services',
    objects: quota({ services: '0' }),
    reason: 'QuotaExceeded',
    words: 'exceeded quota: small',
  },
  {
    change: {},
    given: 'a ResourceQuota of no storage',
    objects: quota({ 'requests.storage': '0' }),
    reason: 'QuotaExceeded',
    words: 'exceeded quota: small',
  },
  {
    change: {},
    given: 'a ResourceQuota of memory, and no limits in the manifest',
    objects: quota({ 'limits.memory': '1Gi' }),
    reason: 'QuotaExceeded',
    words: 'must specify limits.memory',
  },
  {
    change: {},
    given: 'a Service of the name orders',
    objects: (namespace) => [
      [
        'service',
        object('v1', 'Service', { namespace, name: 'orders' }, { spec: { ports: [{ port: 80 }] } }),
      ],
    ],
    reason: 'ForeignObject',
    words: 'does not belong to this cluster',
  },
  {
    change: overlay({ containers: [{ name: 'photondb', image: 'photondb:2' }] }),
    reason: 'InvalidSpec',
    words: 'use spec.image',
  },
  {
    change: overlay({
      containers: [{ name: 'photondb', env: [{ name: 'PHOTONDB_BIND', value: '' }] }],
    }),
    reason: 'InvalidSpec',
    words: 'use spec.config',
  },
  {
    change: overlay({ volumes: [{ name: 'data', emptyDir: {} }] }),
    reason: 'InvalidSpec',
    words: 'belongs to the operator',
  },
  { change: overlay({ hostNetwork: true }), reason: 'InvalidSpec', words: 'hostNetwork' },
  {
    change: overlay({ volumes: [{ name: 'machine', hostPath: { path: '/' } }] }),
    reason: 'InvalidSpec',
    words: 'hostPath',
  },
  {
    change: overlay({
      containers: [{ name: 'more', image: 'more:1', securityContext: { privileged: true } }],
    }),
    reason: 'InvalidSpec',
    words: 'privileged',
  },
  {
    change: overlay({ serviceAccountName: 'admin' }),
    reason: 'InvalidSpec',
    words: 'serviceAccountName',
  },
  {
    change: overlay({ nodeSelectorr: { disk: 'ssd' } }),
    reason: 'Refused',
    words: 'nodeSelectorr',
  },
  {
    change: overlay({ containers: [{ name: 'more' }] }),
    reason: 'Refused',
    words: 'StatefulSet orders-main-0',
  },
  {
    change: overlay({
      containers: [{ name: 'more', image: 'more:1', resources: { limits: { cpu: 'lots' } } }],
    }),
    reason: 'Refused',
    words: 'quantities must match',
  },
  {
    change: overlay({ tolerations: [{ key: 'a', operator: 'Sometimes' }] }),
    reason: 'Refused',
    words: 'StatefulSet orders-main-0',
  },
  {
    change: overlay({ priorityClassName: 'nope' }),
    reason: 'PodRefused',
    words: 'no PriorityClass with name nope',
  },
  {
    change: overlay({ runtimeClassName: 'nope' }),
    reason: 'PodRefused',
    words: 'RuntimeClass "nope" not found',
  },
];
