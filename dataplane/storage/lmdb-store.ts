import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import type { Database, RootDatabase, Transaction } from 'lmdb';
import type { Clock } from '../common/clock.ts';
import { PhotonError } from '../common/errors.ts';
import { databaseNames } from '../kv/store.ts';
import type {
  DatabaseName,
  ReadTransaction,
  Snapshot,
  Store,
  StoreStatistics,
  WriteTransaction,
} from '../kv/store.ts';
import { encodeChecked } from './checked-value.ts';
import { CommitRoom, freeBytesOf } from './commit-room.ts';
import { SnapshotExpiredError, StorageUnavailableError } from './errors.ts';
import { Lending, LendingKeys } from './lmdb-encoding.ts';
import { asBuffer, defaultMapBytes, lmdbRange, nameInLibrary, viewOf } from './lmdb-view.ts';
import type { Databases } from './lmdb-view.ts';
import { directoryMode, fileMode, restrict } from './modes.ts';
import { openGuarded } from './opening.ts';
import { checkHeads, checkRoots } from './roots.ts';
import { pageStatistics } from './page-statistics.ts';
import { WriteBuffer } from './write-buffer.ts';

export interface LmdbOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** The largest size that the file may ever have: address space, not memory. */
  readonly mapBytes?: number;
  /** A snapshot that lives longer makes the file grow: it expires. */
  readonly snapshotMs?: number;
  /** Called with the number of bytes that a commit waits for on a full disk, and with 0 when it resumes. */
  readonly waiting?: (missingBytes: number) => void;
  /** Ends waiting for room. The store itself is ended by `close`. */
  readonly signal?: AbortSignal;
  /** Called after each commit, with the time from its changes until it was visible. */
  readonly committed?: (ms: number) => void;
  /** Of the disk; as the system says when it is not given. */
  readonly freeBytes?: () => number;
}

const defaultSnapshotMs = 5_000;
/** Bodies and changes in one commit: bound its memory, and the pause that handing them over makes. */
const bodiesPerCommitMax = 256;
const changesPerCommitMax = 8_192;
/** So long bodies run before others get a turn. */
const commitSliceMs = 2;

interface Body {
  run(buffer: WriteBuffer): void;
  /** Called once the commit is visible. */
  visible(): void;
  failed(error: Error): void;
}

interface Opened {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly databases: Databases;
}

/**
 * Where a copy of the store is made; what is there when the store is opened is left over. NB: the
 * library takes a name with a dot for that of a file.
 */
export const copyDirectoryOf = (directory: string): string => `${directory}-copy`;

/** Opens, and reads enough for damage at the roots to show. */
function openDatabases({ directory, mapBytes }: LmdbOptions): Opened {
  rmSync(copyDirectoryOf(directory), { recursive: true, force: true });
  const file = join(directory, 'data.mdb');
  checkHeads(file);
  mkdirSync(directory, { recursive: true, mode: directoryMode });
  const encodings = { keyEncoder: new LendingKeys(), encoder: new Lending() };
  const root = open<Buffer, Buffer>({
    path: directory,
    mapSize: mapBytes ?? defaultMapBytes,
    maxDbs: databaseNames.length + 4,
    safeRestore: true,
    ...encodings,
  } as Parameters<typeof open<Buffer, Buffer>>[0]);
  // The library has modes of its own.
  for (const name of ['data.mdb', 'lock.mdb']) restrict(join(directory, name), fileMode);
  checkRoots(file, root.getStats() as Parameters<typeof checkRoots>[1]);
  const databaseOf = (name: string): Database<Buffer, Buffer> =>
    root.openDB<Buffer, Buffer>({ name, ...encodings });
  const databases = Object.fromEntries(
    databaseNames.map((name) => [name, databaseOf(nameInLibrary(name))]),
  ) as Databases;
  for (const database of Object.values(databases)) {
    for (const reverse of [false, true]) {
      for (const { value } of database.getRange(lmdbRange({ limit: 1, reverse }))) value.at(-1);
    }
  }
  checkMeta(root, { unchecked: databaseOf('meta'), checked: databases.meta });
  return { root, databases };
}

