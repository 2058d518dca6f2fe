import express from 'express';
import type { Express } from 'express';
import type { Clock } from '../common/clock.ts';

/** What Kubernetes and Prometheus ask, on a port of their own without authentication. */
export interface NodeHealth {
  readonly state: 'Starting' | 'Ready' | 'Degraded' | 'Quarantined' | 'Draining' | 'Stopping';
  readonly message: string;
  readonly replay: {
    readonly doneBytes: number;
    readonly totalBytes: number;
    readonly movedMsAgo: number;
  };
  /** None before the data is open. */
  readonly data?: DataHealth;
  /** None before the node belongs to a cluster. */
  readonly cluster?: ClusterHealth;
  readonly resources?: ResourceHealth;
  /** None before the node listens for drivers. */
  readonly queries?: QueryHealth;
  /** None before the data is open. */
  readonly storage?: StorageHealth;
}

/** Of the last half to whole minute; durations in milliseconds. */
interface LatencyHealth {
  readonly count: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

interface QueryHealth {
  readonly running: number;
  readonly perSecond: number;
  /** From a query to its first answer; kinds without queries are left out. */
  readonly latencyMs: {
    readonly all: LatencyHealth;
    readonly kinds: Readonly<Record<string, LatencyHealth>>;
  };
}

/** `ok`, or why not. */
interface PartHealth {
  readonly state: 'ok' | 'degraded';
  readonly reasons: readonly string[];
}

export interface StorageHealth {
  readonly disk: PartHealth & { readonly freeBytes: number; readonly totalBytes: number };
  readonly wal: PartHealth & { readonly syncMs?: LatencyHealth };
  readonly store: PartHealth & { readonly commitMs?: LatencyHealth };
}

/** Of the pod, or of the process outside of one. Limits are null where there is none. */
interface ResourceHealth extends PartHealth {
  readonly cpuSeconds: number;
  /** Used on average since the last reading. */
  readonly cpuCores: number;
  readonly cpuLimit: number | null;
  /** Without page cache that can be given back. */
  readonly workingSetBytes: number;
  readonly memoryLimitBytes: number | null;
  readonly eventLoopDelayMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** How the node sees the cluster. The readiness of a node does not depend on it. */
interface ClusterHealth {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly address: string;
  readonly members: readonly {
    readonly id: string;
    readonly name: string;
    readonly address: string;
    readonly status: 'alive' | 'suspect' | 'quarantined' | 'dead' | 'left';
    readonly reason: string;
    /** ISO 8601. */
    readonly since: string;
    readonly roles: readonly string[];
    readonly version: string;
    readonly isSelf: boolean;
    readonly isConnected: boolean;
  }[];
}

interface DataHealth {
  readonly integrity: 'ok' | { readonly code: string; readonly message: string };
  readonly storeBytes: number;
  readonly tables: number;
  /** Not served; the first ones. */
  readonly damagedTables: readonly {
    readonly name: string;
    readonly damage: { readonly code: string; readonly message: string };
  }[];
  /** Issues that need attention; the first ones. */
  readonly issues: readonly { readonly type: string; readonly description: string }[];
}

/** Replay that stands still for longer is stuck; one that moves may take as long as it needs. */
const stuckMs = 60_000;

/**
 * How long the startup probe waits for the start of the node. An ordinary start is over by then, so that no
 * probe of it fails, nor does the first one for readiness; the kubelet gets its answer at that moment.
 */
const startupHoldMs = 8_000;

/** In the text format of Prometheus, and in that of OpenMetrics for those who ask for it. */
export interface Metrics {
  readonly contentType: string;
  metrics(): Promise<string>;
  readonly openMetrics?: Omit<Metrics, 'openMetrics'>;
}

const openMetricsType = 'application/openmetrics-text';

export interface Start {
  readonly over: Promise<unknown>;
  readonly holdMs?: number;
  readonly clock: Pick<Clock, 'sleep'>;
}

export function healthServer(health: () => NodeHealth, metrics: Metrics, start: Start): Express {
  const server = express().disable('x-powered-by');
  const stuck = (): boolean => {
    const { state, replay } = health();
    return state === 'Starting' && replay.movedMsAgo > stuckMs;
  };
  server.get('/health/live', (_request, response) => {
    response.status(stuck() ? 503 : 200).json({ live: !stuck() });
  });
  server.get('/health/ready', (_request, response) => {
    const { state, message } = health();
    response.status(state === 'Ready' || state === 'Degraded' ? 200 : 503).json({ state, message });
  });
  server.get('/health/startup', async (_request, response) => {
    if (health().state === 'Starting' && !stuck()) await held(start);
    const { state, message, replay } = health();
    response.status(stuck() ? 503 : 200).json({ state, message, stuck: stuck(), ...replay });
  });
  server.get('/health', (_request, response) => void response.json(health()));
  server.get('/_metrics', async (request, response) => {
    const wantsOpen = request.get('accept')?.includes(openMetricsType) === true;
    const format = wantsOpen ? (metrics.openMetrics ?? metrics) : metrics;
    response.type(format.contentType).send(await format.metrics());
  });
  server.use((_request, response) => void response.status(404).json({ error: 'no such page' }));
  return server;
}

/** Resolves when the start is over, or has taken so long that the probe has to be answered. */
async function held({ over, holdMs = startupHoldMs, clock }: Start): Promise<void> {
  const isOver = new AbortController();
  const timeout = clock.sleep(holdMs, isOver.signal).catch(() => undefined);
  await Promise.race([over, timeout]);
  isOver.abort();
}
