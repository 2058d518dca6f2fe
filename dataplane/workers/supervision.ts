import { backoffMs } from '../common/backoff.ts';

/**
 * When a query worker is terminated, and when its successor starts. Pure: time, memory and chance come in.
 */
export interface WatchLimits {
  /** Between two looks at a worker. */
  readonly periodMs: number;
  /** Without an answer. */
  readonly silentMsMax: number;
  /** Memory of its own: heap and everything outside of it. */
  readonly ownBytesMax: number;
}

export type Verdict =
  | { readonly type: 'healthy' }
  | { readonly type: 'silent'; readonly silentMs: number }
  | { readonly type: 'memory'; readonly ownBytes: number };

/** Of all platforms that the node runs on with /proc. */
const pageBytes = 4_096;

/**
 * Resident memory of a process without pages of files, by its `statm`. A worker that reads the storage has the pages of
 * the data file mapped; the system takes them back when it needs them.
 */
export function ownBytesIn(statm: string): number {
  const [, resident = 0, ofFiles = 0] = statm.split(' ').map(Number);
  return Math.max(0, resident - ofFiles) * pageBytes;
}

const healthy: Verdict = { type: 'healthy' };

/** Watches one worker. */
export class WorkerWatch {
  readonly #limits: WatchLimits;
  #silentMs = 0;
  #lookedAt: number;

  constructor(limits: WatchLimits, now: number) {
    this.#limits = limits;
    this.#lookedAt = now;
  }

  get silentMs(): number {
    return this.#silentMs;
  }

  /** The worker has answered. */
  heard(): void {
    this.#silentMs = 0;
  }

  look(now: number, ownBytes: number): Verdict {
    const { periodMs, silentMsMax, ownBytesMax } = this.#limits;
    // While the core itself stood still, a worker could not be heard.
    this.#silentMs += Math.min(now - this.#lookedAt, 2 * periodMs);
    this.#lookedAt = now;
    if (ownBytes > ownBytesMax) return { type: 'memory', ownBytes };
    if (this.#silentMs > silentMsMax) return { type: 'silent', silentMs: this.#silentMs };
    return healthy;
  }
}

const startBackoff = { initialMs: 250, maximumMs: 10_000 } as const;

/**
 * A worker that has served is replaced at once, whatever ended it: a query must not take the node away from
 * other clients. One that ends before it serves is started again with growing pauses.
 */
export class RestartPolicy {
  #failures = 0;

  /** How long to wait before the next start. */
  afterEnd(hasServed: boolean, random: number): number {
    this.#failures = hasServed ? 0 : this.#failures + 1;
    return this.#failures === 0 ? 0 : backoffMs(startBackoff, this.#failures - 1, random);
  }
}
