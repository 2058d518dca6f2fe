import type { Clock } from '../common/clock.ts';
import { spawn } from '../common/spawn.ts';
import type { MembershipLog } from './membership-log.ts';

export interface LifetimeOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly log: MembershipLog;
  /** A task has failed: the node cannot go on. */
  readonly failed: (error: Error) => void;
}

/** How long a member runs: everything that it waits for, and every task of it, ends with it. */
export class Lifetime {
  readonly #options: LifetimeOptions;
  readonly #stopping = new AbortController();

  constructor(options: LifetimeOptions) {
    this.#options = options;
  }

  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** It ends with the signal, too. */
  endsWith(signal: AbortSignal): void {
    signal.addEventListener('abort', () => this.end(signal.reason as Error), { once: true });
  }

  end(reason: Error): void {
    this.#stopping.abort(reason);
  }

  pause(ms: number): Promise<void> {
    return this.#options.clock.sleep(ms, this.signal);
  }

  /** Rejects when the node stops. */
  async until(promise: Promise<void>): Promise<void> {
    const { signal } = this;
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    const stop = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      await Promise.race([promise, stopped]);
    } finally {
      signal.removeEventListener('abort', stop);
      stopped.catch(() => undefined);
    }
  }

  /** Runs until the node stops; a failure ends the node. */
  run(what: string, work: () => Promise<void>): void {
    spawn(work, (error) => {
      if (this.signal.aborted) return;
      this.#options.log.warn(`${what} has failed`, { error: String((error as Error).stack) });
      this.#options.failed(error as Error);
    });
  }
}
