import type { Clock } from '../../common/clock.ts';
import { resourceLimit } from '../failure.ts';

/**
 * How long a query may run: from its start to its answer, and while each further batch is made. The time in
 * which it waits for its client does not count. Whatever it waits for takes the signal.
 */
export interface Deadline {
  /** Aborted when the client cancels the query, and when its time is over. */
  readonly signal: AbortSignal;
  /** What the query does for its client; fails when its time is over. */
  run<T>(work: () => T | Promise<T>): T | Promise<T>;
}

/** Without a limit. */
export class Endless implements Deadline {
  readonly #origin: { readonly signal: AbortSignal };

  constructor(origin: { readonly signal: AbortSignal }) {
    this.#origin = origin;
  }

  /** Made when it is asked for. */
  get signal(): AbortSignal {
    return this.#origin.signal;
  }

  run<T>(work: () => T | Promise<T>): T | Promise<T> {
    return work();
  }
}

export function deadlineIn(
  seconds: number,
  signal: AbortSignal,
  clock: Pick<Clock, 'now' | 'sleep'>,
): Deadline {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  let leftMs = seconds * 1_000;
  const overLimit = new Promise<never>((_, reject) => {
    over.signal.addEventListener('abort', () => reject(over.signal.reason as Error));
  });
  // Nobody may be waiting for it.
  overLimit.catch(() => undefined);
  return {
    signal: either,
    async run(work) {
      over.signal.throwIfAborted();
      const done = new AbortController();
      const begunMs = clock.now();
      const end = (): void => over.abort(tooLong(seconds));
      clock.sleep(leftMs, done.signal).then(end, () => undefined);
      try {
        return await Promise.race([work(), overLimit]);
      } finally {
        leftMs = Math.max(0, leftMs - (clock.now() - begunMs));
        done.abort();
      }
    },
  };
}

const tooLong = (seconds: number): Error =>
  resourceLimit(
    `Query over time limit: it ran longer than ${seconds} s (\`max_query_seconds\`).  What it has written stays.  Ask for less at once, or raise the limit.`,
  );
