import { Int32Histogram } from 'hdr-histogram-js';

/**
 * Durations by kind of what was done, in HDR histograms: every value with an error of one percent at most, in memory
 * that does not grow. What was recorded since the last `take` can be sent to another process.
 */
export interface RecordedLatencies {
  readonly kind: string;
  /** Exact, in microseconds. */
  readonly sum: number;
  /** A duration in microseconds and how often it was seen, again and again. */
  readonly counts: readonly number[];
}

/** A longer duration is recorded as this one. */
export const microsecondsMax = 1_000_000_000;
const significantDigits = 2;

export const createHistogram = (): Int32Histogram =>
  new Int32Histogram(1, microsecondsMax, significantDigits);

/** The nearest value that a histogram takes. */
export const microsecondsOf = (ms: number): number =>
  Math.min(microsecondsMax, Math.max(0, Math.round(ms * 1_000)));

interface Recorded {
  readonly histogram: Int32Histogram;
  sum: number;
}

export class LatencyRecorder<K extends string> {
  readonly #kinds = new Map<K, Recorded>();

  record(kind: K, ms: number): void {
    let recorded = this.#kinds.get(kind);
    if (recorded === undefined) {
      recorded = { histogram: createHistogram(), sum: 0 };
      this.#kinds.set(kind, recorded);
    }
    const microseconds = microsecondsOf(ms);
    recorded.histogram.recordValue(microseconds);
    recorded.sum += microseconds;
  }

  /** What was recorded since the last call. */
  take(): RecordedLatencies[] {
    const taken: RecordedLatencies[] = [];
    for (const [kind, recorded] of this.#kinds) {
      const { histogram, sum } = recorded;
      if (histogram.totalCount === 0) continue;
      taken.push({ kind, sum, counts: countsOf(histogram) });
      histogram.reset();
      recorded.sum = 0;
    }
    return taken;
  }
}

function countsOf(histogram: Int32Histogram): number[] {
  const counts: number[] = [];
  const values = histogram.recordedValuesIterator;
  values.reset();
  while (values.hasNext()) {
    const { valueIteratedTo, countAddedInThisIterationStep } = values.next();
    const middle = Math.min(microsecondsMax, histogram.medianEquivalentValue(valueIteratedTo));
    counts.push(middle, countAddedInThisIterationStep);
  }
  return counts;
}
