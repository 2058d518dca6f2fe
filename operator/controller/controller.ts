/**
 * Workers that take keys from a queue and call a reconcile function: an
 * exception is a failure of that key only, which is retried later. The function reads caches,
 * not at events, so it does not matter how often or why it is called.
 */
import type { Clock } from './clock.ts';
import type { WorkQueue } from './work-queue.ts';

export type ReconcileResult =
  /** Nothing to do until something changes. */
  | { readonly type: 'done' }
  /** Look again after a time, changed or not. */
  | { readonly type: 'after'; readonly delayMs: number }
  /** It did not work: again, later with each time. */
  | { readonly type: 'retry'; readonly reason: string };

export interface ReconcileObservation {
  readonly key: string;
  readonly outcome: ReconcileResult['type'] | 'failed';
  readonly durationMs: number;
  /** What was thrown, or the reason of a retry. */
  readonly error?: unknown;
  /** Failures of this key in a row, with this one. */
  readonly failures: number;
}

export interface ControllerOptions {
  readonly queue: WorkQueue;
  /** Reads caches, writes objects. It must heed the signal. */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult>;
  /** All keys there are, to be added again when the queue had to turn some away. */
  readonly keys: () => Iterable<string>;
  readonly clock: Clock;
  readonly workers?: number;
  /** After this time the signal of a reconcile is aborted, and it counts as failed. */
  readonly reconcileMs?: number;
  readonly observe?: (observation: ReconcileObservation) => void;
}

/** Work is mostly waiting for the API server: a few at a time fill its rate limit. */
const workersDefault = 4;

/** No reconcile is this long: it waits by results, not by sleeping. */
const reconcileDefaultMs = 120_000;

export class Controller {
  readonly #options: ControllerOptions;
  /** Keys that are to be added again after the queue was full. */
  #backlog: string[] = [];

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  /** Works until the signal is aborted and every reconcile under way has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const { queue } = this.#options;
    const close = (): void => void queue.close();
    signal.addEventListener('abort', close, { once: true });
    if (signal.aborted) close();
    const workers = Array.from({ length: this.#options.workers ?? workersDefault }, () =>
      this.#work(signal),
    );
    try {
      await Promise.all(workers);
    } finally {
      signal.removeEventListener('abort', close);
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { queue } = this.#options;
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      try {
        await this.#reconcile(key, signal);
      } finally {
        queue.done(key);
      }
      this.#refill();
    }
  }

  /** One pass over all keys for any number of keys turned away, as fast as there is room for them. */
  #refill(): void {
    const { queue, keys } = this.#options;
    if (this.#backlog.length === 0 && queue.takeOverflow()) this.#backlog = [...keys()];
    while (queue.hasRoom) {
      const key = this.#backlog.pop();
      if (key === undefined) return;
      queue.add(key);
    }
  }

  async #reconcile(key: string, outer: AbortSignal): Promise<void> {
    const { queue, reconcile, clock } = this.#options;
    const startedAt = clock.now();
    const limit = new AbortController();
    const abort = (): void => limit.abort();
    const cancel = clock.after(this.#options.reconcileMs ?? reconcileDefaultMs, abort);
    outer.addEventListener('abort', abort, { once: true });
    if (outer.aborted) abort();
    let observation: Pick<ReconcileObservation, 'outcome' | 'error'>;
    try {
      const result = await reconcile(key, limit.signal);
      this.#settle(key, result);
      observation = {
        outcome: result.type,
        ...(result.type === 'retry' ? { error: result.reason } : {}),
      };
    } catch (error) {
      queue.addRateLimited(key);
      observation = { outcome: 'failed', error };
    } finally {
      cancel();
      outer.removeEventListener('abort', abort);
    }
    const durationMs = clock.now() - startedAt;
    this.#options.observe?.({ key, durationMs, failures: queue.failures(key), ...observation });
  }

  #settle(key: string, result: ReconcileResult): void {
    const { queue } = this.#options;
    switch (result.type) {
      case 'done':
        queue.forget(key);
        return;
      case 'after':
        queue.forget(key);
        queue.addAfter(key, result.delayMs);
        return;
      case 'retry':
        queue.addRateLimited(key);
    }
  }
}
