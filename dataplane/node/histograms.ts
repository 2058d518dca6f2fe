import type { Registry } from 'prom-client';
import type { Buckets } from '../observability/buckets.ts';
import { registerHistogram } from '../observability/histogram-metric.ts';
import type { HistogramSeries } from '../observability/histogram-metric.ts';
import type { QueryMeasurements } from './query-measurements.ts';
import type { StorageMeasurements } from './storage-measurements.ts';

/** The histograms of a node's queries and storage, beside its other metrics. */
export interface Measurements {
  readonly queries: QueryMeasurements;
  readonly storage: StorageMeasurements;
}

const single = (histogram: Buckets): HistogramSeries[] => [{ labels: {}, histogram }];

export function registerHistograms(registry: Registry, { queries, storage }: Measurements): void {
  registerHistogram(registry, {
    name: 'photondb_query_duration_seconds',
    help: 'Time from a query to its first answer.',
    read: () =>
      queries.latencies.histograms.map(([kind, histogram]) => ({ labels: { kind }, histogram })),
  });
  registerHistogram(registry, {
    name: 'photondb_scan_rows',
    help: 'Rows that a scan of a table or an index has returned to its query.',
    read: () => single(queries.scanRows),
  });
  registerHistogram(registry, {
    name: 'photondb_scan_bytes',
    help: 'Bytes of keys, documents and results that a scan has returned to its query.',
    read: () => single(queries.scanBytes),
  });
  const timed = [
    ['walSync', 'photondb_wal_sync_duration_seconds', 'Time of a synced write to the log.'],
    ['storeCommit', 'photondb_store_commit_duration_seconds', 'Time of a commit of the store.'],
  ] as const;
  for (const [kind, name, help] of timed) {
    registerHistogram(registry, {
      name,
      help,
      read: () =>
        storage.latencies.histograms
          .filter(([each]) => each === kind)
          .map(([, histogram]) => ({ labels: {}, histogram })),
    });
  }
  registerHistogram(registry, {
    name: 'photondb_wal_sync_bytes',
    help: 'Size of a synced write to the log.',
    read: () => single(storage.walSyncBytes),
  });
}
