/** A rate with a burst, as a schedule: each caller learns how long to wait for its turn. */
export class TokenBucket {
  readonly #intervalMs: number;
  readonly #burst: number;
  /** When the next token is available; a time in the past is unused burst. */
  #nextAt = Number.NEGATIVE_INFINITY;

  constructor(limits: { readonly ratePerSecond: number; readonly burst: number }) {
    this.#intervalMs = 1000 / limits.ratePerSecond;
    this.#burst = limits.burst;
  }

  /** Takes a token, now or in the future; the delay until it is due. */
  reserve(nowMs: number): number {
    const at = this.#earliest(nowMs);
    this.#nextAt = at + this.#intervalMs;
    return Math.max(0, at - nowMs);
  }

  /** Takes a token if one is due now. */
  tryTake(nowMs: number): boolean {
    const at = this.#earliest(nowMs);
    if (at > nowMs) return false;
    this.#nextAt = at + this.#intervalMs;
    return true;
  }

  #earliest(nowMs: number): number {
    return Math.max(this.#nextAt, nowMs - (this.#burst - 1) * this.#intervalMs);
  }
}
