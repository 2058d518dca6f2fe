/**
 * Groups whose data is damaged, so that nothing of them may be answered and nothing added to them;
 * all other groups serve. Whoever finds the damage marks it here: the log at start, a scrub later.
 * Nothing here is kept over a restart: the finder says it again.
 */
export interface Damage {
  /** Of the error that found it: `wal.corrupt`, `storage.corrupt`. */
  readonly code: string;
  /** Sentences: what is damaged, where, and how to restore it. */
  readonly message: string;
}

export class DamagedGroups {
  readonly #groups = new Map<number, Damage>();
  readonly #marked: (group: number) => void;

  /** `marked`: called with each group that is damaged from now on. */
  constructor(marked: (group: number) => void) {
    this.#marked = marked;
  }

  get size(): number {
    return this.#groups.size;
  }

  /** The first damage that was found stays the reason. */
  mark(group: number, damage: Damage): void {
    if (this.#groups.has(group)) return;
    this.#groups.set(group, damage);
    this.#marked(group);
  }

  /** The group was dropped, or restored. */
  clear(group: number): void {
    this.#groups.delete(group);
  }

  of(group: number): Damage | undefined {
    return this.#groups.get(group);
  }

  entries(): IterableIterator<[number, Damage]> {
    return this.#groups.entries();
  }
}
