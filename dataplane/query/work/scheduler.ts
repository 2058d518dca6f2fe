export interface SchedulerOptions {
  /** Milliseconds since some fixed moment, with fractions. */
  readonly now: () => number;
  /** Resolves when the event loop has done what else was ready. */
  readonly nextTurn: () => Promise<void>;
}

/** Milliseconds of a slice. */
export const sliceMs = 5;

/**
 * Takes turns among the queries of one thread that compute for long. A query runs without a pause for one
 * slice at most, and then waits here. One of those that wait goes on in each turn of the event loop, the
 * one that waits longest, so that whatever has just arrived (a point read, a probe) is served between
 * any two slices, however many long queries there are.
 */
export class Scheduler {
  readonly now: () => number;
  readonly #nextTurn: () => Promise<void>;
  readonly #waiting: (() => void)[] = [];
  #isRunning = false;

  constructor({ now, nextTurn }: SchedulerOptions) {
    this.now = now;
    this.#nextTurn = nextTurn;
  }

  /** Queries that wait for their next slice. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves when the next slice may begin. */
  async turn(): Promise<void> {
    const mine = new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (!this.#isRunning) void this.#run();
    await mine;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      await this.#nextTurn();
      this.#waiting.shift()?.();
    }
    this.#isRunning = false;
  }
}
