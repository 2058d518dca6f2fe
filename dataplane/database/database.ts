import { Applier, readApplied } from '../apply/applier.ts';
import { applyParked } from '../apply/apply-parked.ts';
import { readMetadata } from '../apply/catalog.ts';
import { CatalogLostError } from '../apply/errors.ts';
import type { EntryNotApplicableError } from '../apply/errors.ts';
import { releaseGroup } from '../apply/release-group.ts';
import { Replay } from '../apply/replay.ts';
import { allEnded } from '../common/all-ended.ts';
import { assert } from '../common/assert.ts';
import { PhotonError } from '../common/errors.ts';
import { spawn } from '../common/spawn.ts';
import { CorruptionRegistry } from '../integrity/corruption-registry.ts';
import type { Damage } from '../integrity/damage.ts';
import {
  areUncheckedKnown,
  markUnchecked,
  readUnchecked,
  UncheckedVersions,
} from '../integrity/unchecked.ts';
import type { StoreStatistics } from '../kv/store.ts';
import { Background } from '../maintenance/background.ts';
import { removeStrays } from '../maintenance/clear.ts';
import type { ExpiringTable } from '../maintenance/expiry.ts';
import { isEmpty, Scrubber } from '../maintenance/scrubber.ts';
import type { ScrubPlan } from '../maintenance/scrubber.ts';
import { tableChanges } from '../metadata/changes.ts';
import type { MetadataCommand, Refused } from '../metadata/command.ts';
import { emptyState, qualifiedName } from '../metadata/state.ts';
import { tableOfKeyspace } from '../metadata/lookup.ts';
import type { IndexRecord, MetadataState, TableRecord, Verifier } from '../metadata/state.ts';
import { metadataGroup } from '../replication/entry-kind.ts';
import { isRefusal } from '../replication/errors.ts';
import type { GroupLog } from '../replication/log.ts';
import { DocumentCache } from '../shard/document-cache.ts';
import { MemtableBudget } from '../shard/memtable-budget.ts';
import { ShardReplica } from '../shard/shard-replica.ts';
import { commandBytesMaxDefault } from '../shard/write-path.ts';
import type { AppliedIndex } from '../table/apply.ts';
import { StorageCorruptError } from '../table/errors.ts';
import type { Finding } from '../table/keyspace-scrub.ts';
import type { KeyspaceWalk } from '../table/keyspace-walk.ts';
import { readStatistics } from '../table/statistics.ts';
import { Transfers } from '../transfer/transfers.ts';
import { DatabaseStoppedError } from './errors.ts';
import { MetadataGroup } from './metadata-group.ts';
import type { DatabaseMetrics, DatabaseOptions } from './options.ts';
import { TableIndexes } from './table-indexes.ts';
import type { FailedIndex, IndexState } from './table-indexes.ts';

/** Entries of this many times the memtable may be replayed before the store has them. */
const replayedShareMax = 2;

/**
 * All data of a node: one metadata group and a group for each table, over one log and one store.
 * Opening replays what the log has and the store has not.
 */
export class Database {
  /** Resolves with the reason when the node cannot go on: its process must end. */
  readonly failed: Promise<Error>;
  readonly corruption: CorruptionRegistry;
  readonly transfers: Transfers;
  readonly #options: DatabaseOptions;
  readonly #applier: Applier;
  readonly #budget: MemtableBudget;
  readonly #cache: DocumentCache;
  readonly #groups = new Map<number, ShardReplica>();
  readonly #indexes: TableIndexes;
  readonly #walks = new Map<number, KeyspaceWalk>();
  readonly #background: Background;
  readonly #scrubber: Scrubber;
  readonly #unchecked = new UncheckedVersions();
  readonly #stopping = new AbortController();
  readonly #replay: Replay;
  readonly #watchers = new Set<() => void>();
  #state: MetadataState = emptyState;
  /** Of which the tables have groups. */
  #served: MetadataState = emptyState;
  #metadata: MetadataGroup | undefined;
  #log: GroupLog | undefined;
  #fail: (error: Error) => void = () => undefined;

