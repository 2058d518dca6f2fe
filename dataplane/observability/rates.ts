/**
 * How fast totals grow. Who reads them brings the time: a rate is that since an earlier reading, which is
 * at least a second old where there is one.
 */
const windowMs = 1_000;

interface Reading {
  readonly atMs: number;
  readonly totals: ReadonlyMap<string, number>;
}

export class Rates {
  #older: Reading;
  #newer: Reading;

  constructor(startedAtMs: number) {
    this.#older = { atMs: startedAtMs, totals: new Map() };
    this.#newer = this.#older;
  }

  /** Takes the totals as they are now, and answers for each name how much it grows in a second. */
  read(atMs: number, totals: ReadonlyMap<string, number>): (name: string) => number {
    if (atMs - this.#newer.atMs >= windowMs) {
      this.#older = this.#newer;
      this.#newer = { atMs, totals };
    }
    const from = this.#older;
    const seconds = Math.max(atMs - from.atMs, 1) / 1_000;
    return (name) => {
      const now = totals.get(name) ?? 0;
      // A table that was made since, or made again, began with nothing.
      const before = from.totals.get(name) ?? 0;
      return Math.max(0, before > now ? now : now - before) / seconds;
    };
  }
}
