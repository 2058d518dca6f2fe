import { readApplied } from '../apply/applied-position.ts';
import type { ApplyStore } from '../kv/store.ts';
import { shardsOf } from '../metadata/shards.ts';
import { qualifiedName } from '../metadata/state.ts';
import type { TableRecord } from '../metadata/state.ts';
import { readStatistics } from '../table/statistics.ts';
import type { GroupLog } from '../replication/log.ts';
import type { LiveTables } from './live-tables.ts';
import type { DatabaseParts } from './parts.ts';
import type { DatabaseMetrics } from './options.ts';

type TableMetrics = DatabaseMetrics['tables'][number];

/** Of all shards of each table. */
function tableMetrics(tables: LiveTables, store: ApplyStore): TableMetrics[] {
  const { state } = tables;
  return Object.values(state.tables).map((table) => {
    const served = tables.table(table.id);
    const { appliedIndex, bytes } = stored(table, store);
    return {
      name: qualifiedName(state, table),
      appliedIndex,
      documents: served?.count ?? 0,
      bytes,
      ...(served?.counters ?? { reads: 0, writes: 0 }),
    };
  });
}

/** Entries that were applied, and bytes of stored keys and values. */
export function stored(
  table: TableRecord,
  store: ApplyStore,
): Pick<TableMetrics, 'appliedIndex' | 'bytes'> {
  return store.read((view) => {
    let [appliedIndex, bytes] = [0, 0];
    for (const { group, keyspace } of shardsOf(table)) {
      appliedIndex += readApplied(view, group);
      bytes += readStatistics(view, keyspace).bytes;
    }
    return { appliedIndex, bytes };
  });
}

export function metricsOf(
  store: ApplyStore,
  { tables, indexes, maintenance, budget, cache, corruption, applier, care }: DatabaseParts,
  log: GroupLog | undefined,
): DatabaseMetrics {
  const { failures } = indexes;
  return {
    memtableBytes: budget.used,
    cache: { bytes: cache.bytes, ...cache.counters },
    scrub: maintenance.scrubber.counters,
    replicas: care.counters,
    failedIndexes: failures.size,
    failedEvaluations: failures.failedEvaluations,
    damagedDocuments: corruption.documents.count,
    applyQueue: applier.waiting,
    store: store.statistics(),
    logBytesAtStart: log?.recovery.bytes ?? 0,
    tables: tableMetrics(tables, store),
  };
}
