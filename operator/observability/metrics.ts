/** The operator's metrics, as one tree that is handed down; nothing is global. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

export interface Metrics {
  readonly registry: Registry;
  readonly reconciles: Counter<'outcome'>;
  readonly reconcileSeconds: Histogram;
  readonly requests: Counter<'verb' | 'resource' | 'outcome'>;
  readonly requestSeconds: Histogram<'verb'>;
  readonly cacheEvents: Counter<'resource' | 'type'>;
  /** Objects that a listing brought and the watch should have brought before. */
  readonly cacheMisses: Counter<'resource'>;
  readonly events: Counter<'outcome'>;
  /** Certificates of nodes: issued, or why not. */
  readonly certificates: Counter<'outcome'>;
  readonly isLeader: Gauge;
}

/** Values that are read when the metrics are scraped. */
export interface Gauges {
  readonly queueDepth: () => number;
  readonly queueOldestSeconds: () => number;
  readonly cachedObjects: () => readonly { readonly resource: string; readonly count: number }[];
  /** Clusters for which a condition has a status. */
  readonly conditions: () => readonly {
    readonly type: string;
    readonly status: string;
    readonly count: number;
  }[];
}

const prefix = 'photondb_operator_';

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    reconciles: new Counter({
      name: `${prefix}reconciles_total`,
      help: 'Reconciliations by result',
      labelNames: ['outcome'],
      registers,
    }),
    reconcileSeconds: new Histogram({
      name: `${prefix}reconcile_seconds`,
      help: 'Duration of reconciliations',
      buckets: [0.001, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
      registers,
    }),
    requests: new Counter({
      name: `${prefix}requests_total`,
      help: 'Requests to the API server, each attempt',
      labelNames: ['verb', 'resource', 'outcome'],
      registers,
    }),
    requestSeconds: new Histogram({
      name: `${prefix}request_seconds`,
      help: 'Duration of requests to the API server, without watches',
      labelNames: ['verb'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
      registers,
    }),
    cacheEvents: new Counter({
      name: `${prefix}cache_events_total`,
      help: 'Events of the informer caches',
      labelNames: ['resource', 'type'],
      registers,
    }),
    cacheMisses: new Counter({
      name: `${prefix}cache_misses_total`,
      help: 'Objects that a watch did not deliver',
      labelNames: ['resource'],
      registers,
    }),
    events: new Counter({
      name: `${prefix}events_total`,
      help: 'Kubernetes events, sent or dropped',
      labelNames: ['outcome'],
      registers,
    }),
    certificates: new Counter({
      name: `${prefix}certificates_total`,
      help: 'Certificate requests of nodes by result',
      labelNames: ['outcome'],
      registers,
    }),
    isLeader: new Gauge({
      name: `${prefix}leader`,
      help: '1 while this process is the leader',
      registers,
    }),
  };
}

export function registerGauges({ registry }: Metrics, gauges: Gauges): void {
  const registers = [registry];
  // A gauge registers itself; it reads its value when it is collected.
  const depth: Gauge = new Gauge({
    name: `${prefix}queue_depth`,
    help: 'Clusters in the work queue',
    registers,
    collect: (): void => depth.set(gauges.queueDepth()),
  });
  const oldest: Gauge = new Gauge({
    name: `${prefix}queue_oldest_seconds`,
    help: 'Age of the oldest item in the work queue',
    registers,
    collect: (): void => oldest.set(gauges.queueOldestSeconds()),
  });
  const objects = new Gauge({
    name: `${prefix}cached_objects`,
    help: 'Objects in the informer caches',
    labelNames: ['resource'],
    registers,
    collect() {
      for (const { resource, count } of gauges.cachedObjects()) objects.set({ resource }, count);
    },
  });
  const conditions = new Gauge({
    name: `${prefix}clusters`,
    help: 'Clusters by condition and status',
    labelNames: ['condition', 'status'],
    registers,
    collect() {
      conditions.reset();
      for (const { type, status, count } of gauges.conditions()) {
        conditions.set({ condition: type, status }, count);
      }
    },
  });
}
