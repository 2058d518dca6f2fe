import type { Int32Histogram } from 'hdr-histogram-js';
import { Buckets, secondsBounds } from './buckets.ts';
import type { Histogram } from './buckets.ts';
import { createHistogram, microsecondsMax, microsecondsOf } from './latency-recorder.ts';
import type { RecordedLatencies } from './latency-recorder.ts';

/**
 * The durations of all query workers together: in buckets since the start, for Prometheus; as percentiles of the last
 * minute, for people. Guarded invariant: whatever comes from another process, only known kinds and sane values count.
 */
export interface LatencySummary {
  /** In the time that the summary covers. */
  readonly count: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** A summary covers one to two of these. */
const windowMs = 30_000;

interface Window {
  readonly since: number;
  readonly byKind: ReadonlyMap<string, Int32Histogram>;
}

export class Latencies<K extends string> {
  readonly #now: () => number;
  readonly #kinds: readonly K[];
  readonly #buckets: ReadonlyMap<string, Buckets>;
  #older: Window;
  #newer: Window;

  constructor(kinds: readonly K[], now: () => number) {
    this.#now = now;
    this.#kinds = kinds;
    this.#buckets = new Map(kinds.map((kind) => [kind, new Buckets(secondsBounds)]));
    this.#older = this.#window();
    this.#newer = this.#older;
  }

  /** One that took place in this process. */
  record(kind: K, ms: number): void {
    this.#rotate();
    const microseconds = microsecondsOf(ms);
    this.#newer.byKind.get(kind)?.recordValue(microseconds);
    this.#buckets.get(kind)?.add(microseconds / 1e6);
  }

  add(recorded: readonly RecordedLatencies[]): void {
    this.#rotate();
    for (const { kind, sum, counts } of recorded) {
      const buckets = this.#buckets.get(kind);
      const histogram = this.#newer.byKind.get(kind);
      if (buckets === undefined || histogram === undefined) continue;
      let share = sum / 1e6;
      for (let at = 0; at + 1 < counts.length; at += 2) {
        const [microseconds = 0, times = 0] = [counts[at], counts[at + 1]];
        histogram.recordValueWithCount(microseconds, times);
        // The exact sum of all of them goes with the first.
        buckets.addMany(microseconds / 1e6, times, share);
        share = 0;
      }
    }
  }

  /** By kind, since the start. */
  get histograms(): readonly (readonly [K, Histogram])[] {
    return this.#kinds.map((kind) => [kind, this.#buckets.get(kind) as Buckets]);
  }

  /** Of the last half to whole minute, in milliseconds, by kind and of all kinds; kinds without any are left out. */
  get recent(): {
    readonly all: LatencySummary;
    readonly kinds: Partial<Record<K, LatencySummary>>;
  } {
    this.#rotate();
    const seconds = Math.max(1, this.#now() - this.#older.since) / 1_000;
    const all = createHistogram();
    const kinds: Partial<Record<K, LatencySummary>> = {};
    for (const kind of this.#kinds) {
      const merged = createHistogram();
      for (const window of new Set([this.#older, this.#newer])) {
        const histogram = window.byKind.get(kind);
        if (histogram !== undefined && histogram.totalCount > 0) merged.add(histogram);
      }
      if (merged.totalCount === 0) continue;
      all.add(merged);
      kinds[kind] = summaryOf(merged, seconds);
    }
    return { all: summaryOf(all, seconds), kinds };
  }

  #window(): Window {
    return {
      since: this.#now(),
      byKind: new Map(this.#kinds.map((kind) => [kind, createHistogram()])),
    };
  }

  #rotate(): void {
    const age = this.#now() - this.#newer.since;
    if (age < windowMs) return;
    const fresh = this.#window();
    // After a long silence the former window is no news any more.
    this.#older = age < 2 * windowMs ? this.#newer : fresh;
    this.#newer = fresh;
  }
}

const milliseconds = (microseconds: number): number => Math.round(microseconds) / 1_000;

function summaryOf(histogram: Int32Histogram, seconds: number): LatencySummary {
  const count = histogram.totalCount;
  const max = count === 0 ? 0 : histogram.maxValue;
  // The histogram answers the upper end of a bucket.
  const at = (percentile: number): number =>
    milliseconds(count === 0 ? 0 : Math.min(max, histogram.getValueAtPercentile(percentile)));
  return {
    count,
    perSecond: Math.round((count / seconds) * 100) / 100,
    p50: at(50),
    p90: at(90),
    p99: at(99),
    p999: at(99.9),
    max: milliseconds(max),
  };
}

const isCount = (value: unknown, max: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;

/** Values of one message at most: an HDR histogram has fewer. */
const countsMax = 16_384;
/** Of one value in one message: a worker reports several times in a second. */
const timesMax = 1_000_000;

/** What another process has sent; whatever is no such thing is left out. */
export function recordedIn(given: unknown): RecordedLatencies[] {
  if (!Array.isArray(given)) return [];
  return given.flatMap((each: unknown) => {
    const { kind, sum, counts } = (each ?? {}) as Record<string, unknown>;
    if (typeof kind !== 'string' || typeof sum !== 'number' || !(sum >= 0)) return [];
    if (!Array.isArray(counts) || counts.length > countsMax || !Number.isFinite(sum)) return [];
    const isSane = counts.every((value, at) =>
      isCount(value, at % 2 === 0 ? microsecondsMax : timesMax),
    );
    return isSane ? [{ kind, sum, counts }] : [];
  });
}
