import type { Disk, DiskFile } from '../disk/disk.ts';
import { encodeHeader, headerCopyOffset, walFormat } from './format.ts';

const suffix = '.wal';
/** A segment gets its name only when its header is durable. */
const temporarySuffix = '.wal.new';
const preallocationChunkBytes = 1_048_576;

export const segmentName = (sequence: number): string =>
  `${sequence.toString(16).padStart(16, '0')}${suffix}`;

/** Undefined for a file that is no segment. */
export function sequenceOf(name: string): number | undefined {
  return /^[0-9a-f]{16}\.wal$/.test(name) ? Number.parseInt(name, 16) : undefined;
}

export const isTemporary = (name: string): boolean => name.endsWith(temporarySuffix);

export interface NewSegment {
  readonly sequence: number;
  readonly size: number;
  readonly previousCrc: number;
}

/**
 * Makes a segment: zeros over its whole size (so that appending allocates nothing and a full disk
 * is noticed here), header and copy, a sync, its name, and a sync of the directory.
 */
export async function createSegment(
  disk: Disk,
  directory: string,
  segment: NewSegment,
): Promise<DiskFile> {
  const name = segmentName(segment.sequence);
  const temporary = `${directory}/${name.replace(suffix, temporarySuffix)}`;
  const file = await disk.open(temporary, 'create');
  try {
    const zeros = new Uint8Array(Math.min(preallocationChunkBytes, segment.size));
    for (let offset = 0; offset < segment.size; offset += zeros.byteLength) {
      await file.write(
        offset,
        zeros.subarray(0, Math.min(zeros.byteLength, segment.size - offset)),
      );
    }
    const header = encodeHeader({ format: walFormat, ...segment });
    await file.write(0, header);
    await file.write(headerCopyOffset, header);
    await file.sync();
    await disk.rename(temporary, `${directory}/${name}`);
    await disk.syncDirectory(directory);
    return file;
  } catch (error) {
    await file.close();
    await disk.remove(temporary);
    throw error;
  }
}
