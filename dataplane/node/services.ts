import type { Clock } from '../common/clock.ts';

/**
 * The life cycle of a node's parts. They start one after the other, in the order in which they need each
 * other, and stop in the reverse order. Guarded invariant: every part that has begun to start is stopped,
 * whatever the others do.
 */
export interface Service {
  readonly name: string;
  /** Resolves when the services after it may use this one. */
  start?(): Promise<void> | void;
  /** Takes no new work, and resolves when the running work has ended; not needed after the deadline. */
  drain?(deadline: AbortSignal): Promise<void> | void;
  /** Ends everything; also called when `start` was interrupted or has failed. */
  stop?(): Promise<void> | void;
}

export interface ServicesOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  /** Aborted when the node stops: no further service starts. */
  readonly signal: AbortSignal;
  /** For all drains together. */
  readonly drainMs: number;
}

export class Services {
  readonly #options: ServicesOptions;
  readonly #list: readonly Service[];
  /** In start order. */
  readonly #begun: Service[] = [];
  #starting: Promise<void> = Promise.resolve();

  constructor(list: readonly Service[], options: ServicesOptions) {
    this.#list = list;
    this.#options = options;
  }

  /** Rejects with the first failure, and with the signal's reason when the node stops meanwhile. */
  start(): Promise<void> {
    const starting = this.#startAll();
    this.#starting = starting.catch(() => undefined);
    return starting;
  }

  /** Drains, then stops, in the reverse order; rejects with the first failure when all have stopped. */
  async stop(drainMs = this.#options.drainMs): Promise<void> {
    const failures: unknown[] = [];
    await this.#untilDeadline(drainMs, (deadline) => this.#drainAll(deadline, failures));
    for (const service of this.#begun.toReversed()) {
      await attempt(() => service.stop?.(), failures);
    }
    if (failures.length > 0) throw failures[0];
  }

  async #startAll(): Promise<void> {
    for (const service of this.#list) {
      this.#options.signal.throwIfAborted();
      this.#begun.push(service);
      await service.start?.();
    }
    this.#options.signal.throwIfAborted();
  }

  async #drainAll(deadline: AbortSignal, failures: unknown[]): Promise<void> {
    await this.#starting;
    for (const service of this.#begun.toReversed()) {
      await attempt(() => service.drain?.(deadline), failures);
    }
  }

  /** Resolves when `work` has ended or the time for it is over. */
  async #untilDeadline(
    drainMs: number,
    work: (deadline: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const { clock } = this.#options;
    const deadline = new AbortController();
    const ended = new AbortController();
    const timeout = clock.sleep(drainMs, ended.signal).then(
      () => deadline.abort(new Error('the time to drain the node is over')),
      () => undefined,
    );
    await Promise.race([work(deadline.signal), timeout]);
    ended.abort();
  }
}

async function attempt(step: () => Promise<void> | void, failures: unknown[]): Promise<void> {
  try {
    await step();
  } catch (error) {
    failures.push(error);
  }
}
