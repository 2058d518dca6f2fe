import { createLogger } from '../../observability/logger.ts';
import type { Database } from '../../database/database.ts';
import type { StoppedMembers } from '../../replication/stopped-member.ts';
import { openExistingDirectory } from '../../storage/directory.ts';
import type { DataDirectory } from '../../storage/directory.ts';
import { machineChance } from '../chance.ts';
import { machineClock } from '../clock.ts';
import { openData } from '../open-data.ts';
import type { OpenDataOptions } from '../open-data.ts';

const memtableBytesMax = 64 * 1_048_576;

type Work<T> = (database: Database) => Promise<T>;

/** Runs `work` on the database of a directory that no node has open; it is locked meanwhile. */
export const withDatabase = <T>(path: string, signal: AbortSignal, work: Work<T>): Promise<T> =>
  withOpen(path, { signal }, work);

/** The same with its metadata alone: nothing is evaluated and nothing of a table is applied. */
export const withMetadata = <T>(path: string, signal: AbortSignal, work: Work<T>): Promise<T> =>
  withOpen(path, { signal, isForRepair: true }, work);

/** The same of a node among others, in a directory that is locked: nobody votes, and nothing is sent. */
export const withStopped = <T>(
  directory: DataDirectory,
  { members, signal }: { readonly members: StoppedMembers; readonly signal: AbortSignal },
  work: Work<T>,
): Promise<T> => withLocked(directory, { signal, isForRepair: true, replicate: members }, work);

type How = Pick<OpenDataOptions, 'signal' | 'isForRepair' | 'replicate'>;

async function withOpen<T>(path: string, how: How, work: Work<T>): Promise<T> {
  using directory = openExistingDirectory(path);
  return withLocked(directory, how, work);
}

async function withLocked<T>(directory: DataDirectory, how: How, work: Work<T>): Promise<T> {
  const database = await openData({
    path: directory.path,
    clock: machineClock,
    chance: machineChance,
    logger: createLogger('warn', {}),
    memtableBytesMax,
    cacheBytesMax: 0,
    onProgress: () => undefined,
    ...how,
  });
  const failed = database.failed.then((error) => Promise.reject(error));
  try {
    return await Promise.race([work(database), failed]);
  } finally {
    await database.stop();
  }
}
