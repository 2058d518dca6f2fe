import type { FlushedPositions } from './continuity.ts';
import { hardStateKind } from './record.ts';
import type { WalRecord } from './record.ts';

/**
 * The newest hard state of each group. Each segment begins with all of them, so that no release of older segments
 * loses one, and none has to be written again for a release.
 */
export class HardStates {
  readonly #newest = new Map<number, WalRecord>();

  get isEmpty(): boolean {
    return this.#newest.size === 0;
  }

  /** In the order of the log. The payload is copied. */
  note(record: WalRecord): void {
    if (record.kind !== hardStateKind) return;
    this.#newest.set(record.group, { ...record, payload: Uint8Array.from(record.payload) });
  }

  of(group: number): WalRecord | undefined {
    return this.#newest.get(group);
  }

  all(): readonly WalRecord[] {
    return [...this.#newest.values()];
  }

  /** Groups that were dropped have no member. */
  forgetDropped(flushed: FlushedPositions): void {
    for (const group of this.#newest.keys())
      if (flushed.get(group) === Number.POSITIVE_INFINITY) this.#newest.delete(group);
  }
}
