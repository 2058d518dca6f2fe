import { Applier } from '../apply/applier.ts';
import { applyParked } from '../apply/apply-parked.ts';
import { readMetadata } from '../apply/catalog.ts';
import { CatalogLostError } from '../apply/errors.ts';
import type { EntryNotApplicableError } from '../apply/errors.ts';
import { releaseGroup } from '../apply/release-group.ts';
import { Replay } from '../apply/replay.ts';
import type { MetadataLog } from '../apply/tables.ts';
import { allEnded } from '../common/all-ended.ts';
import { assert } from '../common/assert.ts';
import { PhotonError } from '../common/errors.ts';
import { InTurn } from '../common/in-turn.ts';
import { spawn } from '../common/spawn.ts';
import { CorruptionRegistry } from '../integrity/corruption-registry.ts';
import type { Damage } from '../integrity/damage.ts';
import { areUncheckedKnown, markUnchecked, UncheckedVersions } from '../integrity/unchecked.ts';
import type { StoreStatistics } from '../kv/store.ts';
import { removeStrays } from '../maintenance/clear.ts';
import type { ExpiringTable } from '../maintenance/expiry.ts';
import { Maintenance } from '../maintenance/maintenance.ts';
import { isEmpty } from '../maintenance/scrubber.ts';
import type { ScrubPlan } from '../maintenance/scrubber.ts';
import type { MetadataCommand, Refused } from '../metadata/command.ts';
import { shardsOf } from '../metadata/shards.ts';
import { emptyState } from '../metadata/state.ts';
import type { MetadataState, TableRecord, Verifier } from '../metadata/state.ts';
import { metadataGroup } from '../replication/entry-kind.ts';
import { isRefusal } from '../replication/errors.ts';
import type { GroupLog } from '../replication/log.ts';
import type { Replication } from '../replication/replicated-group.ts';
import { SingleNode } from '../replication/single-node.ts';
import { DocumentCache } from '../shard/document-cache.ts';
import { MemtableBudget } from '../shard/memtable-budget.ts';
import type { ShardReplica } from '../shard/shard-replica.ts';
import type { ShardedTable } from '../shard/sharded-table.ts';
import type { AppliedIndex } from '../table/apply.ts';
import { StorageCorruptError } from '../table/errors.ts';
import type { Finding } from '../table/keyspace-scrub.ts';
import type { KeyspaceWalk } from '../table/keyspace-walk.ts';
import { Transfers } from '../transfer/transfers.ts';
import { DatabaseStoppedError } from './errors.ts';
import { expiringTables } from './expiring-tables.ts';
import { LiveTables } from './live-tables.ts';
import { MetadataGroup } from './metadata-group.ts';
import { MetadataWatch } from './metadata-watch.ts';
import { stored, tableMetrics } from './metrics.ts';
import type { DatabaseMetrics, DatabaseOptions } from './options.ts';
import { reshard } from './reshard.ts';
import { TableIndexes } from './table-indexes.ts';
import type { FailedIndex, IndexState } from './table-indexes.ts';

/** Entries of this many times the memtable may be replayed before the store has them. */
const replayedShareMax = 2;

/**
 * All data of a node: the group of the metadata and the groups of all shards, over one log and one store.
 * Opening replays what the log has and the store has not.
 */
export class Database implements MetadataLog {
  /** Resolves with the reason of a fatal error: the process must end. */
  readonly failed: Promise<Error>;
  readonly corruption: CorruptionRegistry;
  readonly transfers: Transfers;
  readonly #options: DatabaseOptions;
  readonly #tables: LiveTables;
  readonly #indexes: TableIndexes;
  readonly #applier: Applier;
  readonly #replay: Replay;
  readonly #maintenance: Maintenance;
  readonly #budget: MemtableBudget;
  readonly #cache: DocumentCache;
  readonly #unchecked = new UncheckedVersions();
  readonly #watch = new MetadataWatch();
  readonly #resharding = new InTurn();
  readonly #stopping = new AbortController();
  #metadata: MetadataGroup | undefined;
  #log: GroupLog | undefined;
  #replication: Replication | undefined;
  #fail: (error: Error) => void = () => undefined;

