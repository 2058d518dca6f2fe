import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { registerHistogram } from './histogram-metric.ts';

/** How a node sees its cluster, read when Prometheus asks; docs/operations/monitoring.md lists them. */
export interface ClusterMetrics {
  /** Members by state, this node among them. */
  readonly members: ReadonlyMap<string, number>;
  readonly connected: number;
  /** 0 is well; each step stretches the node's time-outs. */
  readonly localHealth: number;
  /** By outcome. */
  readonly probes: ReadonlyMap<string, number>;
  readonly messages: ReadonlyMap<string, number>;
  readonly suspicions: number;
  readonly deaths: number;
  readonly datagrams: {
    readonly sent: number;
    readonly sentBytes: number;
    readonly received: number;
    readonly receivedBytes: number;
    readonly lost: number;
  };
  readonly framesRefused: ReadonlyMap<string, number>;
  readonly connectionsRefused: ReadonlyMap<string, number>;
  readonly requestsRefused: ReadonlyMap<string, number>;
  /** Milliseconds since 1970. */
  readonly certificateExpiresAt: number;
  readonly requests: readonly RequestSeries[];
}

interface RequestSeries {
  readonly name: string;
  readonly peer: string;
  readonly outcome: string;
  /** Of each bucket alone; one more than there are bounds. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sumSeconds: number;
}

interface Definition {
  readonly type: 'gauge' | 'counter';
  readonly name: string;
  readonly help: string;
  /** Of metrics with a label: its name. */
  readonly label?: string;
  readonly read: (from: ClusterMetrics) => number | ReadonlyMap<string, number>;
}

const define = (
  type: Definition['type'],
  name: string,
  help: string,
  read: Definition['read'],
): Definition => ({ type, name: `photondb_${name}`, help, read });

const definitions: readonly Definition[] = [
  {
    ...define(
      'gauge',
      'cluster_members',
      'Cluster members, as this node sees them.',
      (m) => m.members,
    ),
    label: 'state',
  },
  define(
    'gauge',
    'cluster_members_connected',
    'Other nodes with an open session.',
    (m) => m.connected,
  ),
  define(
    'gauge',
    'gossip_local_health',
    'Health awareness score of the failure detector; 0 is healthy.',
    (m) => m.localHealth,
  ),
  {
    ...define(
      'counter',
      'gossip_probes_total',
      'Probes of other members: answered directly, through others, or not at all.',
      (m) => m.probes,
    ),
    label: 'outcome',
  },
  {
    ...define('counter', 'gossip_messages_total', 'Gossip messages sent.', (m) => m.messages),
    label: 'type',
  },
  define('counter', 'gossip_suspicions_total', 'Members that became suspect.', (m) => m.suspicions),
  define('counter', 'gossip_deaths_total', 'Members that were declared dead.', (m) => m.deaths),
  define('counter', 'gossip_datagrams_sent_total', 'Datagrams sent.', (m) => m.datagrams.sent),
  define(
    'counter',
    'gossip_sent_bytes_total',
    'Bytes of these datagrams.',
    (m) => m.datagrams.sentBytes,
  ),
  define(
    'counter',
    'gossip_datagrams_received_total',
    'Datagrams received.',
    (m) => m.datagrams.received,
  ),
  define(
    'counter',
    'gossip_received_bytes_total',
    'Bytes of these datagrams.',
    (m) => m.datagrams.receivedBytes,
  ),
  define(
    'counter',
    'gossip_datagrams_lost_total',
    'Datagrams that were not sent.',
    (m) => m.datagrams.lost,
  ),
  {
    ...define(
      'counter',
      'gossip_frames_refused_total',
      'Datagrams that were refused.',
      (m) => m.framesRefused,
    ),
    label: 'reason',
  },
  {
    ...define(
      'counter',
      'peer_connections_refused_total',
      'Connections of nodes that were refused before there was a session.',
      (m) => m.connectionsRefused,
    ),
    label: 'reason',
  },
  {
    ...define(
      'counter',
      'peer_requests_refused_total',
      'Requests of nodes that were refused.',
      (m) => m.requestsRefused,
    ),
    label: 'request',
  },
  define(
    'gauge',
    'certificate_expires_timestamp_seconds',
    'When the certificate of the node expires.',
    (m) => m.certificateExpiresAt / 1_000,
  ),
];

export function registerClusterMetrics(
  registry: Registry,
  read: () => ClusterMetrics | undefined,
  boundsSeconds: readonly number[],
): void {
  for (const definition of definitions) register(registry, read, definition);
  registerHistogram(registry, {
    name: 'photondb_peer_request_duration_seconds',
    help: 'Duration of requests to other nodes.',
    read: () =>
      (read()?.requests ?? []).map(({ name: request, peer, outcome, sumSeconds, ...counted }) => ({
        labels: { request, peer, outcome },
        histogram: { ...counted, bounds: boundsSeconds, sum: sumSeconds },
      })),
  });
}

function register(
  registry: Registry,
  read: () => ClusterMetrics | undefined,
  { type, name, help, label, read: valueOf }: Definition,
): void {
  const labelNames = label === undefined ? [] : [label];
  const collect = (): void => {
    const current = read();
    const value = current === undefined ? 0 : valueOf(current);
    metric.reset();
    if (typeof value === 'number') {
      metric.inc(value);
      return;
    }
    for (const [key, each] of value) metric.inc({ [label ?? '']: key }, each);
  };
  const options = { name, help, labelNames, registers: [registry], collect };
  const metric: Gauge | Counter = type === 'gauge' ? new Gauge(options) : new Counter(options);
}
