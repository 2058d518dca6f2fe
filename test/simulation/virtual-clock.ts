import { setImmediate as turnOfMachine } from 'node:timers/promises';
import type { Clock, Timer } from '../../dataplane/common/clock.ts';
import { sleepByTimer } from '../../dataplane/common/testing/sleep-by-timer.ts';
import { VirtualTime } from './virtual-time.ts';

/**
 * The clock of a simulated node: it stands while code runs, and moves on to the next planned moment when all
 * of it waits. Code that waits for nothing but this clock and promises runs the same each time.
 */
export class VirtualClock implements Clock {
  readonly #time = new VirtualTime();
  readonly #startedAtMs: number;

  /** `startedAtMs` is the time of day at which the simulation begins, in milliseconds since 1970. */
  constructor(startedAtMs = 1_700_000_000_000) {
    this.#startedAtMs = startedAtMs;
  }

  now(): number {
    return this.#time.now;
  }

  timeOfDay(): number {
    return this.#startedAtMs + this.#time.now;
  }

  timer(ms: number, run: () => void): Timer {
    let isPending = true;
    this.#time.after(ms, () => {
      if (isPending) run();
      isPending = false;
    });
    return { cancel: () => void (isPending = false) };
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return sleepByTimer(this, ms, signal);
  }

  yield(): Promise<void> {
    return new Promise((resolve) => this.#time.after(0, resolve));
  }

  /** Lets time pass until `work` has settled; rejects when it waits for what no event brings. */
  async run<T>(work: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = (): void => void (isSettled = true);
    work.then(settled, settled);
    for (;;) {
      // Every promise that can be settled is, before time moves on.
      await turnOfMachine();
      if (isSettled) return work;
      if (!this.#time.runNext())
        throw new Error('The simulation waits for something outside of it.');
    }
  }
}