/** Gives the values of a directory of format 1 their checksums, all at once. */
function checkMeta(
  root: RootDatabase<Buffer, Buffer>,
  { unchecked, checked }: Record<'unchecked' | 'checked', Database<Buffer, Buffer>>,
): void {
  const values: { key: Buffer; value: Buffer }[] = [];
  for (const { key, value } of unchecked.getRange(lmdbRange({}))) {
    values.push({ key: Buffer.from(key), value: encodeChecked(key, value) });
  }
  if (values.length === 0) return;
  root.transactionSync(() => {
    for (const { key, value } of values) {
      checked.putSync(key, value);
      unchecked.removeSync(key);
    }
  });
}

const onMedium = (database: DatabaseName, key: Uint8Array, value: Uint8Array): Buffer =>
  database === 'meta' ? encodeChecked(key, value) : asBuffer(value);

/** What the library says of a failed commit, which it tells in a promise of its own. */
async function commitFailure(thrown: unknown): Promise<StorageUnavailableError> {
  const { commitError } = thrown as { commitError?: Promise<never> };
  const [told] = await Promise.allSettled([commitError]);
  const cause: unknown = told.status === 'rejected' ? told.reason : thrown;
  return new StorageUnavailableError(
    `A commit of the storage failed: ${(cause as Error).message}. What was acknowledged is in the log.`,
    { cause },
  );
}

/**
 * LMDB behind the store's contract. Guarded invariants: bodies of writes run one after the other on
 * what the ones before left; several that wait go into one commit; a commit is visible when the
 * write resolves, and durable when `flushed` does.
 *
 * NB: the library's own asynchronous transactions with a callback never return under Node 26, so
 * writes are gathered here and handed over as one batch.
 */
export class LmdbStore implements Store {
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #databases: Databases;
  readonly #file: string;
  readonly #room: CommitRoom;
  readonly #clock: Clock;
  readonly #snapshotMs: number;
  readonly #committed: LmdbOptions['committed'];
  readonly #bodies: Body[] = [];
  readonly #view: ReadTransaction;
  /** Those that are held. */
  readonly #snapshots = new Set<{ readonly since: number }>();
  #committing: Promise<void> | undefined;
  /** Resolves when the last commit that was handed over is on the medium. */
  #flush: Promise<void>;
  /** The library crashes on access to a closed database. */
  #state: 'open' | 'closing' | 'closed' = 'open';

