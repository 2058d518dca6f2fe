import type { Applier } from '../apply/applier.ts';
import type { Replay } from '../apply/replay.ts';
import type { Tables } from '../apply/tables.ts';
import type { CorruptionRegistry } from '../integrity/corruption-registry.ts';
import { readUnchecked } from '../integrity/unchecked.ts';
import type { UncheckedVersions } from '../integrity/unchecked.ts';
import { BuiltIndexes } from '../maintenance/built-indexes.ts';
import { tableChanges } from '../metadata/changes.ts';
import type { TableChanges } from '../metadata/changes.ts';
import { shardOfGroup, shardOfKeyspace } from '../metadata/lookup.ts';
import { partsOf, placementOf, shardsOf } from '../metadata/shards.ts';
import { emptyState, qualifiedName } from '../metadata/state.ts';
import type { IndexPart, MetadataState, ShardRecord, TableRecord } from '../metadata/state.ts';
import { SlotMap } from '../partition/hash-slots.ts';
import type { Replication } from '../replication/replicated-group.ts';
import type { DirectReads } from '../shard/direct-reads.ts';
import type { DocumentCache } from '../shard/document-cache.ts';
import type { MemtableBudget } from '../shard/memtable-budget.ts';
import { ShardReplica } from '../shard/shard-replica.ts';
import { ShardedTable } from '../shard/sharded-table.ts';
import { commandBytesMaxDefault } from '../shard/write-path.ts';
import type { AppliedIndex } from '../table/apply.ts';
import type { CareOfReplicas } from './care-of-replicas.ts';
import type { DatabaseOptions } from './options.ts';
import { isPlacedHere, membershipOf } from './membership.ts';
import type { DatabaseSnapshots } from './snapshots.ts';
import type { TableIndexes } from './table-indexes.ts';

/** What the shards of a node share. */
export interface SharedParts {
  readonly options: DatabaseOptions;
  readonly corruption: CorruptionRegistry;
  readonly unchecked: UncheckedVersions;
  readonly budget: MemtableBudget;
  readonly cache: DocumentCache;
  readonly applier: Applier;
  readonly replay: Replay;
  /** Undefined when nobody reads the store directly. */
  readonly directReads: DirectReads | undefined;
  /** States of groups that other nodes send, and are sent. */
  readonly snapshots: DatabaseSnapshots;
  /** What keeps replicas equal. */
  readonly care: CareOfReplicas;
}

/** While shards are served. */
interface ServingParts extends SharedParts {
  readonly replication: Replication;
  readonly signal: AbortSignal;
}

/** What a replica has left on this node. */
export interface MovedShard {
  readonly group: number;
  readonly keyspace: number;
  /** Of the entries of its indexes. */
  readonly indexes: readonly number[];
}

interface ServedChanges extends TableChanges {
  readonly moved: readonly MovedShard[];
}

/** The tables of a node as the metadata has them, and their shards while they are served. */
export class LiveTables implements Tables {
  #state: MetadataState = emptyState;
  /** Of which the tables have shards. */
  #served: MetadataState = emptyState;
  readonly #replicas = new Map<number, ShardReplica>();
  /** By identifier. */
  readonly #tables = new Map<string, ShardedTable>();
  /** Groups that have moved to other nodes, and whose rows are still here. */
  readonly #vacating = new Set<number>();
  readonly #options: Pick<DatabaseOptions, 'documents' | 'store' | 'replicate'>;
  readonly built: BuiltIndexes;
  #indexes: TableIndexes | undefined;

  constructor(options: Pick<DatabaseOptions, 'documents' | 'store' | 'replicate'>) {
    this.#options = options;
    this.built = new BuiltIndexes(options.store);
  }

  get state(): MetadataState {
    return this.#state;
  }

  /** Served shards. */
  get replicas(): Iterable<ShardReplica> {
    return this.#replicas.values();
  }

  /** The replica of a group on this node, while it is served. */
  replica(group: number): ShardReplica | undefined {
    return this.#replicas.get(group);
  }

  table(id: string): ShardedTable | undefined {
    return this.#tables.get(id);
  }

  index(keyspace: number): AppliedIndex | undefined {
    return this.#indexes?.of(keyspace);
  }

  isReady({ keyspace, ready }: IndexPart): boolean {
    return this.#options.replicate === undefined ? ready : this.built.has(keyspace);
  }

