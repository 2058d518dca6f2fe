/**
 * The contract of an ordered key-value store with transactions. Two implementations: `MemoryStore`
 * here and `LmdbStore` in storage/; both pass `store.compliance.ts`.
 *
 * Reads are synchronous. A write is asynchronous and resolves when it is *visible*; it is *durable*
 * only once `flushed()` says so. Keys order by unsigned bytes.
 */
export const databaseNames = ['meta', 'data', 'index', 'chunk', 'catalog'] as const;
export type DatabaseName = (typeof databaseNames)[number];

/** A half-open range `[start, end)` of keys; a missing bound is open. */
export interface KeyRange {
  readonly start?: Uint8Array;
  readonly end?: Uint8Array;
  /** Walks from the last key to the first. */
  readonly reverse?: boolean;
  /** At most so many entries; unlimited without it. */
  readonly limit?: number;
}

export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export type Visit = (borrowedKey: Uint8Array, borrowedValue: Uint8Array) => boolean;

export interface ReadTransaction {
  /** The value, which the caller owns (a copy); undefined when there is none. */
  get(database: DatabaseName, key: Uint8Array): Uint8Array | undefined;
  /** As `get`, but borrowed: read it before anything else is asked of the store, and keep nothing of it. */
  peek(database: DatabaseName, key: Uint8Array): Uint8Array | undefined;
  /** Entries in key order. Keys and values are the caller's own. */
  entries(database: DatabaseName, range: KeyRange): Iterable<Entry>;
  /** Visits entries in key order until `visit` answers false. Key and value are borrowed, as by `peek`. */
  walk(database: DatabaseName, range: KeyRange, visit: Visit): void;
}

export interface WriteTransaction extends ReadTransaction {
  put(database: DatabaseName, key: Uint8Array, value: Uint8Array): void;
  /** Says whether the key was there. */
  remove(database: DatabaseName, key: Uint8Array): boolean;
}

/** A view that does not change; must be released, and expires (a pinned reader makes the file grow). */
export interface Snapshot extends ReadTransaction, Disposable {
  readonly expired: boolean;
}

/** What a store takes of its medium; all zero of one in memory. */
export interface StoreStatistics {
  /** Bytes of the file. */
  readonly fileBytes: number;
  /** Of these, bytes that hold something. */
  readonly usedBytes: number;
  /** Of these, bytes that new entries take before the file grows. A reader that is held keeps some back. */
  readonly freeBytes: number;
  /** The largest size that the file may ever have. */
  readonly fileBytesMax: number;
  /** How long the oldest snapshot is held; 0 without one. */
  readonly oldestReaderMs: number;
}

export interface Store {
  /** Runs `body` synchronously over one consistent view; nothing of the view may be kept. */
  read<T>(body: (transaction: ReadTransaction) => T): T;
  snapshot(): Snapshot;
  /**
   * Runs `body` in one atomic transaction; bodies run one at a time in the order of the calls. An
   * exception in `body` rolls all of it back and rejects. Resolves when the result is visible.
   */
  write<T>(body: (transaction: WriteTransaction) => T): Promise<T>;
  /** Resolves when everything visible at the call is on the medium; rejects when a sync failed (then the process must end). */
  flushed(): Promise<void>;
  /** Gives up what readers in other processes hold that have ended. */
  releaseReaders?(): void;
  /** Cheap enough to be asked every second. */
  statistics(): StoreStatistics;
  close(): Promise<void>;
}

/** What the data plane needs of a store. */
export type ApplyStore = Omit<Store, 'snapshot'>;
