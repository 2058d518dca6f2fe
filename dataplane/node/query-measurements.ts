import { Buckets, bytesBounds, rowsBounds } from '../observability/buckets.ts';
import { Latencies, recordedIn } from '../observability/latencies.ts';
import { LatencyRecorder } from '../observability/latency-recorder.ts';
import { kindOfQuery, queryKinds } from '../query/query-kind.ts';
import type { QueryKind } from '../query/query-kind.ts';

/** Where queries run, it is called with each answer and with the size of each scan. */
export interface QueryObserver {
  answered(term: unknown, elapsedMs: number): void;
  /** A scan has ended, after it has returned so much to its query. */
  scanned(rows: number, bytes: number): void;
}

/** What is measured where queries run, until it is taken to the core: durations by kind, and sizes of scans. */
export class QueryRecorder implements QueryObserver {
  readonly #latencies = new LatencyRecorder<QueryKind>();
  readonly #scanRows = new Buckets(rowsBounds);
  readonly #scanBytes = new Buckets(bytesBounds);

  answered(term: unknown, elapsedMs: number): void {
    this.#latencies.record(kindOfQuery(term), elapsedMs);
  }

  scanned(rows: number, bytes: number): void {
    this.#scanRows.add(rows);
    this.#scanBytes.add(bytes);
  }

  /** Since the last call, as data; undefined when there is nothing. */
  take(): object | undefined {
    const latencies = this.#latencies.take();
    const scanRows = this.#scanRows.take();
    const scanBytes = this.#scanBytes.take();
    const hasScans = scanRows !== undefined || scanBytes !== undefined;
    if (latencies.length === 0 && !hasScans) return undefined;
    return { latencies, ...(hasScans ? { scanRows, scanBytes } : {}) };
  }
}

/** The same of all queries of the node, wherever they run. */
export class QueryMeasurements implements QueryObserver {
  readonly latencies: Latencies<QueryKind>;
  readonly scanRows = new Buckets(rowsBounds);
  readonly scanBytes = new Buckets(bytesBounds);

  constructor(now: () => number) {
    this.latencies = new Latencies(queryKinds, now);
  }

  answered(term: unknown, elapsedMs: number): void {
    this.latencies.record(kindOfQuery(term), elapsedMs);
  }

  scanned(rows: number, bytes: number): void {
    this.scanRows.add(rows);
    this.scanBytes.add(bytes);
  }

  /** What a query worker has recorded. It may come from another process, and is not believed. */
  add(taken: unknown): void {
    const { latencies, scanRows, scanBytes } = (taken ?? {}) as Record<string, unknown>;
    this.latencies.add(recordedIn(latencies));
    this.scanRows.merge(scanRows);
    this.scanBytes.merge(scanBytes);
  }
}
