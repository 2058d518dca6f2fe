import type { Clock, Timer } from '../../../dataplane/common/clock.ts';
import { sleepByTimer } from '../../../dataplane/common/testing/sleep-by-timer.ts';
import type { VirtualTime } from '../virtual-time.ts';

const timerResolutionMs = 0.001;
const startedAtMs = 1_700_000_000_000;

/**
 * One life of a process: its clock, and everything that reaches it. A paused process gets what came when it is resumed,
 * a dead one never.
 */
export class ProcessLife implements Clock {
  isDead = false;
  isPaused = false;
  /** Of the time of day: an administrator or a time server sets it. */
  clockOffsetMs = 0;
  readonly #time: VirtualTime;
  readonly #speed: number;
  #postponed: (() => void)[] = [];

  /** `speed`: of the process's clock, which may be a little fast or slow. */
  constructor(time: VirtualTime, speed: number) {
    this.#time = time;
    this.#speed = speed;
  }

  run(work: () => void): void {
    if (this.isDead) return;
    if (this.isPaused) this.#postponed.push(work);
    else work();
  }

  resume(): void {
    this.isPaused = false;
    for (const work of this.#postponed.splice(0)) this.run(work);
  }

  now(): number {
    return this.#time.now * this.#speed;
  }

  timeOfDay(): number {
    return startedAtMs + this.now() + this.clockOffsetMs;
  }

  timer(ms: number, run: () => void): Timer {
    let isPending = true;
    // Never early by rounding: whoever sleeps until a moment would sleep again, for no time at all.
    this.#time.after(ms / this.#speed + timerResolutionMs, () =>
      this.run(() => {
        if (isPending) run();
        isPending = false;
      }),
    );
    return { cancel: () => void (isPending = false) };
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return sleepByTimer(this, ms, signal);
  }

  yield(): Promise<void> {
    return this.delay(0);
  }

  /** Of hardware: its time is the true one. */
  delay(ms: number): Promise<void> {
    return new Promise((resolve) => this.#time.after(ms, () => this.run(resolve)));
  }
}
