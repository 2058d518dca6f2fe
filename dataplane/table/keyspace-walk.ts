import { compareBytes } from '../common/bytes.ts';
import { RowSum } from './row-sum.ts';
import type { KeyspaceStatistics } from './row-sum.ts';

/**
 * Counts a keyspace again while it is walked from its first key to its last, in slices between which
 * it changes. Invariant: the sum is that of the keys up to the last that was taken, as they are now:
 * changes behind it will be met, changes before it are reported to it.
 */
export class KeyspaceWalk {
  #last: Uint8Array | undefined;
  readonly #sum = new RowSum();

  /** The last stored key that was taken. */
  get last(): Uint8Array | undefined {
    return this.#last;
  }

  get total(): KeyspaceStatistics {
    return this.#sum.total;
  }

  /** Counts the next row; false when its key does not come behind the last one. */
  take(storedKey: Uint8Array, value: Uint8Array): boolean {
    if (this.covers(storedKey)) return false;
    this.#last = storedKey;
    this.#sum.row(storedKey, value, 1);
    return true;
  }

  /** Whether a change of this key must be reported. */
  covers(storedKey: Uint8Array): boolean {
    return this.#last !== undefined && compareBytes(storedKey, this.#last) <= 0;
  }

  /** What a transaction added to the keys that were taken. */
  changed(change: KeyspaceStatistics): void {
    this.#sum.add(change);
  }
}
