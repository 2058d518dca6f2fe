import { statfsSync } from 'node:fs';
import type { DiskUsage } from './disk-gate.ts';

/** Of the disk that a path is on. */
export function diskUsage(path: string): DiskUsage {
  const { bavail, blocks, bsize } = statfsSync(path);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}
