/**
 * When the next tick is due. Timers come late, the more the busier the machine is: ticks that begin when the last one
 * has ended would make all time-outs longer. What is late by less than a period is made up for; what is late by more,
 * since the process was paused, is not repeated.
 */
export class TickTimes {
  #due: number | undefined;

  /** Milliseconds until then. */
  pauseMs(now: number, periodMs: number): number {
    this.#due = Math.max(now, (this.#due ?? now) + periodMs);
    return this.#due - now;
  }
}
