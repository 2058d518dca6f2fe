import { allEnded } from '../common/all-ended.ts';
import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { successor } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import type { ApplyStore, ReadTransaction, WriteTransaction } from '../kv/store.ts';
import { entriesOf } from '../table/apply.ts';
import type { AppliedIndex } from '../table/apply.ts';
import { decodeDocument } from '../table/envelope.ts';
import { StorageCorruptError } from '../table/errors.ts';
import { storedRange } from '../table/key-range.ts';
import { metaKey } from '../table/meta-key.ts';
import {
  findStatistics,
  readStatistics,
  StatisticsChange,
  writeStatistics,
} from '../table/statistics.ts';
import { clearSlice } from './clear.ts';
import { eachInSlice } from './slice.ts';

/**
 * Writes the entries of an index for the rows that were there before it, while writes go on and keep
 * the index themselves. Guarded invariant: the index has the entries of all rows up to the cursor,
 * because the cursor moves in the transaction that writes the entries behind it. So a build goes on
 * after a restart where the store stands, and what the log replays keeps the index as it did before.
 */
export interface BuildProgress {
  readonly rows: number;
  /** Of the table, from 0 on and below 1; never falls, though the table grows. */
  readonly share: number;
  /** The last stored key of which the entries are there. */
  readonly cursor: Uint8Array;
}

export interface IndexBuild {
  /** Of the table's rows. */
  readonly keyspace: number;
  readonly index: AppliedIndex;
  readonly clock: Pick<Clock, 'now'>;
  /** False once the index was dropped: the rest of the build would be for nothing. */
  isWanted(): boolean;
  /** What was built so far is on the medium. */
  flushed(): void;
  /** Part of each slice: what the index's function threw in it. */
  readonly saveFailures: (transaction: WriteTransaction) => void;
  /** A document that cannot be read has no entry, until another one takes its place. */
  readonly damagedDocument: (error: StorageCorruptError) => void;
  readonly signal: AbortSignal;
}

const progressFormat = 1;
/** Slices that are handed to the store together: it commits them as one, with pauses between them. */
const slicesPerCommit = 4;
/** A build is not over before its index is ready. */
const shareMax = 0.99;

function encodeProgress({ rows, share, cursor }: BuildProgress): Uint8Array {
  return new ByteWriter().u8(progressFormat).u64(rows).f64(share).prefixed(cursor).finish();
}

/** How far the build of an index is; undefined before its first slice. */
export function readProgress(
  transaction: ReadTransaction,
  keyspace: number,
): BuildProgress | undefined {
  const bytes = transaction.get('meta', metaKey('build', keyspace));
  if (bytes === undefined) return undefined;
  const reader = new ByteReader(bytes);
  // Of another release: a build that begins again writes the same entries.
  if (reader.u8() !== progressFormat) return undefined;
  return { rows: reader.u64(), share: reader.f64(), cursor: reader.prefixed() };
}

export function removeProgress(transaction: WriteTransaction, keyspace: number): void {
  transaction.remove('meta', metaKey('build', keyspace));
}

/** Resolves when all entries are on the medium, or nobody wants them any more. */
export async function buildIndex(store: ApplyStore, build: IndexBuild): Promise<void> {
  while (build.isWanted()) {
    build.signal.throwIfAborted();
    const goesOn = await allEnded(
      Array.from({ length: slicesPerCommit }, () =>
        store.write((transaction) => buildSlice(transaction, build)),
      ),
    );
    await store.flushed();
    build.flushed();
    if (goesOn.includes(false)) return;
  }
}

function buildSlice(transaction: WriteTransaction, build: IndexBuild): boolean {
  const { keyspace, index, clock } = build;
  if (findStatistics(transaction, index.keyspace) === undefined) {
    beginCount(transaction, index.keyspace, clock);
    return true;
  }
  const before = readProgress(transaction, index.keyspace);
  const statistics = new StatisticsChange(index.keyspace);
  const whole = storedRange(keyspace, {}, 'ascending');
  const start = before === undefined ? whole.start : successor(before.cursor);
  const from = { database: 'data', range: { start, end: whole.end }, clock } as const;
  const slice = eachInSlice(transaction, from, (key, value) => {
    const text = textOf(key, value, build);
    for (const entry of entriesOf(index, key.subarray(4), text).values()) {
      // A write may have put it before.
      if (transaction.peek('index', entry.key) !== undefined) continue;
      transaction.put('index', entry.key, entry.value);
      statistics.add(entry.key, entry.value);
    }
  });
  if (slice.last === undefined) return false;
  statistics.write(transaction);
  const rows = (before?.rows ?? 0) + slice.rows;
  const share = Math.min(shareMax, rows / readStatistics(transaction, keyspace).count);
  const progress = { rows, share: Math.max(before?.share ?? 0, share), cursor: slice.last };
  transaction.put('meta', metaKey('build', index.keyspace), encodeProgress(progress));
  build.saveFailures(transaction);
  return true;
}

function textOf(
  key: Uint8Array,
  value: Uint8Array,
  { damagedDocument }: IndexBuild,
): string | undefined {
  try {
    return decodeDocument(key, value).text;
  } catch (error) {
    if (!(error instanceof StorageCorruptError)) throw error;
    damagedDocument(error);
    return undefined;
  }
}

/**
 * Entries are counted from nothing: those that writes have put before are removed and come again with
 * their rows, as do those of a release that did not count them.
 */
function beginCount(
  transaction: WriteTransaction,
  keyspace: number,
  clock: Pick<Clock, 'now'>,
): void {
  if (clearSlice(transaction, { keyspace, database: 'index' }, clock)) return;
  removeProgress(transaction, keyspace);
  writeStatistics(transaction, keyspace);
}
