import { nameOfBytes } from '../common/bytes.ts';

/**
 * Documents that a scrub or a request could not read, in tables that are served all the same. Nothing here
 * is kept over a restart: the next scrub says it again, and whoever reads such a document hears it anyway.
 */
export interface DamagedDocuments {
  readonly count: number;
  /** Sentences about the first ones. */
  readonly sentences: readonly string[];
}

/** Documents that are named; a scrub counts the others. */
const namedMax = 100;

interface Known {
  /** By the key's name; of the first ones only. */
  readonly named: Map<string, string>;
  count: number;
}

export class DocumentDamages {
  readonly #groups = new Map<number, Known>();

  /** What a scrub found in a table, in place of what the one before had found. */
  found(
    group: number,
    count: number,
    documents: Iterable<{ readonly key: Uint8Array; readonly what: string }>,
  ): void {
    if (count === 0) {
      this.#groups.delete(group);
      return;
    }
    const named = new Map<string, string>();
    for (const { key, what } of documents) named.set(nameOfBytes(key), what);
    this.#groups.set(group, { named, count });
  }

  /** A request met one. */
  met(group: number, key: Uint8Array, what: string): void {
    const known = this.#groups.get(group) ?? { named: new Map<string, string>(), count: 0 };
    const name = nameOfBytes(key);
    // Those that have no name any more are met again and again: they are not counted here.
    if (known.named.has(name) || known.named.size >= namedMax) return;
    known.named.set(name, what);
    known.count += 1;
    this.#groups.set(group, known);
  }

  /** Another document stands in its place, or none. */
  replaced(group: number, key: Uint8Array): void {
    if (this.#groups.size === 0) return;
    const known = this.#groups.get(group);
    if (known?.named.delete(nameOfBytes(key)) !== true) return;
    known.count -= 1;
    if (known.count === 0) this.#groups.delete(group);
  }

  forget(group: number): void {
    this.#groups.delete(group);
  }

  of(group: number): DamagedDocuments | undefined {
    const known = this.#groups.get(group);
    return known === undefined
      ? undefined
      : { count: known.count, sentences: [...known.named.values()] };
  }

  get count(): number {
    return [...this.#groups.values()].reduce((sum, { count }) => sum + count, 0);
  }
}
