import type { Clock } from '../common/clock.ts';
import type { DatabaseName, WriteTransaction } from '../kv/store.ts';

/** Work beside the requests goes in slices that never hold the store for long. */
const sliceRows = 500;
const sliceMs = 5;

export interface Slice {
  readonly rows: number;
  /** The last stored key of the slice; undefined when there was nothing left. */
  readonly last: Uint8Array | undefined;
}

/** Where a slice begins, and the clock that ends it. */
export interface SliceStart {
  readonly database: DatabaseName;
  readonly range: { readonly start: Uint8Array; readonly end: Uint8Array };
  readonly clock: Pick<Clock, 'now'>;
}

/** Visits the next entries of a range, at least one while there is one. */
export function eachInSlice(
  transaction: WriteTransaction,
  { database, range, clock }: SliceStart,
  visit: (key: Uint8Array, value: Uint8Array) => void,
): Slice {
  const deadline = clock.now() + sliceMs;
  let last: Uint8Array | undefined;
  let rows = 0;
  for (const { key, value } of transaction.entries(database, { ...range, limit: sliceRows })) {
    visit(key, value);
    last = key;
    rows += 1;
    if (clock.now() > deadline) break;
  }
  return { rows, last };
}
