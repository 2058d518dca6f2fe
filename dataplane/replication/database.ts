import { assert } from '../common/assert.ts';
import type { Clock } from '../common/clock.ts';
import type { StoreStatistics } from '../kv/store.ts';
import type { MetadataCommand, Refused } from '../metadata/apply.ts';
import { emptyState, qualifiedName, tableOfKeyspace, userIndexes } from '../metadata/state.ts';
import type { IndexRecord, MetadataState, TableRecord, Verifier } from '../metadata/state.ts';
import type { AppliedIndex } from '../table/apply.ts';
import { StorageCorruptError } from '../table/errors.ts';
import type { KeyspaceWalk } from '../table/keyspace-walk.ts';
import type { Finding } from '../table/keyspace-scrub.ts';
import { readStatistics } from '../table/statistics.ts';
import { Applier, metadataGroup, readApplied, readMetadata } from './applier.ts';
import { Background } from './background.ts';
import { removeStrays } from './clear.ts';
import type { ApplyStore, CompileIndex, DocumentCodec, GroupLog, LogReplay } from './contract.ts';
import { CatalogLostError, DatabaseStoppedError } from './errors.ts';
import { DocumentCache } from './document-cache.ts';
import type { ExpiringTable } from './expiry.ts';
import { Integrity } from './integrity.ts';
import { MetadataGroup } from './metadata-group.ts';
import { OverlayBudget } from './overlay-budget.ts';
import { Replay } from './replay.ts';
import { isEmpty, Scrubber } from './scrubber.ts';
import type { ScrubCounters, ScrubPlan } from './scrubber.ts';
import { TableGroup } from './table-group.ts';
import { Transfers } from './transfer/transfers.ts';

/**
 * All data of a node: one metadata group and a group for each table, over one log and one store.
 * Opening replays what the log has and the store has not.
 */
export interface DatabaseOptions {
  readonly store: ApplyStore;
  openLog(replay: LogReplay): Promise<GroupLog>;
  readonly codec: DocumentCodec;
  readonly compileIndex: CompileIndex;
  /** Bytes of writes that may wait for the store. */
  readonly overlayBytesMax: number;
  /** Bytes of documents that are kept because they were read by their key; zero for none. */
  readonly cacheBytesMax: number;
  onProgress(doneBytes: number, totalBytes: number): void;
  readonly signal: AbortSignal;
}

/** Entries of this many times the overlay may be replayed before the store has them. */
const replayedShareMax = 2;

export interface IndexState extends IndexRecord {
  /** How much of it is there: from 0 to 1, and 1 only when it is ready. */
  readonly progress: number;
}

export interface DatabaseMetrics {
  readonly overlayBytes: number;
  readonly cache: { readonly bytes: number; readonly hits: number; readonly misses: number };
  readonly scrub: ScrubCounters;
  /** Committed entries that the store has not yet. */
  readonly applyQueue: number;
  readonly store: StoreStatistics;
  readonly logBytesAtStart: number;
  readonly tables: readonly {
    /** `database.table` */
    readonly name: string;
    readonly appliedIndex: number;
    readonly documents: number;
    /** Of stored keys and values, without indexes. */
    readonly bytes: number;
    readonly reads: number;
    readonly writes: number;
  }[];
}

export class Database {
  /** Resolves with the reason when the node cannot go on: its process must end. */
  readonly failed: Promise<Error>;
  readonly integrity: Integrity;
  readonly transfers: Transfers;
  readonly #options: DatabaseOptions;
  readonly #applier: Applier;
  readonly #budget: OverlayBudget;
  readonly #cache: DocumentCache;
  readonly #groups = new Map<number, TableGroup>();
  readonly #indexes = new Map<number, AppliedIndex>();
  readonly #walks = new Map<number, KeyspaceWalk>();
  readonly #background: Background;
  readonly #scrubber: Scrubber;
  readonly #stopping = new AbortController();
  readonly #replay: Replay;
  readonly #watchers = new Set<() => void>();
  #state: MetadataState = emptyState;
  #metadata: MetadataGroup | undefined;
  #log: GroupLog | undefined;
  #fail: (error: Error) => void = () => undefined;

