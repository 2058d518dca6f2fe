import { Applier } from '../apply/applier.ts';
import { Replay } from '../apply/replay.ts';
import type { MetadataLog } from '../apply/tables.ts';
import { spawn } from '../common/spawn.ts';
import { CorruptionRegistry } from '../integrity/corruption-registry.ts';
import { UncheckedVersions } from '../integrity/unchecked.ts';
import { Maintenance } from '../maintenance/maintenance.ts';
import type { MetadataState } from '../metadata/state.ts';
import { shardsOf } from '../metadata/shards.ts';
import { DirectReads } from '../shard/direct-reads.ts';
import { DocumentCache } from '../shard/document-cache.ts';
import { MemtableBudget } from '../shard/memtable-budget.ts';
import type { KeyspaceWalk } from '../table/keyspace-walk.ts';
import { Transfers } from '../transfer/transfers.ts';
import { CareOfReplicas } from './care-of-replicas.ts';
import { LiveTables } from './live-tables.ts';
import type { SharedParts } from './live-tables.ts';
import type { DatabaseOptions } from './options.ts';
import { DatabaseSnapshots } from './snapshots.ts';
import { TableIndexes } from './table-indexes.ts';

/** Entries of this many times the memtable may be replayed before the store has them. */
const replayedShareMax = 2;

/** What a database is made of. */
export interface DatabaseParts extends SharedParts {
  /** Walks that count keyspaces again at this moment. */
  readonly walks: ReadonlyMap<number, KeyspaceWalk>;
  readonly tables: LiveTables;
  readonly indexes: TableIndexes;
  readonly maintenance: Maintenance;
  readonly transfers: Transfers;
}

/** What the parts need of their database. */
export interface PartsHost {
  /** For changes that the node's own work asks for. */
  readonly metadata: MetadataLog;
  /** Whether the store has the metadata. */
  isOpen(): boolean;
  adopt(state: MetadataState): void;
  /** The metadata is that of another member, as of an entry of its log. */
  metadataRestored(state: MetadataState, index: number): void;
  /** Something that others may wait for has changed. */
  notify(): void;
  /** Gives a part of an index, whose entries are wrong, another keyspace. */
  rebuildIndex(tableId: string, keyspace: number): Promise<void>;
  /** Of the store or the log: the process must end. */
  failed(error: Error): void;
  /** Of the work beside the requests. */
  maintenanceFailed(error: Error): void;
  readonly signal: AbortSignal;
}

export function assemble(options: DatabaseOptions, host: PartsHost): DatabaseParts {
  const { store, clock } = options;
  const { signal, metadata } = host;
  const failed = (error: Error): void => host.failed(error);
  const tables = new LiveTables(options);
  const budget = new MemtableBudget(options.memtableBytesMax, () => applier.hurry());
  const corruption = new CorruptionRegistry({
    store,
    tables,
    marked: (group) => directReads?.renew(group),
    closed: (group, damage, name) => {
      applier.quarantine(group, damage);
      options.tableQuarantined?.(name, damage);
    },
  });
  const directReads = directReadsOf(options, failed);
  const indexes = indexesOf(options, { tables, directReads }, host);
  const unchecked = new UncheckedVersions((keyspace) => directReads?.renewKeyspace(keyspace));
  const { failures } = indexes;
  const walks = new Map<number, KeyspaceWalk>();
  const shared = { store, clock, tables, corruption, walks, failures, unchecked };
  const applier = new Applier({
    ...shared,
    heldFrom: (group) => snapshots.heldFrom(group),
    isAwaited: () => budget.isAwaited,
    failed,
  });
  const replay = new Replay({
    ...shared,
    applier,
    bytesMax: replayedShareMax * options.memtableBytesMax,
    isForRepair: options.isForRepair === true,
    adopt: (state) => host.adopt(state),
  });
  const maintenance = new Maintenance({
    ...shared,
    metadata,
    rebuildIndex: (tableId, keyspace) => host.rebuildIndex(tableId, keyspace),
    settled: (group) => snapshots.settled(group),
    failed: (error) => host.maintenanceFailed(error),
    signal,
  });
  const transfers = new Transfers({
    ...shared,
    applier,
    metadata,
    table: (id) => tables.table(id),
    abandon: (keyspace) => maintenance.collector.abandon(keyspace),
    compileIndex: options.compileIndex,
    documents: options.documents,
    signal,
  });
  const snapshots = new DatabaseSnapshots({
    ...shared,
    options,
    applier,
    rebuild: (table) => maintenance.builder.start({ put: [table], removed: [] }),
    metadataRestored: (state, index) => host.metadataRestored(state, index),
  });
  const cache = new DocumentCache(options.cacheBytesMax);
  const kept = { options, tables, corruption, indexes, unchecked, budget, cache, directReads };
  const care = new CareOfReplicas({ options, corruption, tables, failed, signal });
  return { ...kept, walks, applier, replay, maintenance, transfers, snapshots, care };
}

/** Of groups of one member: a replica that does not lead cannot say what was acknowledged elsewhere. */
function directReadsOf(
  { blocks, replicate }: DatabaseOptions,
  failed: (error: Error) => void,
): DirectReads | undefined {
  if (blocks === undefined || replicate !== undefined) return undefined;
  return new DirectReads(blocks, failed);
}

function indexesOf(
  options: DatabaseOptions,
  { tables, directReads }: Pick<DatabaseParts, 'tables' | 'directReads'>,
  host: PartsHost,
): TableIndexes {
  const failed = (error: unknown): void => host.failed(error as Error);
  return new TableIndexes({
    store: options.store,
    compileIndex: options.compileIndex,
    tables,
    rebuild: (tableId, keyspace, ended) =>
      spawn(() => host.rebuildIndex(tableId, keyspace).finally(ended), failed),
    failed: (index) => {
      const table = tables.state.tables[index.tableId];
      for (const { group } of table === undefined ? [] : shardsOf(table)) directReads?.renew(group);
      options.indexFailed?.(index);
      host.notify();
    },
    leftOut: (place, why) => options.documentLeftOut?.(place, why),
    notSaved: failed,
    isOpen: () => host.isOpen(),
  });
}
