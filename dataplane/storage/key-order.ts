import { toHex } from '../common/bytes.ts';
import { KeyOrderError } from '../kv/errors.ts';
import type { DatabaseName, KeyRange } from '../kv/store.ts';

/**
 * LMDB trusts its pages: one flipped bit in a page leads a walk to the leaves of somewhere else. A walk
 * only goes one way and within its range, so each key that it meets is compared with the last one and
 * with the bounds. Keys that were lost cannot be seen here: a scrub counts them.
 */
export class KeyOrder {
  readonly #database: DatabaseName;
  readonly #range: KeyRange;
  /** The last key, in memory of its own that grows: keys are lent. */
  #last = new Uint8Array(64);
  /** Negative before the first key. */
  #length = -1;

  constructor(database: DatabaseName, range: KeyRange) {
    this.#database = database;
    this.#range = range;
  }

  /** Throws `storage.corrupt` for a key that cannot come next. */
  take(key: Uint8Array): void {
    const isReverse = this.#range.reverse === true;
    const isFirst = this.#length < 0;
    const order = this.#replaceLast(key);
    if (isFirst) {
      // What comes behind it in the right order is inside of this bound, too.
      if (isReverse ? this.#isBehindEnd(key) : this.#isBeforeStart(key)) throw this.#outside(key);
    } else if (isReverse ? order >= 0 : order <= 0) {
      throw this.#failure(key, 'does not come behind the one before it');
    }
    if (isReverse ? this.#isBeforeStart(key) : this.#isBehindEnd(key)) throw this.#outside(key);
  }

  /** Keeps the key as the last one, and answers how it compares with the one before: in one pass. */
  #replaceLast(key: Uint8Array): number {
    const { byteLength } = key;
    if (byteLength > this.#last.byteLength) {
      const grown = new Uint8Array(byteLength * 2);
      grown.set(this.#last);
      this.#last = grown;
    }
    const last = this.#last;
    const length = this.#length;
    const shared = Math.min(byteLength, length);
    let at = 0;
    // Neighbours begin alike: nothing of that is written again.
    while (at < shared && key[at] === last[at]) at += 1;
    const order = at < shared ? (key[at] ?? 0) - (last[at] ?? 0) : byteLength - length;
    for (; at < byteLength; at += 1) last[at] = key[at] ?? 0;
    this.#length = byteLength;
    return order;
  }

  #isBeforeStart(key: Uint8Array): boolean {
    const { start } = this.#range;
    return start !== undefined && compare(key, start, start.byteLength) < 0;
  }

  #isBehindEnd(key: Uint8Array): boolean {
    const { end } = this.#range;
    return end !== undefined && compare(key, end, end.byteLength) >= 0;
  }

  #outside(key: Uint8Array): KeyOrderError {
    return this.#failure(key, 'is not in the range that was asked for');
  }

  #failure(key: Uint8Array, what: string): KeyOrderError {
    return new KeyOrderError(this.#database, toHex(key), what);
  }
}

/** Unsigned byte order of short keys: a loop is quicker than the way into the library. */
function compare(key: Uint8Array, other: Uint8Array, otherLength: number): number {
  const length = Math.min(key.byteLength, otherLength);
  for (let at = 0; at < length; at += 1) {
    const order = (key[at] ?? 0) - (other[at] ?? 0);
    if (order !== 0) return order;
  }
  return key.byteLength - otherLength;
}