  isHere(group: number): boolean {
    const shard = shardOfGroup(this.#state, group)?.shard;
    const { replicate } = this.#options;
    if (shard === undefined || replicate === undefined) return shard !== undefined;
    return !this.#vacating.has(group) && isPlacedHere(this.#state, shard, replicate);
  }

  isLeading(group: number): boolean {
    const replica = this.#replicas.get(group);
    return replica !== undefined && replica.replicas.refusal === undefined;
  }

  indexesOf(group: number): readonly AppliedIndex[] | undefined {
    const found = shardOfGroup(this.#state, group);
    return found?.table.indexes.flatMap((index) => {
      const part = partsOf(index)[found.at];
      return (part === undefined ? undefined : this.index(part.keyspace)) ?? [];
    });
  }

  problemOf(keyspace: number, text: string, key: Uint8Array): string | undefined {
    const table = shardOfKeyspace(this.#state, keyspace)?.table;
    if (table === undefined) return undefined;
    return this.#options.documents.problemOf(text, { key, primaryKey: table.primaryKey });
  }

  /** Makes the compiled indexes those of the metadata. */
  adopt(state: MetadataState, indexes: TableIndexes): void {
    const before = this.#state;
    this.#indexes = indexes;
    this.#state = state;
    indexes.adopt(tableChanges(before, state), before);
  }

  /** Makes the served shards those of the metadata; resolves to what has changed since the last call. */
  serve(shared: ServingParts): ServedChanges {
    const before = this.#served;
    const changes = tableChanges(before, this.#state);
    this.#served = this.#state;
    const here = changes.put.flatMap((table) => this.#shardsHere(table, shared));
    const kept = new Set(here.map(({ group }) => group));
    const old = [...changes.removed, ...changes.put.flatMap(({ id }) => before.tables[id] ?? [])];
    const ended = old.flatMap(shardsOf).filter(({ group }) => !kept.has(group));
    const moved = ended.flatMap((shard) => this.#movedBy(shard));
    for (const shard of ended) this.#end(shard, shared);
    for (const { id } of changes.removed) this.#tables.delete(id);
    for (const table of changes.put) {
      this.#serve(table, shared);
      for (const { group } of shardsOf(table)) shared.directReads?.renew(group);
    }
    return { ...changes, moved };
  }

  /** A replica whose shard has others: what is here is to be removed, before there may be one again. */
  #movedBy({ group, keyspace }: ShardRecord): readonly MovedShard[] {
    const found = shardOfGroup(this.#state, group);
    if (found === undefined || !this.#replicas.has(group)) return [];
    this.#vacating.add(group);
    const indexes = found.table.indexes.flatMap((index) => partsOf(index)[found.at] ?? []);
    return [{ group, keyspace, indexes: indexes.map((part) => part.keyspace) }];
  }

  /** Nothing of the shard is here any more. Answers its table when it is to be here again. */
  vacated({ group, indexes }: MovedShard, shared: ServingParts): TableRecord | undefined {
    this.#vacating.delete(group);
    for (const keyspace of indexes) this.built.forget(keyspace);
    const table = shardOfGroup(this.#state, group)?.table;
    if (table === undefined || !this.isHere(group)) return undefined;
    this.#serve(table, shared);
    return table;
  }

  /** Those that have a replica on this node. */
  #shardsHere(table: TableRecord, { options }: SharedParts): readonly ShardRecord[] {
    const { replicate } = options;
    const shards = shardsOf(table);
    return replicate === undefined ? shards : shards.filter(({ group }) => this.isHere(group));
  }

  #end({ group, keyspace }: ShardRecord, shared: ServingParts): void {
    const { corruption, unchecked, replication, options, directReads } = shared;
    directReads?.leave(group);
    const replica = this.#replicas.get(group);
    if (replica !== undefined && options.replicate !== undefined) {
      replication.leave(group);
      replica.leave();
      shared.snapshots.end(group);
    }
    replica?.options.cache.forget();
    this.#replicas.delete(group);
    corruption.restored(group, keyspace);
    unchecked.forget(keyspace);
  }

  /** A table whose shards are on several nodes has replicas here, and nobody who answers for all of them. */
  #serve(table: TableRecord, shared: ServingParts): void {
    const { epoch, shards } = placementOf(table);
    if (this.#tables.get(table.id)?.map.epoch === epoch) return;
    const here = new Set(this.#shardsHere(table, shared));
    const [first, ...others] = shards.flatMap((shard, at) => {
      if (!here.has(shard)) return [];
      const known = this.#replicas.get(shard.group);
      return known ?? this.#replicaOf(table, { shard, place: { at, of: shards.length } }, shared);
    });
    if (first === undefined || here.size < shards.length) {
      this.#tables.delete(table.id);
      return;
    }
    const map = new SlotMap(
      epoch,
      shards.map(({ slots }) => slots),
    );
    const served = new ShardedTable(map, [first, ...others]);
    this.#tables.get(table.id)?.succeededBy(served);
    this.#tables.set(table.id, served);
  }

  #replicaOf(
    table: TableRecord,
    {
      shard,
      place,
    }: {
      readonly shard: ShardRecord;
      readonly place: ShardReplica['options']['place'];
    },
    shared: ServingParts,
  ): ShardReplica {
    const { group, keyspace } = shard;
    const { options, corruption, unchecked, replay, cache, replication, applier, budget } = shared;
    const { directReads } = shared;
    const name = qualifiedName(this.#state, table);
    unchecked.raise(
      keyspace,
      options.store.read((view) => readUnchecked(view, keyspace)),
    );
    const replica = new ShardReplica({
      group,
      keyspace,
      place,
      name,
      primaryKey: table.primaryKey,
      store: options.store,
      edits: options.edits,
      commandBytesMax: options.commandBytesMax ?? commandBytesMaxDefault,
      replication,
      ...membershipOf(this.#state, shard, shared),
      applier,
      budget,
      notApplicable: ({ code, message }) => corruption.close(group, { code, message }),
      signal: shared.signal,
      damagedGroups: corruption.groups,
      unchecked: unchecked.of(keyspace),
      problemOf: (text, key) => this.problemOf(keyspace, text, key),
      cache: cache.group(),
      unapplied: directReads?.join({
        group,
        keyspace,
        isSound: () =>
          corruption.groups.of(group) === undefined && unchecked.of(keyspace).version === 0,
      }),
      indexes: () => this.indexesOf(group) ?? [],
      replayed: replay.entries.of(group),
      care: shared.care.of(group, keyspace),
      damaged: (error) => corruption.report(error),
      softRefused: (refusal) => options.softRefused?.(name, refusal),
    });
    this.#replicas.set(group, replica);
    return replica;
  }
}
