import type { EntryNotApplicableError } from '../apply/errors.ts';
import type { MetadataLog } from '../apply/tables.ts';
import { allEnded } from '../common/all-ended.ts';
import { assert } from '../common/assert.ts';
import { PhotonError } from '../common/errors.ts';
import { InTurn } from '../common/in-turn.ts';
import type { CorruptionRegistry } from '../integrity/corruption-registry.ts';
import type { Damage } from '../integrity/damage.ts';
import type { StoreStatistics } from '../kv/store.ts';
import type { ExpiringTable } from '../maintenance/expiry.ts';
import type { ScrubPlan } from '../maintenance/scrubber.ts';
import type { MetadataCommand, Refused } from '../metadata/command.ts';
import type { MetadataState, ShardRecord, TableRecord, Verifier } from '../metadata/state.ts';
import { metadataGroup } from '../replication/entry-kind.ts';
import { isWithdrawal, NotLeaderError } from '../replication/errors.ts';
import type { GroupLog } from '../replication/log.ts';
import type { GroupStart, ReplicatedGroup, Replication } from '../replication/replicated-group.ts';
import { SingleNode } from '../replication/single-node.ts';
import type { ShardReplica } from '../shard/shard-replica.ts';
import type { ShardedTable } from '../shard/sharded-table.ts';
import type { AppliedIndex } from '../table/apply.ts';
import { StorageCorruptError } from '../table/errors.ts';
import type { Finding } from '../table/keyspace-scrub.ts';
import type { Transfers } from '../transfer/transfers.ts';
import { DatabaseStoppedError } from './errors.ts';
import { expiringTables } from './expiring-tables.ts';
import { MetadataGroup } from './metadata-group.ts';
import { metadataStart, shardStart } from './membership.ts';
import { MetadataWatch } from './metadata-watch.ts';
import { metricsOf, stored } from './metrics.ts';
import type { DatabaseMetrics, DatabaseOptions } from './options.ts';
import { assemble } from './parts.ts';
import type { DatabaseParts } from './parts.ts';
import { recover } from './recovery.ts';
import { quarantineTable, releaseTable } from './repair.ts';
import { reshard } from './reshard.ts';
import type { FailedIndex, IndexState } from './table-indexes.ts';

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
  readonly #parts: DatabaseParts;
  readonly #watch = new MetadataWatch();
  readonly #resharding = new InTurn();
  readonly #stopping = new AbortController();
  #metadata: MetadataGroup | undefined;
  #log: GroupLog | undefined;
  #replication: Replication | undefined;
  #metadataIndex = 0;
  #fail: (error: Error) => void = () => undefined;

  private constructor(options: DatabaseOptions) {
    this.#options = options;
    this.failed = new Promise((resolve) => (this.#fail = resolve));
    this.#parts = assemble(options, {
      metadata: {
        change: (command) => this.#changeOrForward(command),
        settled: () => this.settled(),
      },
      isOpen: () => this.#metadata !== undefined,
      adopt: (state) => this.#adopt(state),
      metadataRestored: (state, index) => {
        this.#metadata?.restored(state);
        this.#metadataIndex = index;
        this.#adopt(state);
      },
      notify: () => this.#watch.notify(),
      rebuildIndex: (tableId, keyspace) => this.#rebuildDamaged(tableId, keyspace),
      failed: (error) => this.#fail(error),
      maintenanceFailed: (error) => this.#maintenanceFailed(error),
      signal: this.#stopping.signal,
    });
    this.corruption = this.#parts.corruption;
    this.transfers = this.#parts.transfers;
  }

  static async open(options: DatabaseOptions): Promise<Database> {
    const database = new Database(options);
    await database.#open();
    return database;
  }

  get state(): MetadataState {
    return this.#parts.tables.state;
  }

  verifier(user: string): Verifier | undefined {
    const { users } = this.state;
    return Object.hasOwn(users, user) ? users[user] : undefined;
  }

  /** Undefined when it was dropped. */
  table(id: string): ShardedTable | undefined {
    return this.#parts.tables.table(id);
  }

  /** The replica of a shard's group on this node, if it has one. */
  replica(group: number): ShardReplica | undefined {
    return this.#parts.tables.replica(group);
  }

  /** The members of the metadata's group, and who leads it. */
  get metadataReplicas(): ReplicatedGroup | undefined {
    return this.#metadata?.replicas;
  }

  /** All groups that this node has a replica of. */
  get replicatedGroups(): readonly ReplicatedGroup[] {
    const shards = Array.from(this.#parts.tables.replicas, ({ replicas }) => replicas);
    const metadata = this.metadataReplicas;
    return metadata === undefined ? shards : [metadata, ...shards];
  }

  /** The last entry of the metadata that `state` has. */
  get metadataIndex(): number {
    return this.#metadataIndex;
  }

  /** Resolves when `state` has an entry of the metadata. */
  async metadataAt(index: number, signal: AbortSignal): Promise<void> {
    while (this.#metadataIndex < index) await this.changed(signal);
  }

  /** Takes a part of a group's state from another node, and answers it. */
  snapshotRequest(part: Uint8Array): Promise<Uint8Array> {
    return this.#parts.snapshots.request(part);
  }

  /** Shards whose replicas differ, and of which no majority says which is right. */
  get undecided(): readonly string[] {
    return this.#parts.care.undecided;
  }

  /** By the keyspace of a part; undefined for an index that is gone or has failed, or that this node has not built. */
  index(keyspace: number): AppliedIndex | undefined {
    const { tables } = this.#parts;
    const isUnbuilt =
      this.#options.replicate !== undefined && !tables.isReady({ keyspace, ready: false });
    return isUnbuilt ? undefined : tables.index(keyspace);
  }

  indexStates(table: TableRecord): IndexState[] {
    const { builder } = this.#parts.maintenance;
    return this.#parts.indexes.states(table, (keyspace) => builder.progressOf(keyspace));
  }

  /** Indexes that are not kept any more, with their tables, and why. */
  failedIndexes(): readonly FailedIndex[] {
    return this.#parts.indexes.failed();
  }

  /** Why databases, tables and indexes cannot be changed, if they cannot. */
  get frozen(): Error | undefined {
    return this.#parts.replay.frozen ?? this.#metadata?.frozen;
  }

  /** Shards of tables with a document TTL, but for damaged ones. */
  expiringTables(): ExpiringTable[] {
    return expiringTables(this.#parts.tables, this.corruption);
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

  /** Of the node's own work, which goes to whoever leads. */
  async #changeOrForward(command: MetadataCommand): Promise<MetadataState | Refused> {
    try {
      return await this.change(command);
    } catch (error) {
      const forwarded =
        error instanceof NotLeaderError ? this.#options.forward?.(command) : undefined;
      if (forwarded === undefined) throw error;
      return forwarded;
    }
  }

  /** Gives a table without documents another number of shards. */
  reshard(tableId: string, shards: number): Promise<MetadataState | Refused> {
    return this.#resharding.run(() => reshard(this, tableId, shards));
  }

  /** Resolves at the next change of the metadata; rejects when the signal says so. */
  changed(signal: AbortSignal): Promise<void> {
    return this.#watch.changed(signal);
  }

  /** Of what a shard publishes for processes that read the store themselves; 0 when they may not. */
  directVersionOf(group: number): number {
    return this.#parts.directReads?.versionOf(group) ?? 0;
  }

  /** No process reads the store directly any more. */
  endDirectReads(): void {
    this.#parts.directReads?.switchOff();
  }

  /** A process that read the store has ended. */
  releaseReaders(): void {
    this.#options.store.releaseReaders?.();
  }

  /** Of what the log has and the store has not. */
  get pendingBytes(): number {
    return this.#parts.budget.used;
  }

  /** Of the data file of all tables. */
  storage(): StoreStatistics {
    return this.#options.store.statistics();
  }

  /** Bytes of the stored keys and values of a table, and of its documents in memory. */
  sizeOf(tableId: string): {
    readonly dataBytes: number;
    readonly cachedBytes: number;
  } {
    const table = this.state.tables[tableId];
    if (table === undefined) return { dataBytes: 0, cachedBytes: 0 };
    const shards = this.table(tableId)?.shards ?? [];
    const cachedBytes = shards.reduce((sum, { options }) => sum + options.cache.bytes, 0);
    return { dataBytes: stored(table, this.#options.store).bytes, cachedBytes };
  }

  metrics(): DatabaseMetrics {
    return metricsOf(this.#options.store, this.#parts, this.#log);
  }

  /**
   * Reads every row and index entry once, without pauses: marks damaged tables and rebuilds damaged indexes.
   * Resolves with what it found.
   */
  scrub(): Promise<readonly Finding[]> {
    return this.#parts.maintenance.scrubber.pass();
  }

  /** Scrubs from time to time, and says what came of it, until the database stops. */
  scrubAlways(plan: ScrubPlan): Promise<void> {
    return this.#parts.maintenance.scrubber.run(plan);
  }

  /** Resolves when the store has everything that is committed now. */
  settled(): Promise<void> {
    return this.#parts.applier.drained();
  }

  /** Truncates the front of the log up to what the store has now, as happens periodically. */
  checkpoint(): Promise<void> {
    return this.#parts.applier.checkpoint();
  }

  /**
   * Everything acknowledged is on the medium when it resolves; it rejects when something is not, and has closed
   * everything all the same. Requests must have ended before.
   */
  async stop(): Promise<void> {
    this.#stopping.abort(new DatabaseStoppedError());
    const failures: unknown[] = [];
    for (const step of [
      () => allEnded(Array.from(this.#parts.tables.replicas, (replica) => this.#flushed(replica))),
      () => this.transfers.stopped(),
      () => this.#parts.maintenance.stopped(),
      () => this.#replication?.stop(),
      () => this.#parts.applier.stop(),
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
      if (!isWithdrawal(error)) throw error;
    }
  }

  async #open(): Promise<void> {
    const log = await recover(this.#options, this.#parts, {
      adopt: (state) => this.#adopt(state),
      failed: (error) => this.#fail(error),
    });
    this.#log = log;
    const { applier, replay, indexes } = this.#parts;
    const { replicate } = this.#options;
    const replication = replicate?.open(log) ?? new SingleNode(log);
    this.#replication = replication;
    const { applied, ...membership } = metadataStart(this.#parts);
    const last = replay.last(metadataGroup);
    this.#metadataIndex = last;
    this.#metadata = new MetadataGroup({
      replication,
      applier,
      state: this.state,
      start: { ...membership, applied: { ...applied, index: last } },
      failed: (error) => this.#fail(error),
      changed: (state, index) => {
        this.#metadataIndex = index;
        this.#adopt(state);
      },
      signal: this.#stopping.signal,
    });
    this.#adopt(this.state);
    if (replicate !== undefined && !this.#isForRepair) this.#parts.care.begin();
    if (this.frozen !== undefined || this.#isForRepair) return;
    indexes.rebuildFailed();
    // Imports of a cluster are those of other nodes, too.
    if (replicate === undefined) await this.transfers.abandonOld(this.state);
  }

  get #isForRepair(): boolean {
    return this.#options.isForRepair === true;
  }

  /** Where a shard's group continues, or that of the metadata: what the store has of it. */
  startOf(
    of: { readonly state: MetadataState; readonly shard: ShardRecord } | undefined,
  ): GroupStart {
    return of === undefined ? metadataStart(this.#parts) : shardStart(of, this.#parts);
  }

  /** What the log has for tables and this release cannot apply; known after an opening for repair. */
  get notApplicable(): readonly EntryNotApplicableError[] {
    return this.#parts.replay.notApplicable;
  }

  /** No start serves the table, until it is released. */
  async quarantine(tableId: string, damage: Damage): Promise<void> {
    const table = this.state.tables[tableId];
    const { corruption } = this;
    const { store } = this.#options;
    if (table !== undefined) await quarantineTable({ store, corruption }, table, damage);
  }

  /** Ends the quarantine of a table, from the next start on; resolves to how many entries were discarded. */
  async release(
    tableId: string,
    { discardEntries }: { readonly discardEntries: boolean },
  ): Promise<number> {
    const table = this.state.tables[tableId];
    if (table === undefined) return 0;
    await this.settled();
    return releaseTable(this.#options.store, table, discardEntries);
  }

  /** For an index whose entries are wrong. While the metadata cannot be changed, nobody reads it. */
  async #rebuildDamaged(tableId: string, keyspace: number): Promise<void> {
    if (this.#metadata === undefined) return;
    if (this.frozen !== undefined) {
      const message = 'a scrub found it damaged';
      this.#parts.indexes.failures.fail(keyspace, { message, isRebuilt: true });
      return;
    }
    try {
      await this.#changeOrForward({ type: 'rebuildIndex', tableId, keyspace });
    } catch (error) {
      // What the log refused is asked for again by the next start, or the next scrub.
      if (!this.#stopping.signal.aborted && !isWithdrawal(error)) this.#fail(error as Error);
    }
  }

  /** Makes shards, indexes and background work what the metadata says, where it has changed. */
  #adopt(state: MetadataState): void {
    this.#parts.tables.adopt(state, this.#parts.indexes);
    if (this.#metadata === undefined || this.#isForRepair) return;
    assert(this.#replication !== undefined, 'shards are served when the log is open');
    const { tables, maintenance } = this.#parts;
    const { signal } = this.#stopping;
    const serving = { ...this.#parts, replication: this.#replication, signal };
    const changes = tables.serve(serving);
    for (const shard of changes.moved) {
      maintenance.collector.vacate(shard, () => {
        const table = tables.vacated(shard, serving);
        if (table !== undefined) maintenance.start({ put: [table], removed: [] });
        this.#watch.notify();
      });
    }
    if (this.frozen === undefined) maintenance.start(changes);
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
