/** A rate for each of many keys, in bounded memory: keys that are idle for long are forgotten first. */
import { TokenBucket } from '../controller/token-bucket.ts';

export interface RateLimits {
  readonly ratePerSecond: number;
  readonly burst: number;
}

/** Keys that are remembered; each takes some hundred bytes. */
const keysMax = 10_000;

export class RateGuard {
  readonly #limits: RateLimits;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(limits: RateLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** False when the key has used up its rate. */
  admits(key: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#limits);
    // The latest used stands last.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > keysMax && oldest !== undefined) this.#buckets.delete(oldest);
    return bucket.tryTake(nowMs);
  }
}
