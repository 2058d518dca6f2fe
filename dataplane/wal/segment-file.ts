import type { Disk, DiskFile } from '../disk/disk.ts';
import { WalDiskFullError } from './errors.ts';
import { encodeHeader, headerBytes, headerCopyOffset } from './segment-header.ts';
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
/** Of segments that are no part of the log any more: what they are for stands behind their name. */
export const asideKind = {
  /** Room for later segments. */
  spare: '.old',
  /** Damaged, with entries of groups that are not dropped. */
  damaged: '.damaged',
  /** Whole, with entries of groups that lost others to damage. */
  kept: '.kept',
} as const;
/** Of a note that a segment is about to begin: it lies beside the one that is finished before it. */
const noteSuffix = '.soon';
type AsideKind = (typeof asideKind)[keyof typeof asideKind];
/** Written durably piece by piece, so that preparing a segment never holds up a batch for long. */
const zeroedChunkBytes = 1_048_576;

export const segmentName = (sequence: number): string =>
  `${sequence.toString(16).padStart(16, '0')}${suffix}`;

/** Undefined for a file that is no segment. */
export function sequenceOf(name: string): number | undefined {
  return /^[0-9a-f]{16}\.wal$/.test(name) ? Number.parseInt(name, 16) : undefined;
}

export const pathOf = ({ directory }: SegmentDirectory, name: string): string =>
  `${directory}/${name}`;

const noteOf = (sequence: number): string => segmentName(sequence) + noteSuffix;

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && (error as NodeJS.ErrnoException).code === code;

const isNoRoom = (error: unknown): boolean => hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT');

/** Room for a segment that has no name and no header yet: zeros, or a released segment's bytes. */
export interface PreparedSegment {
  readonly file: DiskFile;
  readonly size: number;
  readonly recycled: boolean;
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
  const freeBytes = await disk.freeBytes(directory);
  // Others need the last bytes of the disk more than an attempt that must fail.
  if (freeBytes < size) throw new WalDiskFullError({ wantedBytes: size, freeBytes });
  const file = await disk.open(path, 'create');
  try {
    await zero(file, size, signal);
    return { file, size, recycled: false };
  } catch (error) {
    await file.close();
    await disk.remove(path);
    if (!isNoRoom(error)) throw error;
    throw new WalDiskFullError({ wantedBytes: size, freeBytes }, error);
  }
}

async function zero(file: DiskFile, size: number, signal: AbortSignal): Promise<void> {
  const zeros = new Uint8Array(Math.min(zeroedChunkBytes, size));
  for (let offset = 0; offset < size; offset += zeros.byteLength) {
    signal.throwIfAborted();
    await file.writeDurably(offset, zeros.subarray(0, size - offset));
  }
}

/**
 * Says, durably, that a segment is about to begin, before the one in front of it is finished. A newest
 * segment that is finished without such a note has lost the one behind it. Rejects with `wal.disk_full`
 * when not even the note has room.
 */
export async function announceSegment(
  place: SegmentDirectory,
  { sequence, size: wantedBytes }: { readonly sequence: number; readonly size: number },
): Promise<void> {
  const { disk, directory } = place;
  try {
    if (!(await isAnnounced(place, sequence))) {
      const note = await disk.open(pathOf(place, noteOf(sequence)), 'create');
      await note.close();
    }
  } catch (error) {
    if (!isNoRoom(error)) throw error;
    const freeBytes = await disk.freeBytes(directory);
    throw new WalDiskFullError({ wantedBytes, freeBytes }, error);
  }
  await disk.syncDirectory(directory);
}

export const withdrawSegment = (place: SegmentDirectory, sequence: number): Promise<void> =>
  place.disk.remove(pathOf(place, noteOf(sequence)));

export async function isAnnounced(
  { disk, directory }: { readonly disk: Pick<Disk, 'list'>; readonly directory: string },
  sequence: number,
): Promise<boolean> {
  return (await disk.list(directory)).includes(noteOf(sequence));
}

/** Gives prepared room its header and its name. */
export async function nameSegment(
  place: SegmentDirectory,
  { file }: PreparedSegment,
  header: SegmentHeader,
): Promise<void> {
  const bytes = new Uint8Array(headerCopyOffset + headerBytes);
  bytes.set(encodeHeader(header), 0);
  bytes.set(encodeHeader(header), headerCopyOffset);
  await file.writeDurably(0, bytes);
  const name = segmentName(header.sequence);
  await place.disk.rename(pathOf(place, temporaryName), pathOf(place, name));
  await place.disk.syncDirectory(place.directory);
  await withdrawSegment(place, header.sequence);
}

/** Takes a segment out of the log, durably; answers its new name. */
export async function setAside(
  place: SegmentDirectory,
  sequence: number,
  kind: AsideKind,
): Promise<string> {
  const name = segmentName(sequence);
  const aside = name + kind;
  await place.disk.rename(pathOf(place, name), pathOf(place, aside));
  await place.disk.syncDirectory(place.directory);
  return aside;
}

export async function removeDurably(place: SegmentDirectory, name: string): Promise<void> {
  const { disk, directory } = place;
  await disk.remove(pathOf(place, name));
  await disk.syncDirectory(directory);
}

export async function readWhole(disk: Pick<Disk, 'open'>, path: string): Promise<Uint8Array> {
  const file = await disk.open(path, 'read');
  try {
    return await file.read(0, await file.size());
  } finally {
    await file.close();
  }
}

export async function takeSpare(
  place: SegmentDirectory,
  spare: string,
  size: number,
): Promise<PreparedSegment> {
  const path = pathOf(place, temporaryName);
  await place.disk.rename(pathOf(place, spare), path);
  return { file: await place.disk.open(path, 'write'), size, recycled: true };
}

/** What a run that ended early, or one that closed with room prepared, left behind. */
export async function removeTemporary(place: SegmentDirectory): Promise<void> {
  const { disk, directory } = place;
  const names = await disk.list(directory);
  const isLeftOver = (name: string): boolean =>
    name === temporaryName ||
    name.endsWith(suffix + asideKind.spare) ||
    (name.endsWith(suffix + noteSuffix) && names.includes(name.slice(0, -noteSuffix.length)));
  for (const name of names) if (isLeftOver(name)) await disk.remove(pathOf(place, name));
}
