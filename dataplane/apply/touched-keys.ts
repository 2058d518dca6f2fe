import { copyBytes, nameOfBytes } from '../common/bytes.ts';
import type { Operation } from '../table/command.ts';

/**
 * The keys of a keyspace that change while somebody walks over it. A key is added when the change is
 * made, before the store shows it; so whoever sees the store at a log position, and looks again at
 * every key that was added, has exactly the state at that position.
 */
export interface Touch {
  readonly key: Uint8Array;
  /** The last log entry that changes it. */
  readonly index: number;
}

export class TouchedKeys {
  readonly #keysMax: number;
  readonly #touches = new Map<string, Touch>();
  #isOverflown = false;

  constructor(keysMax: number) {
    this.#keysMax = keysMax;
  }

  /** More keys changed than are kept: what is known is of no use any more. */
  get isOverflown(): boolean {
    return this.#isOverflown;
  }

  touch(index: number, operations: readonly Operation[]): void {
    if (this.#isOverflown) return;
    // A key may be a view of a whole message of a leader.
    for (const { key } of operations)
      this.#touches.set(nameOfBytes(key), { key: copyBytes(key), index });
    if (this.#touches.size <= this.#keysMax) return;
    this.#isOverflown = true;
    this.#touches.clear();
  }

  all(): Touch[] {
    return [...this.#touches.values()];
  }

  /** Forgets a touch, unless the key was touched again. */
  forget(touch: Touch): void {
    const name = nameOfBytes(touch.key);
    if (this.#touches.get(name) === touch) this.#touches.delete(name);
  }
}
