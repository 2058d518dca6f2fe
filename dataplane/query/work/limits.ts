import type { Clock } from '../../common/clock.ts';

/** Bounds of the queries of one process, and its clock. */
export interface QueryLimits {
  /** For slices and deadlines. */
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  /** What one query may hold in memory. */
  readonly queryBytesMax: number;
  /** What all of them may hold together. */
  readonly allBytesMax: number;
  /** Seconds that a query may run; 0 for no limit. */
  readonly secondsMax: number;
}

const mebibyte = 1_048_576;

/** A clock that stands still leaves it to the count of units when a slice ends. */
export const queryLimits: QueryLimits = {
  clock: {
    now: () => 0,
    sleep: (_, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  },
  queryBytesMax: 256 * mebibyte,
  allBytesMax: 512 * mebibyte,
  secondsMax: 0,
};