  constructor(options: LmdbOptions) {
    const { root, databases } = openGuarded(options.directory, () => openDatabases(options));
    this.#root = root;
    this.#databases = databases;
    this.#file = join(options.directory, 'data.mdb');
    this.#snapshotMs = options.snapshotMs ?? defaultSnapshotMs;
    this.#clock = options.clock;
    this.#committed = options.committed;
    this.#room = new CommitRoom({
      clock: options.clock,
      freeBytes: options.freeBytes ?? (() => freeBytesOf(options.directory)),
      reusableBytes: () => pageStatistics(root, Object.values(databases)).freeBytes,
      waiting: options.waiting ?? (() => undefined),
      signal: options.signal ?? new AbortController().signal,
    });
    this.#view = this.#viewOf();
    this.#flush = this.#flushOfLast();
  }

  read<T>(body: (transaction: ReadTransaction) => T): T {
    return body(this.#view);
  }

  snapshot(): Snapshot {
    const transaction = this.#root.useReadTransaction();
    const view = this.#viewOf(transaction);
    const state = { expired: false, since: this.#clock.now() };
    this.#snapshots.add(state);
    const release = (): void => {
      timer.cancel();
      if (state.expired) return;
      state.expired = true;
      this.#snapshots.delete(state);
      transaction.done();
    };
    const timer = this.#clock.timer(this.#snapshotMs, release);
    const alive = (): ReadTransaction => {
      if (state.expired) throw new SnapshotExpiredError();
      return view;
    };
    return {
      get expired() {
        return state.expired;
      },
      get: (database, key) => alive().get(database, key),
      peek: (database, key) => alive().peek(database, key),
      entries: (database, range) => alive().entries(database, range),
      walk: (database, range, visit) => alive().walk(database, range, visit),
      [Symbol.dispose]: release,
    };
  }

  write<T>(body: (transaction: WriteTransaction) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#state !== 'open') throw new StorageUnavailableError('The storage is closed.');
      let answer: T;
      this.#bodies.push({
        run: (buffer) => (answer = body(buffer)),
        visible: () => resolve(answer),
        failed: reject,
      });
      this.#start();
    });
  }

  /** Of what is visible now; not of commits that begin meanwhile, of which there may always be one more. */
  flushed(): Promise<void> {
    return this.#flush;
  }

  releaseReaders(): void {
    if (this.#state === 'open') this.#root.readerCheck();
  }

  statistics(): StoreStatistics {
    const now = this.#clock.now();
    return {
      fileBytes: statSync(this.#file).size,
      ...pageStatistics(this.#root, Object.values(this.#databases)),
      oldestReaderMs: now - Math.min(now, ...Array.from(this.#snapshots, ({ since }) => since)),
    };
  }

  /** Writes what is visible now, without free room, into a new directory. Not synced. */
  async copyTo(directory: string): Promise<void> {
    mkdirSync(directory, { recursive: true, mode: directoryMode });
    await this.#root.backup(directory, true);
    restrict(join(directory, 'data.mdb'), fileMode);
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    while (this.#committing !== undefined) await this.#committing;
    await this.flushed();
    this.#state = 'closed';
    await this.#root.close();
  }

  #start(): void {
    if (this.#committing !== undefined || this.#bodies.length === 0) return;
    // Bodies run in a turn of their own: callers in this turn go into the same commit.
    this.#committing = Promise.resolve()
      .then(() => this.#commit())
      .finally(() => {
        this.#committing = undefined;
        this.#start();
      });
  }

  async #commit(): Promise<void> {
    const buffer = new WriteBuffer(this.#view);
    const done: Body[] = [];
    const { bytes: roomBytes } = this.#room;
    let deadline = this.#clock.now() + commitSliceMs;
    while (
      this.#bodies.length > 0 &&
      done.length < bodiesPerCommitMax &&
      buffer.size < changesPerCommitMax &&
      (done.length === 0 || !this.#room.isUsedUp(buffer, roomBytes))
    ) {
      if (this.#clock.now() > deadline) {
        await this.#clock.yield();
        deadline = this.#clock.now() + commitSliceMs;
      }
      const body = this.#bodies.shift();
      if (body === undefined) break;
      try {
        buffer.attempt(() => body.run(buffer));
        done.push(body);
      } catch (error) {
        body.failed(error as Error);
      }
    }
    try {
      // Bodies that only looked, such as those of a scrub, need no room.
      if (buffer.size > 0) await this.#room.wait(buffer);
      if (buffer.size > 0) await this.#handOver(buffer);
    } catch (error) {
      const failure = error instanceof PhotonError ? error : await commitFailure(error);
      for (const body of done) body.failed(failure);
      return;
    }
    for (const body of done) body.visible();
  }

  async #handOver(buffer: WriteBuffer): Promise<void> {
    const startedAt = this.#clock.now();
    let last: Promise<boolean> | undefined;
    // The library returns the same promise repeatedly; only this code handles the last one.
    const look = (promise: Promise<boolean>): void => {
      if (promise === last) return;
      last = promise;
      promise.catch(() => undefined);
    };
    const committed = this.#root.batch(() => {
      buffer.replay(
        (database, key, value) =>
          look(this.#databases[database].put(asBuffer(key), onMedium(database, key, value))),
        (database, key) => look(this.#databases[database].remove(asBuffer(key))),
      );
    });
    const flush = this.#flushOfLast();
    // The library never resolves the flush of a commit that failed.
    this.#flush = committed.then(() => flush);
    this.#flush.catch(() => undefined);
    await committed;
    this.#committed?.(this.#clock.now() - startedAt);
  }

  /** The library's own is that of another commit as soon as one is handed over. */
  #flushOfLast(): Promise<void> {
    return this.#root.flushed.then(() => undefined);
  }

  #viewOf(transaction?: Transaction): ReadTransaction {
    return viewOf(this.#databases, {
      transaction,
      requireOpen: () => {
        if (this.#state === 'closed') throw new StorageUnavailableError('The storage is closed.');
      },
    });
  }
}
