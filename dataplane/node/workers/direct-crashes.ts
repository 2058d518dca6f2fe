import type { Clock } from '../../common/clock.ts';

/** Signals of a process that has met a damaged page of a mapped file, or a fault of the library that reads it. */
const signals: ReadonlySet<string> = new Set(['SIGSEGV', 'SIGBUS', 'SIGABRT']);
const withinMs = 10 * 60_000;

/** Two crashes of query workers within ten minutes are too many for them to go on reading the store. */
export class DirectCrashes {
  readonly #clock: Pick<Clock, 'now'>;
  #lastAt = Number.NEGATIVE_INFINITY;
  #areTooMany = false;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  get areTooMany(): boolean {
    return this.#areTooMany;
  }

  /** How a worker has ended. Says whether this was the one too many. */
  ended(how: string): boolean {
    if (this.#areTooMany || !signals.has(how)) return false;
    const now = this.#clock.now();
    this.#areTooMany = now - this.#lastAt <= withinMs;
    this.#lastAt = now;
    return this.#areTooMany;
  }
}
