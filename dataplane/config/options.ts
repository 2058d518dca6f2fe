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
  doc: `${doc} 0: any free port.`,
  minimum: 0,
  maximum: 65_535,
});

export const options = {
  'data-dir': {
    type: 'string',
    default: 'data',
    doc: 'Data directory of the node.',
    form: pathForm,
  },
  bind: {
    type: 'string',
    default: '127.0.0.1',
    doc: 'Address to listen on. Addresses other than loopback require a password.',
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
    doc: 'Host names that the HTTP ports accept on a loopback address, in addition to `localhost` and IP addresses.',
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
    doc: 'Found a new cluster if the data directory is empty, whatever `join` says. A node without a node to join founds one, too.',
  },
  join: {
    type: 'list',
    default: [],
    doc: 'Addresses of nodes of the cluster, each as HOST:PORT. A node with an empty data directory joins their cluster.',
    form: addressForm,
  },
  'join-token': {
    type: 'string',
    default: '',
    doc: 'Token that admits this node when it joins. A node of the cluster creates it; it is valid once.',
    form: { pattern: '^([a-z0-9]{6}\\.[a-z0-9]{16})?$', words: 'a join token' },
  },
  'join-ca-hash': {
    type: 'string',
    default: '',
    doc: 'Hash of the certificate authority of the cluster to join. The token is not sent to any other cluster.',
    form: { pattern: '^(sha256:[0-9a-f]{64})?$', words: '`sha256:` and 64 hexadecimal digits' },
  },
  advertise: {
    type: 'string',
    default: '',
    doc: 'Host by which other nodes reach this node. Empty: the address that it listens on, or the first address of this machine.',
    form: {
      pattern: '^[0-9A-Za-z._-]*$|^[0-9A-Fa-f:.]+(%[0-9A-Za-z._-]+)?$',
      words: 'an address or a name of this machine, without port and brackets',
    },
  },
  replicated: {
    type: 'boolean',
    default: false,
    doc: 'The node replicates its tables with the other nodes that have the role `data` and this option. Set it for all of them. A node that kept its data alone becomes the first member with what it has, and its tables get replicas as other nodes join. A node that had the option keeps it.',
  },
  'admin-password-file': {
    type: 'string',
    default: '',
    doc: 'File with the password of the user `admin`. Without a file the password is empty. The node applies changes of the file.',
  },
  'log-level': {
    type: 'string',
    default: 'info',
    doc: 'Lowest severity of messages to log.',
    values: ['error', 'warn', 'info', 'debug'],
  },
  'memtable-mib': {
    type: 'integer',
    default: 64,
    doc: 'Size in MiB of the memtable, which holds committed writes that are not in the store yet.',
    minimum: 1,
    maximum: 4_096,
  },
  'cache-mib': {
    type: 'integer',
    default: 64,
    doc: 'Size in MiB of the document cache.',
    minimum: 0,
    maximum: 65_536,
  },
  'query-memory-mib': {
    type: 'integer',
    default: 256,
    doc: 'Memory limit of a query in MiB (groups, sorts, arrays, strings, answers). A query that exceeds it fails.',
    minimum: 1,
    maximum: 65_536,
  },
  'queries-memory-mib': {
    type: 'integer',
    default: 512,
    doc: 'Memory limit of all queries of the node in MiB. Queries that exceed it fail.',
    minimum: 1,
    maximum: 1_048_576,
  },
  'max-query-seconds': {
    type: 'integer',
    default: 0,
    doc: 'Time limit of a query in seconds, without the time in which it waits for its client; 0 for none. The query option `max_query_seconds` can lower it.',
    minimum: 0,
    maximum: 86_400,
  },
  'compact-at-start-percent': {
    type: 'integer',
    default: 0,
    doc: 'Free share of the data file in percent from which the node compacts it at startup; 0 for never.',
    minimum: 0,
    maximum: 100,
  },
  'scrub-hours': {
    type: 'integer',
    default: 24,
    doc: 'Hours between the end of a scrub and the start of the next one; 0 for never.',
    minimum: 0,
    maximum: 8_760,
  },
  'connections-max': {
    type: 'integer',
    default: 1_024,
    doc: 'Maximum number of driver connections.',
    minimum: 1,
    maximum: 65_535,
  },
  'query-workers': {
    type: 'string',
    default: 'auto',
    doc: 'Number of query workers: processes that serve drivers and run queries outside of the core. `auto`: the number of cores minus one, at least 1. With 0, queries run in the core and can block it.',
    form: { pattern: '^(auto|[0-9]|[1-9][0-9])$', words: '`auto` or a number of at most 99' },
  },
  'query-worker-mib': {
    type: 'integer',
    default: 0,
    doc: 'Memory limit of each query worker in MiB. A worker that exceeds it is replaced, and its clients lose their connections. 0: half of the memory of the container or machine divided by the number of workers, at least 192 and at most 1,024.',
    minimum: 0,
    maximum: 1_048_576,
  },
  revision: {
    type: 'string',
    default: '',
    doc: 'Revision of the pod template, reported to the operator.',
  },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof options;

/** Former options: their error names the current option. */
export const renamedOptions: Readonly<Record<string, OptionName>> = {
  'overlay-mib': 'memtable-mib',
};
