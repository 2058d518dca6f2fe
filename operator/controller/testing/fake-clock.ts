/**
 * A clock that stands still until a test moves it. Timers fire in their order, and whatever they
 * set in motion comes to rest before the next one fires.
 */
import type { Clock } from '../clock.ts';

interface Timer {
  readonly atMs: number;
  readonly serial: number;
  readonly callback: () => void;
}

/** Lets all promises that can go on do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

export class FakeClock implements Clock {
  #nowMs = 0;
  #serial = 0;
  readonly #timers = new Set<Timer>();
  /** Added to the time to make a wall clock. */
  epochMs = Date.UTC(2026, 0, 1);

  now(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.epochMs + this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    this.#serial += 1;
    const timer = { atMs: this.#nowMs + delayMs, serial: this.#serial, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that have not fired: what a stopped component must not leave behind. */
  get timers(): number {
    return this.#timers.size;
  }

  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await settle();
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) {
      this.#timers.delete(timer);
      this.#nowMs = Math.max(this.#nowMs, timer.atMs);
      timer.callback();
      await settle();
    }
    this.#nowMs = untilMs;
  }

  #next(untilMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs > untilMs) continue;
      const isEarlier =
        next === undefined ||
        timer.atMs < next.atMs ||
        (timer.atMs === next.atMs && timer.serial < next.serial);
      if (isEarlier) next = timer;
    }
    return next;
  }
}
