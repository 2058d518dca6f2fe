import type { Disk } from '../../disk/disk.ts';
import { Continuity } from '../continuity.ts';
import { WalCorruptError, WalFormatError } from '../errors.ts';
import { isAnnounced, readWhole, sequenceOf } from '../segment-file.ts';
import { lostBehind, scanSegment } from '../segment-scan.ts';
import type { ScannedSegment } from '../scanned-segment.ts';

/**
 * The log of a stopped node, or a copy of one, read without changing anything: files are
 * opened for reading only. Guarded invariant: it judges by the code that recovery judges by.
 */
export type ReadOnlyDisk = Pick<Disk, 'list' | 'open'>;

export interface InspectedSegment {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** What was found; or why it cannot be believed. */
  readonly found: ScannedSegment | Error;
}

interface InspectOptions {
  readonly disk: ReadOnlyDisk;
  readonly directory: string;
  /** The copy was made while a node wrote: one segment may lack its end although newer ones exist. */
  readonly isLiveCopy: boolean;
}

interface Candidate {
  readonly name: string;
  readonly sequence: number;
}

export async function segmentsIn(disk: ReadOnlyDisk, directory: string): Promise<Candidate[]> {
  const names = await disk.list(directory);
  return names
    .map((name) => ({ name, sequence: sequenceOf(name) ?? -1 }))
    .filter(({ sequence }) => sequence >= 0)
    .sort((a, b) => a.sequence - b.sequence);
}

/**
 * Segment by segment, one in memory at a time. After damage the next segment is judged for itself: what
 * it should continue is not known.
 */
export async function* inspect(options: InspectOptions): AsyncGenerator<InspectedSegment> {
  const { disk, directory } = options;
  const candidates = await segmentsIn(disk, directory);
  let previous: ScannedSegment | undefined;
  let continuity = new Continuity();
  let expected = candidates[0]?.sequence ?? 0;
  for (const { name, sequence } of candidates) {
    if (sequence !== expected) {
      const place = { segment: name, offset: 0, position: 0 };
      const error = new WalCorruptError(place, 'a segment before it is missing', undefined);
      yield { name, bytes: new Uint8Array(), found: error };
      [previous, continuity] = [undefined, new Continuity()];
    }
    expected = sequence + 1;
    const bytes = await readWhole(disk, `${directory}/${name}`);
    const newest = sequence === candidates.at(-1)?.sequence;
    const found = judge(bytes, {
      name,
      sequence,
      previous,
      continuity,
      newest: newest || options.isLiveCopy,
    });
    yield { name, bytes, found };
    // What follows an unfinished segment of a live copy was written after what the copy has of it.
    const isFollowed = !(found instanceof Error) && (found.sealed || newest);
    if (!isFollowed) continuity = new Continuity();
    previous = isFollowed ? found : undefined;
  }
  if (previous === undefined || options.isLiveCopy || (await isAnnounced(options, expected)))
    return;
  const lost = lostBehind(previous);
  if (lost !== undefined) {
    yield { name: lost.place.segment, bytes: new Uint8Array(), found: lost };
  }
}

/** Errors of the log are findings; any other one is a fault. */
function judge(
  bytes: Uint8Array,
  options: Parameters<typeof scanSegment>[1],
): ScannedSegment | Error {
  try {
    return scanSegment(bytes, options);
  } catch (error) {
    if (!(error instanceof WalCorruptError) && !(error instanceof WalFormatError)) throw error;
    return error;
  }
}
