import { join } from 'node:path';
import type { Chance } from '../common/chance.ts';
import type { Clock } from '../common/clock.ts';
import { documentProblem } from '../datum/document.ts';
import { RealDisk } from '../disk/real-disk.ts';
import type { Logger } from '../observability/logger.ts';
import type { ReplicaEvent } from '../shard/replica-care.ts';
import { createEditEngine } from '../query/edit-engine.ts';
import { compileIndex } from '../query/index-function.ts';
import { Database } from '../database/database.ts';
import type { DatabaseOptions } from '../database/options.ts';
import { requireLog } from '../storage/directory.ts';
import { LmdbStore } from '../storage/lmdb-store.ts';
import { openWal } from '../wal/open-wal.ts';
import type { Wal, WalOptions } from '../wal/wal.ts';
import { logReserve } from './descriptors.ts';
import type { StorageMeasurements } from './storage-measurements.ts';

/** The store and the log of a data directory that this process has locked, as one database. */
export interface OpenDataOptions extends Pick<
  DatabaseOptions,
  | 'memtableBytesMax'
  | 'cacheBytesMax'
  | 'onProgress'
  | 'signal'
  | 'isForRepair'
  | 'requiresWholeLog'
  | 'blocks'
  | 'replicate'
  | 'snapshotPeer'
  | 'forward'
> {
  readonly path: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly chance: Pick<Chance, 'next'>;
  readonly measurements?: StorageMeasurements;
}

export const storeDirectoryOf = (path: string): string => join(path, 'store');

/** What was opened is closed again when the rest cannot be: the data may be moved aside then. */
export async function openData(all: OpenDataOptions): Promise<Database> {
  const { path, logger, clock, measurements, signal } = all;
  const store = new LmdbStore({
    directory: storeDirectoryOf(path),
    clock,
    waiting: (missingBytes) => sayWaiting(logger, missingBytes),
    committed: (ms) => measurements?.committed(ms),
    signal,
  });
  let log: Wal | undefined;
  try {
    return await openDatabase(all, store, async ({ isFirst, ...replay }) => {
      log = await openLog(isFirst, replay, all);
      return log;
    });
  } catch (error) {
    await log?.close().catch(() => undefined);
    await store.close();
    throw error;
  }
}

function openDatabase(
  all: OpenDataOptions,
  store: LmdbStore,
  openLogOf: DatabaseOptions['openLog'],
): Promise<Database> {
  const { path: _path, logger, clock, measurements: _measurements, ...options } = all;
  return Database.open({
    ...options,
    clock,
    store,
    openLog: openLogOf,
    documents: { problemOf: documentProblem },
    edits: createEditEngine(),
    compileIndex: options.isForRepair === true ? () => () => [] : compileIndex,
    tableQuarantined: (table, { code, message }) =>
      logger.error('a table went into quarantine and is not served', {
        table,
        code,
        reason: message,
      }),
    indexFailed: ({ table, index, message, isRebuilt }) =>
      logger.error('an index has failed, and its table is served without it', {
        table,
        index,
        reason: message,
        isBuiltAgain: isRebuilt,
      }),
    documentLeftOut: ({ table, index }, reason) =>
      logger.warn('a document has no entry in an index: its function could not be evaluated', {
        table,
        index,
        reason,
      }),
    replicaEvent: (event) => sayReplica(logger, event),
    softRefused: (table, { message }) =>
      logger.error('the log refused a write that was acknowledged with soft durability', {
        table,
        reason: message,
      }),
  });
}

function sayReplica(logger: Logger, event: ReplicaEvent): void {
  if (event.type === 'compared') return;
  const { message: reason } = event;
  if (event.type === 'rebuilt') logger.info('a replica was rebuilt', { reason });
  else if (event.type === 'differs')
    logger.error('a replica differs from the others and is rebuilt', {
      reason,
    });
  else logger.error('the replicas of a table differ', { reason });
}

function sayWaiting(logger: Logger, missingBytes: number): void {
  if (missingBytes === 0) logger.info('the disk has space: the storage resumes', {});
  else
    logger.error('the disk is full: the storage waits for space, reads continue', { missingBytes });
}

async function openLog(
  isFirst: boolean,
  replay: Pick<WalOptions, 'replayFrom' | 'isDispensable' | 'onRecord' | 'onProgress' | 'signal'>,
  { path, logger, clock, chance, measurements }: OpenDataOptions,
): Promise<Wal> {
  const directory = join(path, 'wal');
  if (!isFirst) requireLog(directory);
  const log = await openWal({
    ...replay,
    disk: new RealDisk(logReserve),
    directory,
    clock,
    random: () => chance.next(),
    synced: (ms, bytes) => measurements?.synced(ms, bytes),
  });
  const { cut } = log.recovery;
  if (cut !== undefined) {
    logger.warn('truncated a torn tail of the log: no write in it had been acknowledged', cut);
  }
  for (const damage of new Set(log.damaged.values())) {
    const said = 'the log is damaged: tables that lost entries are not served';
    logger.error(said, { error: damage.message });
  }
  return log;
}
