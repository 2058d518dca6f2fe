import type { Disk, DiskFile } from '../disk/disk.ts';
import { WalDiskFullError } from './errors.ts';
import { encodeHeader, headerCopyOffset } from './segment-header.ts';
import type { SegmentHeader } from './segment-header.ts';

/**
 * How a segment comes into being: zeros over its whole size under a temporary name (so that
 * appending allocates nothing, and a full disk is noticed here), then header and copy, a sync, its
 * name, and a sync of the directory. A file with the name of a segment has a durable header.
 */
export interface SegmentDirectory {
  readonly disk: Disk;
  readonly directory: string;
}

const suffix = '.wal';
const temporaryName = 'next.wal.new';
/** Synced piece by piece, so that preparing a segment never holds up a sync of the log for long. */
const zeroedChunkBytes = 1_048_576;

export const segmentName = (sequence: number): string =>
  `${sequence.toString(16).padStart(16, '0')}${suffix}`;

/** Undefined for a file that is no segment. */
export function sequenceOf(name: string): number | undefined {
  return /^[0-9a-f]{16}\.wal$/.test(name) ? Number.parseInt(name, 16) : undefined;
}

export const pathOf = ({ directory }: SegmentDirectory, name: string): string =>
  `${directory}/${name}`;

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && (error as NodeJS.ErrnoException).code === code;

/** Room for a segment, zeroed and durable, that has no name and no header yet. */
export interface PreparedSegment {
  readonly file: DiskFile;
  readonly size: number;
}

/** Rejects with `wal.disk_full` when there is no room; nothing is left behind then. */
export async function prepareSegment(
  place: SegmentDirectory,
  size: number,
  signal: AbortSignal,
): Promise<PreparedSegment> {
  const { disk, directory } = place;
  const path = pathOf(place, temporaryName);
  await disk.remove(path);
  const file = await disk.open(path, 'create');
  try {
    await zero(file, size, signal);
    return { file, size };
  } catch (error) {
    await file.close();
    await disk.remove(path);
    if (!hasCode(error, 'ENOSPC') && !hasCode(error, 'EDQUOT')) throw error;
    const freeBytes = await disk.freeBytes(directory);
    throw new WalDiskFullError({ wantedBytes: size, freeBytes }, error);
  }
}

async function zero(file: DiskFile, size: number, signal: AbortSignal): Promise<void> {
  const zeros = new Uint8Array(Math.min(zeroedChunkBytes, size));
  for (let offset = 0; offset < size; offset += zeros.byteLength) {
    signal.throwIfAborted();
    await file.write(offset, zeros.subarray(0, size - offset));
    await file.sync();
  }
}

/** Gives prepared room its header and its name. */
export async function nameSegment(
  place: SegmentDirectory,
  { file }: PreparedSegment,
  header: SegmentHeader,
): Promise<void> {
  const bytes = encodeHeader(header);
  await file.write(0, bytes);
  await file.write(headerCopyOffset, bytes);
  await file.sync();
  const name = segmentName(header.sequence);
  await place.disk.rename(pathOf(place, temporaryName), pathOf(place, name));
  await place.disk.syncDirectory(place.directory);
}

/** What a run that ended early, or one that closed with room prepared, left behind. */
export async function removeTemporary(place: SegmentDirectory): Promise<void> {
  await place.disk.remove(pathOf(place, temporaryName));
}
