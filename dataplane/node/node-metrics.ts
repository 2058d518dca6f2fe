import type { NodeMetrics } from '../observability/metrics.ts';
import type { Database } from '../database/database.ts';
import type { Expiry } from '../maintenance/expiry.ts';
import { diskUsage } from './disk-usage.ts';
import type { DriverFigures, WorkerFigures } from './drivers.ts';
import type { Progress } from './progress.ts';

/** The metrics of a node, collected from its parts; until a part exists, its metrics are 0. */
export interface MeasuredNode {
  readonly version: string;
  readonly dataDirectory: string;
  readonly progress: Progress;
  readonly database: Database | undefined;
  readonly drivers: DriverFigures;
  readonly workers: WorkerFigures;
  readonly expiry: Pick<Expiry, 'expired' | 'lagMs'> | undefined;
}

const noData = {
  memtableBytes: 0,
  scrub: {
    passes: 0,
    rows: 0,
    bytes: 0,
    damagedTables: 0,
    damagedIndexes: 0,
    damagedDocuments: 0,
  },
  replicas: { compared: 0, differed: 0, rebuilt: 0, undecided: 0 },
  failedIndexes: 0,
  failedEvaluations: 0,
  damagedDocuments: 0,
  cache: { bytes: 0, hits: 0, misses: 0 },
  applyQueue: 0,
  store: { fileBytes: 0, usedBytes: 0, freeBytes: 0, fileBytesMax: 0, oldestReaderMs: 0 },
  tables: [],
};

export function metricsOf(node: MeasuredNode): NodeMetrics {
  const { version, dataDirectory, progress, database, drivers, expiry } = node;
  const { doneBytes, totalBytes } = progress.replay;
  const data = database?.metrics() ?? noData;
  const { connections, running, openCursors, queuedBytes, counters } = drivers;
  return {
    version,
    isReady: progress.state === 'Ready',
    tablesDamaged: database?.corruption.groups.size ?? 0,
    indexesFailed: data.failedIndexes,
    indexEvaluationsFailed: data.failedEvaluations,
    documentsDamaged: data.damagedDocuments,
    isIntact: database?.corruption.first === undefined && database?.frozen === undefined,
    replayedBytes: doneBytes,
    replayTotalBytes: totalBytes,
    memtableBytes: data.memtableBytes,
    scrub: data.scrub,
    replicas: data.replicas,
    cache: data.cache,
    applyQueue: data.applyQueue,
    store: data.store,
    // Until the directory exists, the free space of its disk is unknown.
    diskFreeBytes: database === undefined ? 0 : diskUsage(dataDirectory).freeBytes,
    expired: expiry?.expired ?? 0,
    expiryLagMs: expiry?.lagMs ?? 0,
    tables: data.tables,
    drivers: { ...node.workers, connections, running, openCursors, queuedBytes, ...counters },
  };
}