  private constructor(options: DatabaseOptions) {
    this.#options = options;
    this.failed = new Promise((resolve) => (this.#fail = resolve));
    this.#budget = new OverlayBudget(options.overlayBytesMax);
    this.#cache = new DocumentCache(options.cacheBytesMax);
    this.integrity = new Integrity({ store: options.store, state: () => this.#state });
    this.#applier = new Applier({
      store: options.store,
      indexesOf: (group) => this.#indexesOf(group),
      walks: this.#walks,
      damaged: async (error) => {
        const { code, message } = this.integrity.named(error);
        await this.integrity.mark(error.keyspace, { code, message });
      },
      failed: (error) => this.#fail(error),
    });
    this.#replay = new Replay({
      store: options.store,
      applier: this.#applier,
      bytesMax: replayedShareMax * options.overlayBytesMax,
      state: () => this.#state,
      adopt: (state) => this.#adopt(state),
    });
    this.#background = new Background({
      store: options.store,
      state: () => this.#state,
      isDamaged: (group) => this.integrity.groups.of(group) !== undefined,
      index: (keyspace) => this.#indexes.get(keyspace),
      settled: () => this.settled(),
      change: (command) => this.change(command),
      failed: (error) => this.#backgroundFailed(error),
      signal: this.#stopping.signal,
    });
    this.#scrubber = new Scrubber({
      store: options.store,
      walks: this.#walks,
      state: () => this.#state,
      index: (keyspace) => this.#indexes.get(keyspace),
      isDamaged: (group) => this.integrity.groups.of(group) !== undefined,
      mark: ({ keyspace }, damage) => this.integrity.mark(keyspace, damage),
      rebuildIndex: (tableId, keyspace) => this.rebuildIndex(tableId, keyspace),
      signal: this.#stopping.signal,
    });
    this.transfers = new Transfers({
      store: options.store,
      applier: this.#applier,
      state: () => this.#state,
      change: (command) => this.change(command),
      group: (tableId) => this.group(tableId),
      settled: () => this.settled(),
      compileIndex: options.compileIndex,
      signal: this.#stopping.signal,
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
  group(tableId: string): TableGroup | undefined {
    const table = this.#state.tables[tableId];
    return table === undefined ? undefined : this.#groups.get(table.keyspace);
  }

  index(keyspace: number): AppliedIndex | undefined {
    return this.#indexes.get(keyspace);
  }

  indexStates(table: TableRecord): IndexState[] {
    return userIndexes(table).map((index) => ({ ...index, progress: this.#progressOf(index) }));
  }

  /** Tables whose documents end by themselves, but for damaged ones. */
  expiringTables(): ExpiringTable[] {
    return Object.values(this.#state.tables).flatMap(({ id, expireAt: field, indexes }) => {
      const index = indexes.find(({ system }) => system === 'expiry')?.keyspace;
      const group = this.group(id);
      if (field === undefined || index === undefined || group === undefined) return [];
      if (this.integrity.groups.of(group.options.group) !== undefined) return [];
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
      overlayBytes: this.#budget.used,
      cache: { bytes: this.#cache.bytes, ...this.#cache.counters },
      scrub: this.#scrubber.counters,
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
   * Looks at every row and index entry once: marks tables that are damaged, and builds indexes anew.
   * With a clock it takes its time; answers what it found.
   */
  scrub(clock?: Clock): Promise<readonly Finding[]> {
    return this.#scrubber.pass(clock);
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

  /** Everything acknowledged is on the medium when it resolves. Requests must have ended before. */
  async stop(): Promise<void> {
    this.#stopping.abort(new DatabaseStoppedError());
    await Promise.allSettled([...this.#groups.values()].map((group) => group.sync()));
    await this.transfers.stopped();
    await this.#background.stopped();
    await this.#scrubber.stopped();
    await this.#applier.stop();
    await this.#log?.close();
    await this.#options.store.close();
  }

  async #open(): Promise<void> {
    const { store } = this.#options;
    const stored = store.read(readMetadata);
    if (stored === undefined && !store.read(isEmpty)) throw new CatalogLostError();
    this.#adopt(stored ?? emptyState);
    for (const keyspace of this.integrity.readMarks()) this.#applier.skip(keyspace);
    const log = await this.#openLog(stored === undefined);
    this.#log = log;
    void log.failed.then((error) => this.#fail(error));
    // Groups serve what was replayed from their overlays; tables and indexes must be those of the store.
    const last = this.#replay.last(metadataGroup);
    if (last !== this.#replay.applied(metadataGroup)) await this.#applier.drained();
    this.#replay.requireEnd(log);
    this.integrity.markLost(log.damaged);
    await removeStrays(store, this.#state);
    this.#applier.releaseFrom(log);
    this.#metadata = new MetadataGroup(
      { state: this.#state, nextIndex: last + 1, signal: this.#stopping.signal },
      log,
      this.#applier,
      (state) => this.#adopt(state),
    );
    this.#adopt(this.#state);
    await this.transfers.abandonOld(this.#state);
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

  /** Makes groups, indexes and background work what the metadata says. */
  #adopt(state: MetadataState): void {
    this.#state = state;
    const tables = Object.values(state.tables);
    const indexes = tables.flatMap((table) => table.indexes);
    const wanted = new Set(indexes.map((index) => index.keyspace));
    for (const keyspace of this.#indexes.keys()) {
      if (!wanted.has(keyspace)) this.#indexes.delete(keyspace);
    }
    for (const index of indexes) {
      if (this.#indexes.has(index.keyspace)) continue;
      const keysOf = this.#options.compileIndex(index.definition, index.multi, index.geo);
      this.#indexes.set(index.keyspace, { keyspace: index.keyspace, keysOf });
    }
    if (this.#metadata === undefined) return;
    const live = new Set(tables.map((table) => table.keyspace));
    for (const keyspace of this.#groups.keys()) {
      if (live.has(keyspace)) continue;
      this.#groups.get(keyspace)?.options.cache.forget();
      this.#groups.delete(keyspace);
      this.integrity.groups.clear(keyspace);
    }
    for (const table of tables) {
      if (!this.#groups.has(table.keyspace)) this.#groups.set(table.keyspace, this.#groupOf(table));
    }
    this.#background.start();
    for (const done of this.#watchers) done();
    this.#watchers.clear();
  }

  #groupOf(table: TableRecord): TableGroup {
    assert(this.#log !== undefined, 'groups are made when the log is open');
    const { store, codec } = this.#options;
    return new TableGroup({
      group: table.keyspace,
      name: qualifiedName(this.#state, table),
      primaryKey: table.primaryKey,
      store,
      codec,
      log: this.#log,
      applier: this.#applier,
      budget: this.#budget,
      damagedGroups: this.integrity.groups,
      cache: this.#cache.group(),
      indexes: () => this.#indexesOf(table.keyspace) ?? [],
      replayed: this.#replay.entries.of(table.keyspace),
      damaged: (error) => this.integrity.meet(error),
    });
  }

  /** Requests that do not touch the damage go on; an index stays as unready as it is. */
  #backgroundFailed(error: Error): void {
    if (error instanceof StorageCorruptError) this.integrity.meet(this.integrity.named(error));
    else this.#fail(error);
  }

  #indexesOf(group: number): readonly AppliedIndex[] | undefined {
    return tableOfKeyspace(this.#state, group)?.indexes.map((index) => {
      const compiled = this.#indexes.get(index.keyspace);
      assert(compiled !== undefined, 'every index of the metadata is compiled');
      return compiled;
    });
  }
}
