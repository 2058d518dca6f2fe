import type { StoreStatistics } from '../kv/store.ts';

/**
 * The metrics of a node that are single numbers: what they are read from, and their names. The reference
 * (docs/reference/metrics.md) lists them.
 */
export interface NodeMetrics {
  readonly version: string;
  readonly isReady: boolean;
  readonly tablesDamaged: number;
  /** Indexes that are not kept and not read any more. */
  readonly indexesFailed: number;
  readonly indexEvaluationsFailed: number;
  /** Documents that the last scrub could not read. */
  readonly documentsDamaged: number;
  readonly isIntact: boolean;
  readonly replayedBytes: number;
  readonly replayTotalBytes: number;
  readonly memtableBytes: number;
  readonly replicas: {
    readonly compared: number;
    readonly differed: number;
    readonly rebuilt: number;
    readonly undecided: number;
  };
  readonly scrub: {
    readonly passes: number;
    readonly rows: number;
    readonly bytes: number;
    readonly damagedTables: number;
    readonly damagedIndexes: number;
    readonly damagedDocuments: number;
  };
  readonly cache: {
    readonly bytes: number;
    readonly hits: number;
    readonly misses: number;
  };
  readonly applyQueue: number;
  readonly store: StoreStatistics;
  readonly diskFreeBytes: number;
  /** Documents that were deleted because their time was over. */
  readonly expired: number;
  /** How long ago the oldest of those was due that are still there. */
  readonly expiryLagMs: number;
  readonly tables: readonly TableMetrics[];
  readonly drivers: DriverMetrics;
}

interface TableMetrics {
  readonly name: string;
  readonly appliedIndex: number;
  readonly documents: number;
  readonly bytes: number;
  readonly reads: number;
  readonly writes: number;
}

interface DriverMetrics {
  /** Query workers that serve; 0 when queries run in the process that has the data. */
  readonly workers: number;
  /** Query workers that ended and were replaced. */
  readonly workersReplaced: number;
  /** Documents that query workers have read from the store themselves. */
  readonly directReads: number;
  /** Reads that query workers asked the core for, of tables that they may read themselves. */
  readonly forwardedReads: number;
  readonly connections: number;
  readonly running: number;
  readonly openCursors: number;
  readonly queuedBytes: number;
  readonly queries: number;
  readonly queriesAborted: number;
  readonly queriesFailed: number;
  readonly framesMalformed: number;
  readonly handshakesMalformed: number;
  readonly handshakesTimedOut: number;
  readonly loginsFailed: number;
  readonly loginsLocked: number;
  readonly connectionsAccepted: number;
  readonly connectionsRefused: number;
  readonly connectionsStalled: number;
}

interface Definition<T> {
  readonly name: string;
  readonly help: string;
  readonly read: (from: T) => number;
}

const define = <T>(name: string, help: string, read: (from: T) => number): Definition<T> => ({
  name: `photondb_${name}`,
  help,
  read,
});

export const gauges = [
  define<NodeMetrics>('ready', '1 while the node serves requests.', (m) => Number(m.isReady)),
  define<NodeMetrics>('integrity_ok', '0 after corruption of stored data was detected.', (m) =>
    Number(m.isIntact),
  ),
  define<NodeMetrics>(
    'wal_replayed_bytes',
    'Bytes of the log that were replayed at startup.',
    (m) => m.replayedBytes,
  ),
  define<NodeMetrics>(
    'wal_replay_size_bytes',
    'Bytes of the log to replay at startup.',
    (m) => m.replayTotalBytes,
  ),
  define<NodeMetrics>(
    'memtable_bytes',
    'Size of the memtable: committed writes that are not in the store yet.',
    (m) => m.memtableBytes,
  ),
  define<NodeMetrics>('cache_bytes', 'Size of the document cache.', (m) => m.cache.bytes),
  define<NodeMetrics>(
    'apply_queue_entries',
    'Committed log entries that are not in the store yet.',
    (m) => m.applyQueue,
  ),
  define<NodeMetrics>('store_bytes', 'Size of the data file.', (m) => m.store.fileBytes),
  define<NodeMetrics>('store_used_bytes', 'Used space in the data file.', (m) => m.store.usedBytes),
  define<NodeMetrics>(
    'store_free_bytes',
    'Free space in the data file, reused before the file grows.',
    (m) => m.store.freeBytes,
  ),
  define<NodeMetrics>(
    'store_max_bytes',
    'Maximum size of the data file.',
    (m) => m.store.fileBytesMax,
  ),
  define<NodeMetrics>(
    'store_oldest_reader_seconds',
    'Age of the oldest open snapshot.',
    (m) => m.store.oldestReaderMs / 1_000,
  ),
  define<NodeMetrics>(
    'disk_free_bytes',
    'Free space on the disk of the data directory.',
    (m) => m.diskFreeBytes,
  ),
  define<NodeMetrics>(
    'expiry_lag_seconds',
    'Time since the oldest document that is not deleted yet expired.',
    (m) => m.expiryLagMs / 1_000,
  ),
  define<NodeMetrics>('tables', 'Number of tables.', (m) => m.tables.length),
  define<NodeMetrics>(
    'tables_damaged',
    'Tables that are not served because they are damaged.',
    (m) => m.tablesDamaged,
  ),
  define<NodeMetrics>(
    'indexes_failed',
    'Failed indexes, which are neither maintained nor read.',
    (m) => m.indexesFailed,
  ),
  define<NodeMetrics>(
    'documents_damaged',
    'Documents that the last scrub could not read.',
    (m) => m.documentsDamaged,
  ),
  define<NodeMetrics>(
    'replicas_undecided',
    'Shards led by the node whose replicas differ, and of which no majority agrees.',
    (m) => m.replicas.undecided,
  ),
  define<NodeMetrics>('query_workers', 'Query workers that serve.', (m) => m.drivers.workers),
  define<NodeMetrics>('connections', 'Open driver connections.', (m) => m.drivers.connections),
  define<NodeMetrics>('queries_running', 'Queries that are running.', (m) => m.drivers.running),
  define<NodeMetrics>('cursors_open', 'Open cursors.', (m) => m.drivers.openCursors),
  define<NodeMetrics>(
    'answers_queued_bytes',
    'Size of answers that clients have not received yet.',
    (m) => m.drivers.queuedBytes,
  ),
];

