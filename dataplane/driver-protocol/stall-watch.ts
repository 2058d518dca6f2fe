import type { Clock } from '../common/clock.ts';

export interface StallWatchOptions {
  readonly clock: Clock;
  readonly periodMs: number;
  readonly signal: AbortSignal;
  readonly isPending: () => boolean;
  /** Any number that changes with every step. */
  readonly progress: () => number;
  readonly stalled: () => void;
}

/**
 * Detects that an operation has stalled. It costs one timer for each period and nothing
 * for each step, so it finds out after one period at the earliest and two at the latest.
 */
export class StallWatch {
  readonly #options: StallWatchOptions;
  #watching = false;

  constructor(options: StallWatchOptions) {
    this.#options = options;
  }

  /** To be called when an operation starts; a running watch continues. */
  start(): void {
    if (this.#watching) return;
    this.#watching = true;
    void this.#watch();
  }

  async #watch(): Promise<void> {
    const { clock, periodMs, signal, isPending, progress, stalled } = this.#options;
    while (isPending()) {
      const before = progress();
      try {
        await clock.sleep(periodMs, signal);
      } catch {
        // The connection was closed; it needs no watch any more.
        return;
      }
      if (isPending() && progress() === before) return stalled();
    }
    this.#watching = false;
  }
}
