/**
 * Local health (Lifeguard, section IV.A): a node that misses answers suspects itself first. The score
 * rises with each sign that this node is slow, falls with each probe that succeeds, and stretches the
 * node's own time-outs: with a score of n they are n + 1 times as long.
 */
export class Awareness {
  readonly #max: number;
  #score = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get score(): number {
    return this.#score;
  }

  /** Positive: this node seems slow; negative: it seems well. */
  apply(delta: number): void {
    this.#score = Math.min(this.#max - 1, Math.max(0, this.#score + delta));
  }

  scale(ticks: number): number {
    return ticks * (this.#score + 1);
  }
}
