/** Every option of a node: one table for flags, environment, file and documentation. */
export interface Option {
  readonly type: 'string' | 'integer' | 'list';
  readonly default: string | number | readonly string[];
  readonly doc: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly values?: readonly string[];
}

const port = (value: number, doc: string) => ({
  type: 'integer' as const,
  default: value,
  doc: `${doc} 0 takes a free one.`,
  minimum: 0,
  maximum: 65_535,
});

export const options = {
  'data-dir': { type: 'string', default: 'data', doc: 'Directory of all data of the node.' },
  bind: {
    type: 'string',
    default: '127.0.0.1',
    doc: 'Address to listen at. Beyond loopback a password is required.',
  },
  'driver-port': port(28_015, 'Port for drivers.'),
  'cluster-port': port(
    29_015,
    'Port for other nodes; nothing listens there while there is no replication.',
  ),
  'http-port': port(8_080, 'Port for health and metrics.'),
  'web-port': port(8_081, 'Port for people and programs.'),
  'admin-port': port(
    8_443,
    'Port for the operator; nothing listens there while there is no replication.',
  ),
  'node-name': {
    type: 'string',
    default: 'photondb',
    doc: 'Name of the node; its data directory belongs to it for ever.',
  },
  'cluster-name': {
    type: 'string',
    default: 'local',
    doc: 'Name of the cluster that the node belongs to.',
  },
  roles: {
    type: 'list',
    default: ['data', 'coordinator', 'consensus'],
    doc: 'Roles of the node, separated by commas.',
  },
  join: {
    type: 'list',
    default: [],
    doc: 'Addresses of nodes to join; must be empty while there is no replication.',
  },
  'admin-password-file': {
    type: 'string',
    default: '',
    doc: 'File with the password of the user `admin`; without one it is empty.',
  },
  'log-level': {
    type: 'string',
    default: 'info',
    doc: 'Least severe messages to log.',
    values: ['error', 'warn', 'info', 'debug'],
  },
  'overlay-mib': {
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
  'compact-at-start-percent': {
    type: 'integer',
    default: 0,
    doc: 'Share of the data file that must be free for it to be compacted before the node serves; 0 for never.',
    minimum: 0,
    maximum: 100,
  },
  'scrub-hours': {
    type: 'integer',
    default: 168,
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
  revision: {
    type: 'string',
    default: '',
    doc: 'Revision of the pod template, reported to the operator.',
  },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof options;
