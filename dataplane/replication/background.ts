import { successor } from '../common/bytes.ts';
import type { DatabaseName, WriteTransaction } from '../kv/store.ts';
import type { Garbage } from '../metadata/state.ts';
import { putEntries } from '../table/apply.ts';
import type { AppliedIndex } from '../table/apply.ts';
import { decodeDocument } from '../table/envelope.ts';
import { removeStatistics } from '../table/statistics.ts';
import type { ApplyStore } from './contract.ts';
import { storedRange } from './scan.ts';

/** Work beside the requests, in slices that never hold the store for long. */
const sliceRows = 500;
const sliceMs = 5;

interface Slice {
  readonly rows: number;
  /** The last stored key of the slice; undefined when there was nothing left. */
  readonly last: Uint8Array | undefined;
}

function eachInSlice(
  transaction: WriteTransaction,
  database: DatabaseName,
  range: { readonly start: Uint8Array; readonly end: Uint8Array },
  visit: (key: Uint8Array, value: Uint8Array) => void,
): Slice {
  const deadline = performance.now() + sliceMs;
  let last: Uint8Array | undefined;
  let rows = 0;
  for (const { key, value } of transaction.entries(database, { ...range, limit: sliceRows })) {
    visit(key, value);
    last = key;
    rows += 1;
    if (performance.now() > deadline) break;
  }
  return { rows, last };
}

/**
 * Writes the entries of an index for the rows that were there before it. Writes go on meanwhile and
 * keep the index themselves; an entry that is written twice is the same entry.
 */
export async function buildIndex(
  store: ApplyStore,
  build: { readonly keyspace: number; readonly index: AppliedIndex; readonly signal: AbortSignal },
  progress: (rows: number) => void,
): Promise<void> {
  const { keyspace, index, signal } = build;
  let range = storedRange(keyspace, {}, 'ascending');
  for (;;) {
    signal.throwIfAborted();
    const slice = await store.write((transaction) =>
      eachInSlice(transaction, 'data', range, (key, value) => {
        const { text } = decodeDocument(key, value);
        const indexKeys = index.keysOf(text);
        putEntries(transaction, index.keyspace, { primaryKey: key.subarray(4), indexKeys });
      }),
    );
    if (slice.last === undefined) return;
    progress(slice.rows);
    range = { ...range, start: successor(slice.last) };
  }
}

/** Removes every key of a keyspace that nothing refers to. */
export async function clearKeyspace(
  store: ApplyStore,
  { keyspace, database }: Garbage,
  signal: AbortSignal,
): Promise<void> {
  const range = storedRange(keyspace, {}, 'ascending');
  for (;;) {
    signal.throwIfAborted();
    const slice = await store.write((transaction) => {
      const keys: Uint8Array[] = [];
      const found = eachInSlice(transaction, database, range, (key) => keys.push(key));
      for (const key of keys) transaction.remove(database, key);
      if (found.last === undefined) removeStatistics(transaction, keyspace);
      return found;
    });
    if (slice.last === undefined) return;
  }
}