  private constructor(options: DatabaseOptions) {
    this.#options = options;
    this.failed = new Promise((resolve) => (this.#fail = resolve));
    const { store, clock } = options;
    const tables = new LiveTables(options);
    this.#tables = tables;
    this.#budget = new MemtableBudget(options.memtableBytesMax, () => this.#applier.hurry());
    this.#cache = new DocumentCache(options.cacheBytesMax);
    const corruption = new CorruptionRegistry({
      store,
      tables,
      closed: (group, damage, name) => {
        this.#applier.quarantine(group, damage);
        options.tableQuarantined?.(name, damage);
      },
    });
    this.corruption = corruption;
    this.#indexes = this.#newIndexes();
    const walks = new Map<number, KeyspaceWalk>();
    const { failures } = this.#indexes;
    const parts = { store, clock, tables, corruption, walks, failures, unchecked: this.#unchecked };
    const applier = new Applier({
      ...parts,
      isAwaited: () => this.#budget.isAwaited,
      failed: (error) => this.#fail(error),
    });
    this.#applier = applier;
    this.#replay = new Replay({
      ...parts,
      applier,
      bytesMax: replayedShareMax * options.memtableBytesMax,
      isForRepair: this.#isForRepair,
      adopt: (state) => this.#adopt(state),
    });
    const { signal } = this.#stopping;
    this.#maintenance = new Maintenance({
      ...parts,
      metadata: this,
      rebuildIndex: (tableId, keyspace) => this.#rebuildDamaged(tableId, keyspace),
      failed: (error) => this.#maintenanceFailed(error),
      signal,
    });
    this.transfers = new Transfers({
      ...parts,
      applier,
      metadata: this,
      table: (id) => this.table(id),
      abandon: (keyspace) => this.#maintenance.collector.abandon(keyspace),
      compileIndex: options.compileIndex,
      documents: options.documents,
      signal,
    });
  }

  #newIndexes(): TableIndexes {
    const { store, compileIndex } = this.#options;
    return new TableIndexes({
      store,
      compileIndex,
      tables: this.#tables,
      rebuild: (tableId, keyspace, ended) =>
        spawn(
          () => this.#rebuildAlone(tableId, keyspace).finally(ended),
          (error) => this.#fail(error as Error),
        ),
      failed: (failed) => {
        this.#options.indexFailed?.(failed);
        this.#watch.notify();
      },
      leftOut: (place, why) => this.#options.documentLeftOut?.(place, why),
      notSaved: (error) => this.#fail(error),
      isOpen: () => this.#metadata !== undefined,
    });
  }

  static async open(options: DatabaseOptions): Promise<Database> {
    const database = new Database(options);
    await database.#open();
    return database;
  }

  get state(): MetadataState {
    return this.#tables.state;
  }

  verifier(user: string): Verifier | undefined {
    const { users } = this.state;
    return Object.hasOwn(users, user) ? users[user] : undefined;
  }

  /** Undefined when it was dropped. */
  table(id: string): ShardedTable | undefined {
    return this.#tables.table(id);
  }

  /** By the keyspace of a part; undefined for an index that is gone or has failed. */
  index(keyspace: number): AppliedIndex | undefined {
    return this.#tables.index(keyspace);
  }

  indexStates(table: TableRecord): IndexState[] {
    const { builder } = this.#maintenance;
    return this.#indexes.states(table, (keyspace) => builder.progressOf(keyspace));
  }

  /** Indexes that are not kept any more, with their tables, and why. */
  failedIndexes(): readonly FailedIndex[] {
    return this.#indexes.failed();
  }

  /** Why databases, tables and indexes cannot be changed, if they cannot. */
  get frozen(): Error | undefined {
    return this.#replay.frozen;
  }

  /** Shards of tables with a document TTL, but for damaged ones. */
  expiringTables(): ExpiringTable[] {
    return expiringTables(this.#tables, this.corruption);
  }

  /**
   * Builds a part of an index again, because its entries cannot be trusted: nobody reads it until it is ready
   * again. Resolves when that is committed; whoever wants the end waits for `changed`.
   */
  rebuildIndex(tableId: string, keyspace: number): Promise<MetadataState | Refused> {
    return this.change({ type: 'rebuildIndex', tableId, keyspace });
  }

  /** Resolves when the change is committed. */
  change(command: MetadataCommand): Promise<MetadataState | Refused> {
    if (this.#metadata === undefined || this.#stopping.signal.aborted) {
      return Promise.reject(new DatabaseStoppedError());
    }
    if (this.frozen !== undefined) return Promise.reject(this.frozen);
    return this.#metadata.change(command);
  }

  /** Gives a table without documents another number of shards. */
  reshard(tableId: string, shards: number): Promise<MetadataState | Refused> {
    return this.#resharding.run(() => reshard(this, tableId, shards));
  }

  /** Resolves at the next change of the metadata; rejects when the signal says so. */
  changed(signal: AbortSignal): Promise<void> {
    return this.#watch.changed(signal);
  }

  /** Of what the log has and the store has not. */
  get pendingBytes(): number {
    return this.#budget.used;
  }

  /** Of the data file of all tables. */
  storage(): StoreStatistics {
    return this.#options.store.statistics();
  }

  /** Bytes of the stored keys and values of a table, and of its documents in memory. */
  sizeOf(tableId: string): { readonly dataBytes: number; readonly cachedBytes: number } {
    const table = this.state.tables[tableId];
    if (table === undefined) return { dataBytes: 0, cachedBytes: 0 };
    const shards = this.table(tableId)?.shards ?? [];
    const cachedBytes = shards.reduce((sum, { options }) => sum + options.cache.bytes, 0);
    return { dataBytes: stored(table, this.#options.store).bytes, cachedBytes };
  }

  metrics(): DatabaseMetrics {
    const { failures } = this.#indexes;
    return {
      memtableBytes: this.#budget.used,
      cache: { bytes: this.#cache.bytes, ...this.#cache.counters },
      scrub: this.#maintenance.scrubber.counters,
      failedIndexes: failures.size,
      failedEvaluations: failures.failedEvaluations,
      damagedDocuments: this.corruption.documents.count,
      applyQueue: this.#applier.waiting,
      store: this.storage(),
      logBytesAtStart: this.#log?.recovery.bytes ?? 0,
      tables: tableMetrics(this.#tables, this.#options.store),
    };
  }

  /**
   * Reads every row and index entry once, without pauses: marks damaged tables and rebuilds damaged indexes.
   * Resolves with what it found.
   */
  scrub(): Promise<readonly Finding[]> {
    return this.#maintenance.scrubber.pass();
  }

  /** Scrubs from time to time, and says what came of it, until the database stops. */
  scrubAlways(plan: ScrubPlan): Promise<void> {
    return this.#maintenance.scrubber.run(plan);
  }

  /** Resolves when the store has everything that is committed now. */
  settled(): Promise<void> {
    return this.#applier.drained();
  }

  /** Truncates the front of the log up to what the store has now, as happens periodically. */
  checkpoint(): Promise<void> {
    return this.#applier.checkpoint();
  }

  /**
   * Everything acknowledged is on the medium when it resolves; it rejects when something is not, and has closed
   * everything all the same. Requests must have ended before.
   */
  async stop(): Promise<void> {
    this.#stopping.abort(new DatabaseStoppedError());
    const failures: unknown[] = [];
    for (const step of [
      () => allEnded(Array.from(this.#tables.replicas, (replica) => this.#flushed(replica))),
      () => this.transfers.stopped(),
      () => this.#maintenance.stopped(),
      () => this.#applier.stop(),
      () => this.#log?.close(),
      () => this.#options.store.close(),
    ]) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** What was refused was reported when it was: `softRefused`. */
  async #flushed(replica: ShardReplica): Promise<void> {
    try {
      await replica.sync();
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }

  async #open(): Promise<void> {
    const { store } = this.#options;
    const read = store.read(readMetadata);
    if (read === undefined && !store.read(isEmpty)) throw new CatalogLostError();
    this.#adopt(read ?? emptyState);
    for (const [group, damage] of this.corruption.readMarks())
      this.#applier.quarantine(group, damage);
    store.read((view) => this.#indexes.readFailures(view));
    if (!this.#isForRepair) await this.#applyParked();
    const log = await this.#openLog(read === undefined);
    this.#log = log;
    const fail = (error: unknown): void => this.#fail(error as Error);
    spawn(async () => fail(await log.failed), fail);
    // Shards serve what was replayed from their memtables; tables and indexes must be those of the store.
    const last = this.#replay.last(metadataGroup);
    if (last !== this.#replay.applied(metadataGroup)) await this.#applier.drained();
    this.#replay.requireEnd(log);
    this.corruption.markLost(log.damaged);
    if (this.frozen === undefined && !this.#isForRepair) await removeStrays(store, this.state);
    if (!this.#isForRepair) await this.#settleUnchecked(log);
    this.#applier.truncateAsFlushed(log);
    const replication = new SingleNode(log);
    this.#replication = replication;
    this.#metadata = new MetadataGroup({
      replication,
      applier: this.#applier,
      state: this.state,
      applied: last,
      changed: (state) => this.#adopt(state),
      signal: this.#stopping.signal,
    });
    this.#adopt(this.state);
    if (this.frozen !== undefined || this.#isForRepair) return;
    this.#indexes.rebuildFailed();
    await this.transfers.abandonOld(this.state);
  }

  get #isForRepair(): boolean {
    return this.#options.isForRepair === true;
  }

  #applyParked(): Promise<void> {
    return applyParked({
      store: this.#options.store,
      applier: this.#applier,
      shards: Object.values(this.state.tables).flatMap(shardsOf),
      corruption: this.corruption,
    });
  }

  #openLog(isFirst: boolean): Promise<GroupLog> {
    return this.#options.openLog({
      isFirst,
      replayFrom: (group) => this.#replay.applied(group),
      isDispensable: (group) => group !== metadataGroup,
      onRecord: (record) => this.#replay.take(record),
      onProgress: (done, total) => this.#options.onProgress(done, total),
      signal: this.#options.signal,
    });
  }

  /** At the first start of a release that knows of it, nothing in a store was ever checked. */
  async #settleUnchecked(log: GroupLog): Promise<void> {
    const { store } = this.#options;
    if (store.read(areUncheckedKnown)) return;
    const shards = Object.values(this.state.tables).flatMap(shardsOf);
    const versions = shards.map(({ group, keyspace }): [number, number] => {
      const logged = log.recovery.lastIndex(group)?.index ?? 0;
      return [keyspace, Math.max(this.#replay.last(group), logged)];
    });
    await store.write((transaction) => markUnchecked(transaction, versions));
  }

  /** What the log has for tables and this release cannot apply; known after an opening for repair. */
  get notApplicable(): readonly EntryNotApplicableError[] {
    return this.#replay.notApplicable;
  }

  /** No start serves the table, until it is released. */
  async quarantine(tableId: string, damage: Damage): Promise<void> {
    const table = this.state.tables[tableId];
    if (table === undefined) return;
    for (const { group } of shardsOf(table)) await this.corruption.quarantine(group, damage);
    await this.#options.store.flushed();
  }

  /**
   * Ends the quarantine of a table, from the next start on: what its log had is applied then. Without
   * what cannot be applied, when entries are to be discarded; answers how many were.
   */
  async release(
    tableId: string,
    { discardEntries }: { readonly discardEntries: boolean },
  ): Promise<number> {
    const table = this.state.tables[tableId];
    if (table === undefined) return 0;
    await this.settled();
    const { store } = this.#options;
    const discarded = await store.write((transaction) =>
      shardsOf(table).reduce(
        (sum, shard) => sum + releaseGroup(transaction, shard, discardEntries),
        0,
      ),
    );
    await store.flushed();
    return discarded;
  }

  /** While the metadata cannot be changed, nobody reads it. */
  async #rebuildDamaged(tableId: string, keyspace: number): Promise<void> {
    const message = 'a scrub found it damaged';
    if (this.frozen !== undefined)
      this.#indexes.failures.fail(keyspace, { message, isRebuilt: true });
    else await this.#rebuildAlone(tableId, keyspace);
  }

  /** For an index whose entries are wrong; nobody waits for it. */
  async #rebuildAlone(tableId: string, keyspace: number): Promise<void> {
    if (this.#metadata === undefined || this.frozen !== undefined) return;
    try {
      await this.rebuildIndex(tableId, keyspace);
    } catch (error) {
      // What the log refused is asked for again by the next start, or the next scrub.
      if (!this.#stopping.signal.aborted && !isRefusal(error)) this.#fail(error as Error);
    }
  }

  /** Makes shards, indexes and background work what the metadata says, where it has changed. */
  #adopt(state: MetadataState): void {
    this.#tables.adopt(state, this.#indexes);
    if (this.#metadata === undefined || this.#isForRepair) return;
    assert(this.#replication !== undefined, 'shards are served when the log is open');
    const changes = this.#tables.serve(this.#replication, {
      options: this.#options,
      corruption: this.corruption,
      unchecked: this.#unchecked,
      budget: this.#budget,
      cache: this.#cache,
      applier: this.#applier,
      replay: this.#replay,
    });
    if (this.frozen === undefined) this.#maintenance.start(changes);
    this.#watch.notify();
  }

  /** Requests that do not touch the damage go on; an index stays as unready as it is. */
  #maintenanceFailed(error: Error): void {
    const { corruption } = this;
    if (error instanceof StorageCorruptError) corruption.report(corruption.named(error));
    else if (error instanceof PhotonError && error.code === 'storage.corrupt')
      corruption.reportPage(error);
    else this.#fail(error);
  }
}
