/**
 * How much of the API server this process takes: a rate with a burst, and a number of requests
 * at the same time. Waiting is first come, first served, and bounded.
 */
import { KubeError } from './errors.ts';
import type { Timing } from './timing.ts';

export interface RequestLimits {
  readonly ratePerSecond: number;
  readonly burst: number;
  /** Requests under way at once; also the number of connections, watches apart. */
  readonly inFlightMax: number;
}

/** Seven new clusters at once without a pause, each about a dozen writes; the server's own fairness does the rest. */
export const defaultRequestLimits: RequestLimits = {
  ratePerSecond: 50,
  burst: 100,
  inFlightMax: 8,
};

/** At the default rate this is 24 s of waiting; later requests fail and are retried. */
const waitingMax = 1200;

export class RequestLimiter {
  readonly #limits: RequestLimits;
  readonly #timing: Timing;
  /** When the next request may start, on the limiter's own schedule; the past is unused burst. */
  #nextAt = Number.NEGATIVE_INFINITY;
  #inFlight = 0;
  #waiting = 0;
  readonly #queue: (() => void)[] = [];

  constructor(limits: RequestLimits, timing: Timing) {
    this.#limits = limits;
    this.#timing = timing;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Waits for the rate alone, as a watch does, which may stay open for minutes. */
  async pace(signal: AbortSignal | undefined): Promise<void> {
    const now = this.#timing.now();
    const intervalMs = 1000 / this.#limits.ratePerSecond;
    const at = Math.max(this.#nextAt, now - (this.#limits.burst - 1) * intervalMs);
    if (this.#waiting >= waitingMax) {
      throw new KubeError('kube.throttled', 'too many requests wait for the API server');
    }
    this.#nextAt = at + intervalMs;
    if (at <= now) return;
    this.#waiting += 1;
    try {
      await this.#timing.sleep(at - now, signal);
    } finally {
      this.#waiting -= 1;
    }
    if (signal?.aborted === true) throw new KubeError('kube.aborted', 'aborted while waiting');
  }

  /** Waits for the rate and for a free place; the function returned gives the place back. */
  async enter(signal: AbortSignal | undefined): Promise<() => void> {
    await this.pace(signal);
    if (this.#inFlight < this.#limits.inFlightMax) {
      this.#inFlight += 1;
    } else {
      await this.#place(signal);
    }
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const next = this.#queue.shift();
      if (next === undefined) this.#inFlight -= 1;
      else next();
    };
  }

  /** Waits until a completed request hands over its slot. */
  #place(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting >= waitingMax) {
      throw new KubeError('kube.throttled', 'too many requests wait for the API server');
    }
    this.#waiting += 1;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiting -= 1;
        signal?.removeEventListener('abort', aborted);
      };
      const go = (): void => {
        settle();
        resolve();
      };
      const aborted = (): void => {
        this.#queue.splice(this.#queue.indexOf(go), 1);
        settle();
        reject(new KubeError('kube.aborted', 'aborted while waiting'));
      };
      this.#queue.push(go);
      signal?.addEventListener('abort', aborted, { once: true });
    });
  }
}
