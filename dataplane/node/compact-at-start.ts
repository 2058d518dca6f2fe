import { existsSync } from 'node:fs';
import type { Clock } from '../common/clock.ts';
import { PhotonError } from '../common/errors.ts';
import type { Logger } from '../observability/logger.ts';
import { compactStore } from '../storage/compaction.ts';
import type { CompactionProgress } from '../storage/compaction.ts';
import { copyDirectoryOf, LmdbStore } from '../storage/lmdb-store.ts';
import { reserveBytesOf } from './disk-gate.ts';
import type { DiskUsage } from './disk-gate.ts';

/**
 * Gives free room of the data file back before the node serves, for those who can run no tool on its
 * volume. An obstacle is logged, and the node serves without compaction.
 */
export interface CompactAtStartOptions {
  readonly clock: Clock;
  /** Of the store. */
  readonly directory: string;
  /** Share of the file that must be free for it; 0 for never. */
  readonly percent: number;
  usage(): DiskUsage;
  readonly logger: Logger;
  onProgress(progress: CompactionProgress): void;
  readonly signal: AbortSignal;
}

export async function compactAtStart(options: CompactAtStartOptions): Promise<void> {
  const { directory, percent, logger, clock } = options;
  if (percent === 0) return;
  if (existsSync(copyDirectoryOf(directory))) {
    // Whatever ended the process, it does not become a circle.
    logger.warn('the compaction at the last start did not finish: this start skips it');
    return;
  }
  const freePercent = await freePercentOf(directory, clock);
  if (freePercent < percent) return;
  const { freeBytes, totalBytes } = options.usage();
  const reserveBytes = reserveBytesOf({ freeBytes, totalBytes });
  logger.info('compacting the data file before serving', { freePercent });
  try {
    const result = await compactStore({ ...options, freeBytes, reserveBytes });
    logger.info('the data file was compacted', { ...result });
  } catch (error) {
    options.signal.throwIfAborted();
    if (!(error instanceof PhotonError)) throw error;
    logger.warn('the data file was not compacted', { error: error.message });
  }
}

async function freePercentOf(directory: string, clock: Clock): Promise<number> {
  const store = new LmdbStore({ directory, clock });
  const { fileBytes, freeBytes } = store.statistics();
  await store.close();
  return Math.floor((freeBytes / fileBytes) * 100);
}