  private constructor(options: DatabaseOptions) {
    this.#options = options;
    const base = { store: options.store, clock: options.clock };
    this.failed = new Promise((resolve) => (this.#fail = resolve));
    this.#budget = new MemtableBudget(options.memtableBytesMax, () => this.#applier.hurry());
    this.#cache = new DocumentCache(options.cacheBytesMax);
    this.corruption = new CorruptionRegistry({ store: options.store, state: () => this.#state });
    this.#indexes = this.#newIndexes();
    this.#applier = new Applier({
      ...base,
      indexesOf: (group) => this.#indexesOf(group),
      walks: this.#walks,
      failures: this.#indexes.failures,
      unchecked: this.#unchecked,
      problemOf: (group, text, key) => this.#problemOf(group, text, key),
      written: (group, key) => this.corruption.documents.replaced(group, key),
      quarantine: (group, damage) => this.#quarantine(group, damage),
      isAwaited: () => this.#budget.isAwaited,
      failed: (error) => this.#fail(error),
    });
    this.#replay = new Replay({
      store: options.store,
      applier: this.#applier,
      bytesMax: replayedShareMax * options.memtableBytesMax,
      isForRepair: options.isForRepair === true,
      state: () => this.#state,
      adopt: (state) => this.#adopt(state),
      isQuarantined: (group) => this.corruption.groups.of(group) !== undefined,
      quarantine: (group, damage) => this.#quarantine(group, damage),
    });
    this.#background = new Background({
      ...base,
      state: () => this.#state,
      isDamaged: (group) => this.corruption.groups.of(group) !== undefined,
      index: (keyspace) => this.index(keyspace),
      saveFailures: (transaction) => this.#indexes.failures.save(transaction),
      damagedDocument: (error) => this.corruption.report(this.corruption.named(error)),
      settled: () => this.settled(),
      change: (command) => this.change(command),
      failed: (error) => this.#backgroundFailed(error),
      signal: this.#stopping.signal,
    });
    this.#scrubber = new Scrubber({
      ...base,
      walks: this.#walks,
      state: () => this.#state,
      index: (keyspace) => this.index(keyspace),
      isDamaged: (group) => this.corruption.groups.of(group) !== undefined,
      problemOf: (group, text, key) => this.#problemOf(group, text, key),
      unchecked: this.#unchecked,
      mark: ({ keyspace }, damage) => this.#mark(keyspace, damage),
      documents: this.corruption.documents,
      rebuildIndex: (tableId, keyspace) => this.#rebuildDamaged(tableId, keyspace),
      signal: this.#stopping.signal,
    });
    this.transfers = new Transfers({
      ...base,
      applier: this.#applier,
      state: () => this.#state,
      change: (command) => this.change(command),
      abandon: (keyspace) => this.#background.abandon(keyspace),
      group: (tableId) => this.group(tableId),
      settled: () => this.settled(),
      compileIndex: options.compileIndex,
      codec: options.codec,
      signal: this.#stopping.signal,
    });
  }

  #newIndexes(): TableIndexes {
    const { store, compileIndex } = this.#options;
    return new TableIndexes({
      store,
      compileIndex,
      state: () => this.#state,
      rebuild: (tableId, keyspace, ended) =>
        spawn(
          () => this.#rebuildAlone(tableId, keyspace).finally(ended),
          (error) => this.#fail(error as Error),
        ),
      failed: (failed) => {
        this.#options.indexFailed?.(failed);
        this.#notify();
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
    return this.#state;
  }

  verifier(user: string): Verifier | undefined {
    return Object.hasOwn(this.#state.users, user) ? this.#state.users[user] : undefined;
  }

  /** The group of a table; undefined when it was dropped. */
  group(tableId: string): ShardReplica | undefined {
    const table = this.#state.tables[tableId];
    return table === undefined ? undefined : this.#groups.get(table.keyspace);
  }

  /** Undefined for one that is gone or has failed: nobody reads, keeps or builds it. */
  index(keyspace: number): AppliedIndex | undefined {
    return this.#indexes.of(keyspace);
  }

  indexStates(table: TableRecord): IndexState[] {
    return this.#indexes.states(table, (index) => this.#progressOf(index));
  }

  /** Indexes that are not kept any more, with their tables, and why. */
  failedIndexes(): readonly FailedIndex[] {
    return this.#indexes.failed();
  }

  /** Why databases, tables and indexes cannot be changed, if they cannot. */
  get frozen(): Error | undefined {
    return this.#replay.frozen;
  }

  /** Tables whose documents end by themselves, but for damaged ones. */
  expiringTables(): ExpiringTable[] {
    return Object.values(this.#state.tables).flatMap(({ id, expireAt: field, indexes }) => {
      const index = indexes.find(({ system }) => system === 'expiry')?.keyspace;
      const group = this.group(id);
      if (field === undefined || index === undefined || group === undefined) return [];
      if (this.corruption.groups.of(group.options.group) !== undefined) return [];
      if (this.index(index) === undefined) return [];
      return [{ group, field, index }];
    });
  }

  #progressOf({ keyspace, ready }: IndexRecord): number {
    if (ready) return 1;
    return this.#background.progressOf(keyspace);
  }

  /**
   * Builds an index anew, because its entries cannot be trusted: nobody reads it until it is ready
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

  /** Resolves at the next change of the metadata; rejects when the signal says so. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const aborted = (): void => {
        this.#watchers.delete(done);
        reject(signal.reason as Error);
      };
      const done = (): void => {
        signal.removeEventListener('abort', aborted);
        resolve();
      };
      if (signal.aborted) return aborted();
      signal.addEventListener('abort', aborted, { once: true });
      this.#watchers.add(done);
      return undefined;
    });
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
    const group = this.group(tableId);
    if (group === undefined) return { dataBytes: 0, cachedBytes: 0 };
    const { bytes } = this.#options.store.read((view) => readStatistics(view, group.options.group));
    return { dataBytes: bytes, cachedBytes: group.options.cache.bytes };
  }

  metrics(): DatabaseMetrics {
    const { store } = this.#options;
    return {
      memtableBytes: this.#budget.used,
      cache: { bytes: this.#cache.bytes, ...this.#cache.counters },
      scrub: this.#scrubber.counters,
      failedIndexes: this.#indexes.failures.size,
      failedEvaluations: this.#indexes.failures.failedEvaluations,
      damagedDocuments: this.corruption.documents.count,
      applyQueue: this.#applier.waiting,
      store: this.storage(),
      logBytesAtStart: this.#log?.recovery.bytes ?? 0,
      tables: Object.values(this.#state.tables).map((table) => ({
        name: qualifiedName(this.#state, table),
        appliedIndex: store.read((view) => readApplied(view, table.keyspace)),
        documents: this.#groups.get(table.keyspace)?.count ?? 0,
        bytes: store.read((view) => readStatistics(view, table.keyspace)).bytes,
        ...(this.#groups.get(table.keyspace)?.counters ?? { reads: 0, writes: 0 }),
      })),
    };
  }

  /**
   * Reads every row and index entry once, without pauses: marks damaged tables and rebuilds damaged indexes.
   * Resolves with what it found.
   */
  scrub(): Promise<readonly Finding[]> {
    return this.#scrubber.pass();
  }

  /** Scrubs from time to time, and says what came of it, until the database stops. */
  scrubAlways(plan: ScrubPlan): Promise<void> {
    return this.#scrubber.run(plan);
  }

  /** Resolves when the store has everything that is committed now. */
  settled(): Promise<void> {
    return this.#applier.drained();
  }

  /** Lets the log go of what the store has now, as happens by itself from time to time. */
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
      () => allEnded([...this.#groups.values()].map((group) => this.#flushed(group))),
      () => this.transfers.stopped(),
      () => this.#background.stopped(),
      () => this.#scrubber.stopped(),
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
  async #flushed(group: ShardReplica): Promise<void> {
    try {
      await group.sync();
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }

  async #open(): Promise<void> {
    const { store } = this.#options;
    const stored = store.read(readMetadata);
    if (stored === undefined && !store.read(isEmpty)) throw new CatalogLostError();
    this.#adopt(stored ?? emptyState);
    for (const [group, damage] of this.corruption.readMarks())
      this.#applier.quarantine(group, damage);
    store.read((view) => this.#indexes.readFailures(view));
    if (!this.#isForRepair) await this.#applyParked();
    const log = await this.#openLog(stored === undefined);
    this.#log = log;
    const fail = (error: unknown): void => this.#fail(error as Error);
    spawn(async () => fail(await log.failed), fail);
    // Groups serve what was replayed from their memtables; tables and indexes must be those of the store.
    const last = this.#replay.last(metadataGroup);
    if (last !== this.#replay.applied(metadataGroup)) await this.#applier.drained();
    this.#replay.requireEnd(log);
    this.corruption.markLost(log.damaged);
    if (this.frozen === undefined && !this.#isForRepair) await removeStrays(store, this.#state);
    if (!this.#isForRepair) await this.#settleUnchecked(log);
    this.#applier.truncateAsFlushed(log);
    this.#metadata = new MetadataGroup(
      { state: this.#state, nextIndex: last + 1, signal: this.#stopping.signal },
      log,
      this.#applier,
      (state) => this.#adopt(state),
    );
    this.#adopt(this.#state);
    if (this.frozen !== undefined || this.#isForRepair) return;
    this.#indexes.rebuildFailed();
    await this.transfers.abandonOld(this.#state);
  }

  get #isForRepair(): boolean {
    return this.#options.isForRepair === true;
  }

  #applyParked(): Promise<void> {
    return applyParked({
      store: this.#options.store,
      applier: this.#applier,
      groups: Object.values(this.#state.tables).map(({ keyspace }) => keyspace),
      isQuarantined: (group) => this.corruption.groups.of(group) !== undefined,
      quarantine: (group, damage) => this.#mark(group, damage),
    });
  }

  /** What the log has for tables and this release cannot apply; known after an opening for repair. */
  get notApplicable(): readonly EntryNotApplicableError[] {
    return this.#replay.notApplicable;
  }

  /** No start serves the table, until it is released. */
  async quarantine(tableId: string, damage: Damage): Promise<void> {
    const group = this.#state.tables[tableId]?.keyspace;
    if (group === undefined) return;
    await this.#mark(group, damage);
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
    const group = this.#state.tables[tableId]?.keyspace;
    if (group === undefined) return 0;
    await this.settled();
    const { store } = this.#options;
    const discarded = await store.write((transaction) =>
      releaseGroup(transaction, group, discardEntries),
    );
    await store.flushed();
    return discarded;
  }

  /** Whoever parks the next entry of the group writes the mark. */
  #quarantine(group: number, damage: Damage): void {
    this.corruption.groups.mark(group, damage);
    this.#applier.quarantine(group, damage);
    const table = tableOfKeyspace(this.#state, group);
    const name = table === undefined ? `group ${group}` : qualifiedName(this.#state, table);
    this.#options.tableQuarantined?.(name, damage);
  }

  async #mark(group: number, damage: Damage): Promise<void> {
    this.#quarantine(group, damage);
    await this.corruption.quarantine(group, damage);
  }

  /** At the first start of a release that knows of it, nothing in a store was ever checked. */
  async #settleUnchecked(log: GroupLog): Promise<void> {
    const { store } = this.#options;
    if (store.read(areUncheckedKnown)) return;
    const versions = Object.values(this.#state.tables).map(({ keyspace }): [number, number] => {
      const logged = log.recovery.lastIndex(keyspace)?.index ?? 0;
      return [keyspace, Math.max(this.#replay.last(keyspace), logged)];
    });
    await store.write((transaction) => markUnchecked(transaction, versions));
  }

  #problemOf(group: number, text: string, key: Uint8Array): string | undefined {
    const table = tableOfKeyspace(this.#state, group);
    if (table === undefined) return undefined;
    return this.#options.codec.problemOf(text, { key, primaryKey: table.primaryKey });
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

  #notify(): void {
    for (const done of this.#watchers) done();
    this.#watchers.clear();
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

  /** Makes groups, indexes and background work what the metadata says, where it has changed. */
  #adopt(state: MetadataState): void {
    const before = this.#state;
    this.#state = state;
    this.#indexes.adopt(tableChanges(before, state), before);
    if (this.#metadata === undefined || this.#isForRepair) return;
    const changes = tableChanges(this.#served, state);
    this.#served = state;
    for (const { keyspace } of changes.removed) {
      this.#groups.get(keyspace)?.options.cache.forget();
      this.#groups.delete(keyspace);
      this.corruption.groups.clear(keyspace);
      this.corruption.documents.forget(keyspace);
      this.#unchecked.forget(keyspace);
    }
    for (const table of changes.put) {
      if (!this.#groups.has(table.keyspace)) this.#groups.set(table.keyspace, this.#groupOf(table));
    }
    if (this.frozen === undefined) this.#background.start(changes);
    this.#notify();
  }

  #groupOf(table: TableRecord): ShardReplica {
    assert(this.#log !== undefined, 'groups are made when the log is open');
    const { store, codec } = this.#options;
    const group = table.keyspace;
    const unchecked = store.read((view) => readUnchecked(view, group));
    this.#unchecked.raise(group, unchecked);
    return new ShardReplica({
      group,
      name: qualifiedName(this.#state, table),
      primaryKey: table.primaryKey,
      store,
      codec,
      commandBytesMax: this.#options.commandBytesMax ?? commandBytesMaxDefault,
      log: this.#log,
      applier: this.#applier,
      budget: this.#budget,
      damagedGroups: this.corruption.groups,
      unchecked: this.#unchecked.of(group),
      problemOf: (text, key) => this.#problemOf(group, text, key),
      cache: this.#cache.group(),
      indexes: () => this.#indexesOf(table.keyspace) ?? [],
      replayed: this.#replay.entries.of(table.keyspace),
      damaged: (error) => this.corruption.report(error),
      softRefused: (refusal) =>
        this.#options.softRefused?.(qualifiedName(this.#state, table), refusal),
    });
  }

  /** Requests that do not touch the damage go on; an index stays as unready as it is. */
  #backgroundFailed(error: Error): void {
    if (error instanceof StorageCorruptError) this.corruption.report(this.corruption.named(error));
    else if (error instanceof PhotonError && error.code === 'storage.corrupt')
      this.corruption.reportPage(error);
    else this.#fail(error);
  }

  #indexesOf(group: number): readonly AppliedIndex[] | undefined {
    const table = tableOfKeyspace(this.#state, group);
    return table?.indexes.flatMap(({ keyspace }) => this.index(keyspace) ?? []);
  }
}
