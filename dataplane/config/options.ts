/** Every option of a node: one table for flags, environment, file and documentation. */
export interface Option {
  readonly type: 'string' | 'integer' | 'list' | 'boolean';
  readonly default: string | number | boolean | readonly string[];
  readonly doc: string;
  readonly minimum?: number;
  readonly maximum?: number;
  /** The allowed ones: of a list, those of its items. */
  readonly values?: readonly string[];
  /** What a text has to look like, for programs and for people. */
  readonly form?: { readonly pattern: string; readonly words: string };
}

const nameForm = {
  pattern: '^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$',
  words:
    'a name of at most 253 letters, digits, ".", "_" and "-" that begins and ends with a letter or a digit',
} as const;
const addressForm = {
  pattern: '^([0-9A-Za-z._-]+|\\[[0-9A-Fa-f:.]+(%[0-9A-Za-z._-]+)?\\]):[0-9]{1,5}$',
  words: 'HOST:PORT, with brackets around an IPv6 address',
} as const;
const pathForm = { pattern: '^[^\\u0000]+$', words: 'a path' } as const;

const port = (value: number, doc: string) => ({
  type: 'integer' as const,
  default: value,
  doc: `${doc} 0 takes a free one.`,
  minimum: 0,
  maximum: 65_535,
});

export const options = {
  'data-dir': {
    type: 'string',
    default: 'data',
    doc: 'Directory of all data of the node.',
    form: pathForm,
  },
  bind: {
    type: 'string',
    default: '127.0.0.1',
    doc: 'Address to listen at. Beyond loopback a password is required.',
    form: {
      pattern: '^[0-9A-Za-z._-]+$|^[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%[0-9A-Za-z._-]+)?$',
      words: 'an address of this machine, or a name of it, without port and brackets',
    },
  },
  'driver-port': port(28_015, 'Port for drivers.'),
  'cluster-port': port(29_015, 'Port for other nodes: sessions by TCP, gossip by UDP.'),
  'http-port': port(8_080, 'Port for health and metrics.'),
  'web-port': port(8_081, 'Port for people and programs.'),
  'web-hosts': {
    type: 'list',
    default: [],
    doc: 'Names by which the HTTP ports of a node at a loopback address may be asked, beside `localhost` and addresses.',
  },
  'admin-port': port(8_443, 'Port of the admin API, by mutual TLS.'),
  'node-name': {
    type: 'string',
    default: 'photondb',
    doc: 'Name of the node; its data directory belongs to it permanently.',
    form: nameForm,
  },
  'cluster-name': {
    type: 'string',
    default: 'local',
    doc: 'Name of the cluster that the node belongs to.',
    form: nameForm,
  },
  roles: {
    type: 'list',
    default: ['data', 'coordinator', 'consensus'],
    doc: 'Roles of the node, separated by commas.',
    values: ['data', 'coordinator', 'consensus', 'observer'],
  },
  found: {
    type: 'boolean',
    default: false,
    doc: 'Found a new cluster when the data directory is empty, whatever `join` says. A node that has no node to join founds one, too.',
  },
  join: {
    type: 'list',
    default: [],
    doc: 'Addresses of nodes of the cluster, each as HOST:PORT. With an empty data directory the node joins there.',
    form: addressForm,
  },
  'join-token': {
    type: 'string',
    default: '',
    doc: 'Token that admits this node when it joins; a node of the cluster makes it, and it is used once.',
    form: { pattern: '^([a-z0-9]{6}\\.[a-z0-9]{16})?$', words: 'a join token' },
  },
  'join-ca-hash': {
    type: 'string',
    default: '',
    doc: 'Hash of the authority of the cluster to join; the token is sent to no other one.',
    form: { pattern: '^(sha256:[0-9a-f]{64})?$', words: '`sha256:` and 64 hexadecimal digits' },
  },
  advertise: {
    type: 'string',
    default: '',
    doc: 'Host that other nodes reach this node by. Empty: the address that it listens at, or the first one of this machine.',
    form: {
      pattern: '^[0-9A-Za-z._-]*$|^[0-9A-Fa-f:.]+(%[0-9A-Za-z._-]+)?$',
      words: 'an address or a name of this machine, without port and brackets',
    },
  },
  'admin-password-file': {
    type: 'string',
    default: '',
    doc: 'File with the password of the user `admin`; without one it is empty. The node follows its changes.',
  },
  'log-level': {
    type: 'string',
    default: 'info',
    doc: 'Least severe messages to log.',
    values: ['error', 'warn', 'info', 'debug'],
  },
  'memtable-mib': {
    type: 'integer',
    default: 64,
    doc: 'MiB of committed writes that may wait for the store.',
    minimum: 1,
    maximum: 4_096,
  },
  'cache-mib': {
    type: 'integer',
    default: 64,
    doc: 'MiB of documents that are kept in memory because they were read by their key.',
    minimum: 0,
    maximum: 65_536,
  },
  'query-memory-mib': {
    type: 'integer',
    default: 256,
    doc: 'MiB that one query may hold (groups, sorts, arrays, strings, answers). Beyond, it ends with an error.',
    minimum: 1,
    maximum: 65_536,
  },
  'queries-memory-mib': {
    type: 'integer',
    default: 512,
    doc: 'MiB that all queries of the node may hold together. Beyond, those that need more end with an error.',
    minimum: 1,
    maximum: 1_048_576,
  },
  'max-query-seconds': {
    type: 'integer',
    default: 0,
    doc: 'Seconds that a query may run, without the time in which it waits for its client; 0 for no limit. A query may ask for less by `max_query_seconds`.',
    minimum: 0,
    maximum: 86_400,
  },
  'compact-at-start-percent': {
    type: 'integer',
    default: 0,
    doc: 'Share of the data file that must be free for it to be compacted before the node serves; 0 for never.',
    minimum: 0,
    maximum: 100,
  },
  'scrub-hours': {
    type: 'integer',
    default: 24,
    doc: 'Hours from the end of a scrub of all data to the next one; 0 for never.',
    minimum: 0,
    maximum: 8_760,
  },
  'connections-max': {
    type: 'integer',
    default: 1_024,
    doc: 'Driver connections at once.',
    minimum: 1,
    maximum: 65_535,
  },
  'query-workers': {
    type: 'string',
    default: '0',
    doc: 'Processes that serve drivers and run queries beside the one that has the data: a number, or `auto` for one less than the cores, at least 1. With 0 queries run in the process that has the data, and can stop it.',
    form: { pattern: '^(auto|[0-9]|[1-9][0-9])$', words: '`auto` or a number of at most 99' },
  },
  'query-worker-mib': {
    type: 'integer',
    default: 1_024,
    doc: 'MiB of memory of each query worker; one that uses more is replaced, and its clients lose their connections.',
    minimum: 192,
    maximum: 1_048_576,
  },
  revision: {
    type: 'string',
    default: '',
    doc: 'Revision of the pod template, reported to the operator.',
  },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof options;

/** Options of before: whoever still uses one reads what it is called now. */
export const renamedOptions: Readonly<Record<string, OptionName>> = {
  'overlay-mib': 'memtable-mib',
};
