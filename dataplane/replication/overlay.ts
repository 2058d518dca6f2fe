import { compareBytes, nameOfBytes } from '../common/bytes.ts';
import type { EncodedRange } from './contract.ts';

/**
 * What the log has and the store has not yet, by key: `proposed` is what later writers build on,
 * `committed` is what every reader sees. An entry leaves when the store has it.
 */
export interface OverlayEntry {
  readonly key: Uint8Array;
  /** Index in the group's log; also the version of the key. */
  readonly index: number;
  /** Canonical text; undefined for a deletion. */
  readonly text: string | undefined;
  /** What the entry costs while it waits. */
  readonly bytes: number;
  /** By the keyspace of an index; filled when an index is read while the entry waits. */
  readonly indexKeys: Map<number, readonly Uint8Array[]>;
}

export const inRange = (key: Uint8Array, { start, end }: EncodedRange): boolean =>
  (start === undefined || compareBytes(key, start) >= 0) &&
  (end === undefined || compareBytes(key, end) < 0);

export class Overlay {
  readonly #proposed = new Map<string, OverlayEntry>();
  readonly #committed = new Map<string, OverlayEntry>();

  propose(name: string, entry: OverlayEntry): void {
    this.#proposed.set(name, entry);
  }

  /** What was proposed counts no more, but for these, in their order. */
  proposeOnly(entries: Iterable<{ readonly name: string; readonly entry: OverlayEntry }>): void {
    this.#proposed.clear();
    for (const { name, entry } of entries) this.#proposed.set(name, entry);
  }

  /** The newest entry that a writer must build on. */
  newest(name: string): OverlayEntry | undefined {
    return this.#proposed.get(name) ?? this.#committed.get(name);
  }

  /** What a reader sees in place of the store. */
  committed(name: string): OverlayEntry | undefined {
    return this.#committed.get(name);
  }

  commit(name: string, entry: OverlayEntry): void {
    this.#committed.set(name, entry);
    if (this.#proposed.get(name) === entry) this.#proposed.delete(name);
  }

  /** The store has it. */
  applied(name: string, entry: OverlayEntry): void {
    if (this.#committed.get(name) === entry) this.#committed.delete(name);
  }

  get size(): number {
    return this.#committed.size;
  }

  entries(): IterableIterator<OverlayEntry> {
    return this.#committed.values();
  }

  /** Whether readers see an entry of this key in place of the store's. */
  covers(key: Uint8Array): boolean {
    return this.#committed.size > 0 && this.#committed.has(nameOfBytes(key));
  }

  /** Committed entries of a range in no order, deletions included. */
  inRange(range: EncodedRange): OverlayEntry[] {
    return [...this.#committed.values()].filter(({ key }) => inRange(key, range));
  }
}
