import { Buckets, bytesBounds } from '../observability/buckets.ts';
import { Latencies } from '../observability/latencies.ts';

/** How the log and the store use the disk: time and size of what they make durable or visible. */
const kinds = ['walSync', 'storeCommit'] as const;

export class StorageMeasurements {
  readonly latencies: Latencies<(typeof kinds)[number]>;
  readonly walSyncBytes = new Buckets(bytesBounds);

  constructor(now: () => number) {
    this.latencies = new Latencies(kinds, now);
  }

  synced(ms: number, bytes: number): void {
    this.latencies.record('walSync', ms);
    this.walSyncBytes.add(bytes);
  }

  committed(ms: number): void {
    this.latencies.record('storeCommit', ms);
  }
}
