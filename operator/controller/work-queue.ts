/**
 * Keys that wait to be reconciled. A key waits at most once; while it is being processed it is
 * given to no other worker, and when it is added meanwhile it is queued again afterwards. So each object
 * has one worker at a time, and no change after the start of its work goes unseen.
 */
import type { Clock } from './clock.ts';
import { TokenBucket } from './token-bucket.ts';

export interface WorkQueueLimits {
  /** Pause after the first failure of a key; doubles with each further one. */
  readonly retryFirstMs: number;
  readonly retryMaxMs: number;
  /** Rate limit of the retries of all failed keys, so that a recovering server is not overloaded. */
  readonly retriesPerSecond: number;
  readonly retryBurst: number;
  /** Keys that wait, now or later. Beyond it nothing is stored: the owner lists all keys again. */
  readonly keysMax: number;
}

const defaultWorkQueueLimits: WorkQueueLimits = {
  retryFirstMs: 5,
  retryMaxMs: 1_000_000,
  retriesPerSecond: 10,
  retryBurst: 100,
  keysMax: 50_000,
};

interface Later {
  readonly atMs: number;
  readonly cancel: () => void;
}

export class WorkQueue {
  readonly #clock: Clock;
  readonly #limits: WorkQueueLimits;
  readonly #bucket: TokenBucket;
  /** Keys in the order of their turn, with the time since which they wait. */
  readonly #waiting = new Map<string, number>();
  readonly #processing = new Set<string>();
  /** Keys that were added while they were processed. */
  readonly #again = new Map<string, number>();
  readonly #later = new Map<string, Later>();
  readonly #failures = new Map<string, number>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  readonly #idlers: (() => void)[] = [];
  #overflowed = false;
  #closed = false;

  constructor(clock: Clock, limits: Partial<WorkQueueLimits> = {}) {
    this.#clock = clock;
    this.#limits = { ...defaultWorkQueueLimits, ...limits };
    this.#bucket = new TokenBucket({
      ratePerSecond: this.#limits.retriesPerSecond,
      burst: this.#limits.retryBurst,
    });
  }

  /** Keys whose turn has come, without those being processed. */
  get depth(): number {
    return this.#waiting.size + this.#again.size;
  }

  /** Keys with a delay. */
  get delayed(): number {
    return this.#later.size;
  }

  get processing(): number {
    return this.#processing.size;
  }

  /** How long the first key in the line has waited. */
  get oldestMs(): number {
    for (const since of this.#waiting.values()) return this.#clock.now() - since;
    return 0;
  }

  get hasRoom(): boolean {
    return this.depth + this.delayed < this.#limits.keysMax;
  }

  /** As soon as a worker is free. A key that was to come later comes now. */
  add(key: string): void {
    if (this.#closed) return;
    this.#cancelLater(key);
    if (this.#waiting.has(key) || this.#again.has(key)) return;
    if (this.#isFull()) return;
    const now = this.#clock.now();
    if (this.#processing.has(key)) {
      this.#again.set(key, now);
      return;
    }
    const taker = this.#takers.shift();
    if (taker === undefined) {
      this.#waiting.set(key, now);
      return;
    }
    this.#processing.add(key);
    taker(key);
  }

  /** After a delay; of several delays of a key the earliest counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const atMs = this.#clock.now() + delayMs;
    const planned = this.#later.get(key);
    if (planned !== undefined && planned.atMs <= atMs) return;
    if (planned === undefined && this.#isFull()) return;
    this.#cancelLater(key);
    const cancel = this.#clock.after(delayMs, () => {
      this.#later.delete(key);
      this.add(key);
    });
    this.#later.set(key, { atMs, cancel });
  }

  /** After a failure: later with each one of the key, and no faster than all failures may. */
  addRateLimited(key: string): void {
    if (this.#closed) return;
    const failures = this.failures(key);
    this.#failures.set(key, failures + 1);
    const { retryFirstMs, retryMaxMs } = this.#limits;
    const ownMs = Math.min(retryMaxMs, retryFirstMs * 2 ** Math.min(failures, 40));
    this.addAfter(key, Math.max(ownMs, this.#bucket.reserve(this.#clock.now())));
  }

  /** The key has succeeded, or exists no more: its next failure is its first. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The next key, which its taker must give back by `done`; undefined once the queue is closed. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    for (const key of this.#waiting.keys()) {
      this.#waiting.delete(key);
      this.#processing.add(key);
      return Promise.resolve(key);
    }
    return new Promise((resolve) => {
      this.#takers.push(resolve);
    });
  }

  done(key: string): void {
    this.#processing.delete(key);
    if (this.#again.delete(key)) this.add(key);
    if (this.#processing.size === 0) for (const idle of this.#idlers.splice(0)) idle();
  }

  /** Whether keys were turned away since the last call: then all keys must be added again. */
  takeOverflow(): boolean {
    const overflowed = this.#overflowed;
    this.#overflowed = false;
    return overflowed;
  }

  /** No key is given out any more; resolves when those being processed are done. */
  close(): Promise<void> {
    this.#closed = true;
    for (const { cancel } of this.#later.values()) cancel();
    this.#later.clear();
    this.#waiting.clear();
    this.#again.clear();
    this.#failures.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
    if (this.#processing.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idlers.push(resolve);
    });
  }

  #isFull(): boolean {
    if (this.hasRoom) return false;
    this.#overflowed = true;
    return true;
  }

  #cancelLater(key: string): void {
    this.#later.get(key)?.cancel();
    this.#later.delete(key);
  }
}