export const nodeCounters = [
  define<NodeMetrics>(
    'index_evaluations_failed_total',
    'Evaluations of index functions that failed, so that a document is not in the index.',
    (m) => m.indexEvaluationsFailed,
  ),
  define<NodeMetrics>(
    'replica_comparisons_total',
    'Comparisons of the replicas of a shard led by the node that found them equal.',
    (m) => m.replicas.compared,
  ),
  define<NodeMetrics>(
    'replicas_differed_total',
    'Replicas of the node that differed from a majority of the others.',
    (m) => m.replicas.differed,
  ),
  define<NodeMetrics>(
    'replicas_rebuilt_total',
    'Replicas of the node that were rebuilt from their leader.',
    (m) => m.replicas.rebuilt,
  ),
  define<NodeMetrics>('scrub_passes_total', 'Completed scrubs.', (m) => m.scrub.passes),
  define<NodeMetrics>(
    'scrub_rows_total',
    'Rows and index entries that were scrubbed.',
    (m) => m.scrub.rows,
  ),
  define<NodeMetrics>('scrub_bytes_total', 'Bytes that were scrubbed.', (m) => m.scrub.bytes),
  define<NodeMetrics>(
    'scrub_damaged_tables_total',
    'Damaged tables found by scrubs.',
    (m) => m.scrub.damagedTables,
  ),
  define<NodeMetrics>(
    'scrub_damaged_documents_total',
    'Damaged documents found by scrubs.',
    (m) => m.scrub.damagedDocuments,
  ),
  define<NodeMetrics>(
    'scrub_damaged_indexes_total',
    'Damaged indexes found by scrubs and rebuilt.',
    (m) => m.scrub.damagedIndexes,
  ),
  define<NodeMetrics>(
    'cache_hits_total',
    'Reads by key that hit the document cache.',
    (m) => m.cache.hits,
  ),
  define<NodeMetrics>(
    'cache_misses_total',
    'Reads by key that missed the document cache.',
    (m) => m.cache.misses,
  ),
  define<NodeMetrics>('documents_expired_total', 'Documents deleted by the TTL.', (m) => m.expired),
];

export const driverCounters = [
  define<DriverMetrics>('queries_total', 'Queries started.', (m) => m.queries),
  define<DriverMetrics>(
    'queries_aborted_total',
    'Queries aborted because the client disconnected.',
    (m) => m.queriesAborted,
  ),
  define<DriverMetrics>(
    'queries_failed_total',
    'Queries and batches that were answered by an error.',
    (m) => m.queriesFailed,
  ),
  define<DriverMetrics>(
    'frames_malformed_total',
    'Malformed query frames.',
    (m) => m.framesMalformed,
  ),
  define<DriverMetrics>(
    'handshakes_malformed_total',
    'Malformed handshakes.',
    (m) => m.handshakesMalformed,
  ),
  define<DriverMetrics>(
    'handshakes_timed_out_total',
    'Handshakes that timed out.',
    (m) => m.handshakesTimedOut,
  ),
  define<DriverMetrics>(
    'logins_failed_total',
    'Logins that failed because of a wrong password.',
    (m) => m.loginsFailed,
  ),
  define<DriverMetrics>(
    'logins_locked_total',
    'Logins refused because of too many failed logins.',
    (m) => m.loginsLocked,
  ),
  define<DriverMetrics>(
    'query_workers_replaced_total',
    'Query workers that ended and were replaced.',
    (m) => m.workersReplaced,
  ),
  define<DriverMetrics>(
    'direct_reads_total',
    'Documents that query workers read from the storage themselves.',
    (m) => m.directReads,
  ),
  define<DriverMetrics>(
    'forwarded_reads_total',
    'Reads that query workers asked the core for, because it has writes that the storage lacks.',
    (m) => m.forwardedReads,
  ),
  define<DriverMetrics>(
    'connections_accepted_total',
    'Driver connections accepted.',
    (m) => m.connectionsAccepted,
  ),
  define<DriverMetrics>(
    'connections_refused_total',
    'Driver connections refused because of the connection limit.',
    (m) => m.connectionsRefused,
  ),
  define<DriverMetrics>(
    'connections_stalled_total',
    'Driver connections closed because they stalled.',
    (m) => m.connectionsStalled,
  ),
];

export const tableGauges = [
  define<TableMetrics>('table_documents', 'Documents of a table.', (m) => m.documents),
  define<TableMetrics>(
    'table_bytes',
    'Size of the keys and values of a table, without indexes.',
    (m) => m.bytes,
  ),
  define<TableMetrics>(
    'table_applied_index',
    'Index of the last log entry in the store.',
    (m) => m.appliedIndex,
  ),
];

export const tableCounters = [
  define<TableMetrics>('table_reads_total', 'Documents read.', (m) => m.reads),
  define<TableMetrics>('table_writes_total', 'Documents written.', (m) => m.writes),
];
