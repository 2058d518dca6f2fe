import { createLogger } from '../../observability/logger.ts';
import type { Database } from '../../replication/database.ts';
import { openExistingDirectory } from '../../storage/directory.ts';
import { openData } from '../open-data.ts';

const overlayBytesMax = 64 * 1_048_576;

/** Runs `work` on the database of a directory that no node has open; it is locked meanwhile. */
export async function withDatabase<T>(
  path: string,
  signal: AbortSignal,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  using directory = openExistingDirectory(path);
  const database = await openData({
    path: directory.path,
    logger: createLogger('warn', {}),
    overlayBytesMax,
    cacheBytesMax: 0,
    onProgress: () => undefined,
    signal,
  });
  const failed = database.failed.then((error) => Promise.reject(error));
  try {
    return await Promise.race([work(database), failed]);
  } finally {
    await database.stop();
  }
}
