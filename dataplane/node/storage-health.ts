import type { Database } from '../database/database.ts';
import type { StorageHealth } from '../http/health.ts';
import type { LatencySummary } from '../observability/latencies.ts';
import type { DiskUsage } from './disk-gate.ts';
import type { StorageMeasurements } from './storage-measurements.ts';

/** The health of disk, log and store, each with the reasons when it is not well. */
export interface StorageParts {
  readonly database: Database;
  readonly usage: DiskUsage;
  /** Why writes are refused for want of room. */
  readonly refusal: string | undefined;
  readonly measurements: StorageMeasurements;
}

/** Reasons that one part gives. */
const reasonsMax = 10;
const logDamageCode = 'wal.corrupt';

export function storageHealth({
  database,
  usage,
  refusal,
  measurements,
}: StorageParts): StorageHealth {
  const { walSync, storeCommit } = measurements.latencies.recent.kinds;
  const damages = database.corruption
    .tables()
    .map(({ name, damage }) => ({ ...damage, message: `${name}: ${damage.message}` }));
  const ofLog = damages.filter(({ code }) => code === logDamageCode);
  const ofStore = damages.filter(({ code }) => code !== logDamageCode);
  const { first, documents } = database.corruption;
  const frozen = database.frozen === undefined ? [] : [database.frozen.message];
  const met = first === undefined || damages.length > 0 ? [] : [first.message];
  const unread =
    documents.count === 0 ? [] : [`${documents.count} documents cannot be read: scrub found them`];
  const undecided = database.undecided.map(
    (name) => `the replicas of table \`${name}\` differ, and no majority of them agrees`,
  );
  const store = [
    ...frozen,
    ...undecided,
    ...ofStore.map(({ message }) => message),
    ...met,
    ...unread,
  ];
  return {
    disk: {
      ...part(refusal === undefined ? [] : [refusal]),
      freeBytes: usage.freeBytes,
      totalBytes: usage.totalBytes,
    },
    wal: { ...part(ofLog.map(({ message }) => message)), ...timed('syncMs', walSync) },
    store: { ...part(store), ...timed('commitMs', storeCommit) },
  };
}

const part = (reasons: readonly string[]): Pick<StorageHealth['disk'], 'state' | 'reasons'> => ({
  state: reasons.length === 0 ? 'ok' : 'degraded',
  reasons: reasons.slice(0, reasonsMax),
});

const timed = <N extends string>(
  name: N,
  summary: LatencySummary | undefined,
): Partial<Record<N, LatencySummary>> =>
  summary === undefined ? {} : ({ [name]: summary } as Record<N, LatencySummary>);
