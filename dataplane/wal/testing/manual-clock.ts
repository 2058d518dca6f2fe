import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, Timer } from '../../common/clock.ts';
import { sleepByTimer } from '../../common/testing/sleep-by-timer.ts';

interface Sleeper {
  readonly until: number;
  wake(): void;
}

/** Time that passes only when a test says so. */
export class ManualClock implements Clock {
  /** Set by the test; it does not pass on its own. */
  timeOfDayMs = 0;
  #now = 0;
  readonly #sleepers = new Set<Sleeper>();

  now(): number {
    return this.#now;
  }

  timeOfDay(): number {
    return this.timeOfDayMs;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return sleepByTimer(this, ms, signal);
  }

  timer(ms: number, run: () => void): Timer {
    const sleeper = { until: this.#now + ms, wake: run };
    this.#sleepers.add(sleeper);
    return { cancel: () => void this.#sleepers.delete(sleeper) };
  }

  yield(): Promise<void> {
    return nextTurn();
  }

  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** Wakes who slept long enough. */
  advance(ms: number): void {
    this.#now += ms;
    for (const sleeper of this.#sleepers) {
      if (sleeper.until > this.#now) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }
}
