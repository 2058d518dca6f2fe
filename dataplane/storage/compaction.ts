import { renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { equalBytes, successor } from '../common/bytes.ts';
import type { Clock, Timer } from '../common/clock.ts';
import { databaseNames } from '../kv/store.ts';
import type { DatabaseName, Entry, Store } from '../kv/store.ts';
import { CompactionError, NoRoomToCompactError } from './errors.ts';
import { copyDirectoryOf, LmdbStore } from './lmdb-store.ts';
import { syncPath } from './sync-path.ts';

/**
 * Gives the free room of the data file back: what it holds is copied without it, compared, flushed, and
 * put in the file's place by one rename. Guarded invariant: whenever the process ends, the name of the
 * data file stands for a whole file, the old one or the new one. What is left beside it goes when the
 * store is opened.
 */
export interface CompactionOptions {
  readonly clock: Clock;
  /** Of the store, which no process has open. */
  readonly directory: string;
  /** Free on the disk now, and what must stay free. */
  readonly freeBytes: number;
  readonly reserveBytes: number;
  /** Called now and then. */
  onProgress(progress: CompactionProgress): void;
  readonly signal: AbortSignal;
}

export interface CompactionProgress {
  readonly step: 'copying' | 'comparing';
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface CompactionResult {
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** How often progress is reported while the library copies. */
const lookEveryMs = 500;
/** So long entries are compared before others get their turn. */
const sliceMs = 10;

export async function compactStore(options: CompactionOptions): Promise<CompactionResult> {
  const { directory, clock } = options;
  const aside = copyDirectoryOf(directory);
  // One deeper, so that what opening it leaves beside it goes with it.
  const copyDirectory = join(aside, 'store');
  const store = new LmdbStore({ directory, clock });
  try {
    const bytesBefore = store.statistics().fileBytes;
    requireRoom(store, options);
    await copy(store, copyDirectory, options);
    const copied = new LmdbStore({ directory: copyDirectory, clock });
    try {
      await compare(store, copied, options);
    } finally {
      await copied.close();
    }
    await store.close();
    const bytesAfter = statSync(join(copyDirectory, 'data.mdb')).size;
    swap(directory, copyDirectory);
    return { bytesBefore, bytesAfter };
  } finally {
    await store.close();
    rmSync(aside, { recursive: true, force: true });
  }
}

function requireRoom(store: Store, { freeBytes, reserveBytes }: CompactionOptions): void {
  const neededBytes = store.statistics().usedBytes + reserveBytes;
  if (neededBytes > freeBytes) throw new NoRoomToCompactError(neededBytes, freeBytes);
}

async function copy(
  store: LmdbStore,
  copyDirectory: string,
  options: CompactionOptions,
): Promise<void> {
  const totalBytes = store.statistics().usedBytes;
  let timer: Timer;
  const lookLater = (): Timer =>
    options.clock.timer(lookEveryMs, () => {
      const file = statSync(join(copyDirectory, 'data.mdb'), { throwIfNoEntry: false });
      options.onProgress({ step: 'copying', doneBytes: file?.size ?? 0, totalBytes });
      timer = lookLater();
    });
  timer = lookLater();
  try {
    await store.copyTo(copyDirectory);
  } catch (error) {
    throw new CompactionError(`it could not be copied: ${String(error)}`, { cause: error });
  } finally {
    timer.cancel();
  }
}

/** Every entry of both, side by side: whatever the library did, the copy is what the store is. */
async function compare(store: Store, copied: Store, options: CompactionOptions): Promise<void> {
  const { clock } = options;
  const totalBytes = store.statistics().usedBytes;
  let doneBytes = 0;
  for (const database of databaseNames) {
    let start: Uint8Array | undefined = new Uint8Array([0]);
    while (start !== undefined) {
      options.signal.throwIfAborted();
      const { bytes, last }: Compared = compareSlice([store, copied], { database, start, clock });
      doneBytes += bytes;
      options.onProgress({ step: 'comparing', doneBytes, totalBytes });
      start = last === undefined ? undefined : successor(last);
      await clock.yield();
    }
  }
}

interface Compared {
  readonly bytes: number;
  /** The last key; undefined when both have ended. */
  readonly last: Uint8Array | undefined;
}

interface CompareSlice {
  readonly database: DatabaseName;
  readonly start: Uint8Array;
  readonly clock: Clock;
}

function compareSlice(
  [store, copied]: readonly [Store, Store],
  { database, start, clock }: CompareSlice,
): Compared {
  const deadline = clock.now() + sliceMs;
  let bytes = 0;
  const entriesOf = (from: Store): Iterator<Entry> =>
    from.read((view) => view.entries(database, { start })[Symbol.iterator]());
  const [wanted, found] = [entriesOf(store), entriesOf(copied)];
  try {
    for (;;) {
      const [one, other] = [wanted.next(), found.next()];
      if (one.done === true && other.done === true) return { bytes, last: undefined };
      if (one.done === true || other.done === true || !isSame(one.value, other.value)) {
        throw new CompactionError(`its copy differs in the database ${database}`);
      }
      bytes += one.value.key.byteLength + one.value.value.byteLength;
      if (clock.now() > deadline) return { bytes, last: one.value.key };
    }
  } finally {
    wanted.return?.();
    found.return?.();
  }
}

const isSame = (one: Entry, other: Entry): boolean =>
  equalBytes(one.key, other.key) && equalBytes(one.value, other.value);

function swap(directory: string, copyDirectory: string): void {
  syncPath(join(copyDirectory, 'data.mdb'));
  renameSync(join(copyDirectory, 'data.mdb'), join(directory, 'data.mdb'));
  syncPath(directory);
  // It speaks of readers of the old file; the library makes a new one.
  rmSync(join(directory, 'lock.mdb'), { force: true });
}
