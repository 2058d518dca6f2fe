import { join } from 'node:path';
import { readFile } from '../../membership/cluster-files.ts';
import { TextFiles } from '../../storage/text-files.ts';
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

/** A copy alone does not say which of its entries are committed. */
class ReplicatedDirectoryError extends Error {}

export const filesOf = (path: string): TextFiles => new TextFiles(join(path, 'cluster'));

/** Whether the node has its data together with others, and what it was at the beginning; undefined when it does not. */
export const replicationOf = (path: string) => readFile(filesOf(path), 'replication');

function requireOnlyCopy(path: string): void {
  if (replicationOf(path) === undefined) return;
  throw new ReplicatedDirectoryError(
    `${path} is of a node that replicates its tables: one copy alone does not say what is committed, and a change to it would not reach the others. Use the tools of the Python package (dump, restore) on the running cluster; give a damaged node an empty directory; when a majority is lost, use \`npm run storage -- recover\`.`,
  );
}

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
  requireOnlyCopy(path);
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
