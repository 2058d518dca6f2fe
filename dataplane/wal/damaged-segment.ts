import { batchAlignment, batchKind, decodeBatch, encodeBatch } from './batch.ts';
import type { Batch } from './batch.ts';
import { decodeRanges } from './group-index.ts';
import type { GroupRanges } from './group-index.ts';
import {
  decodeHeader,
  endPositionOf,
  firstBatchOffset,
  headerCopyOffset,
  oldestWalFormat,
  walFormat,
} from './segment-header.ts';
import type { SegmentHeader } from './segment-header.ts';
import type { ScannedSegment, ScanOptions } from './scanned-segment.ts';

/**
 * What is known of a finished segment although bytes of it are damaged: its header and its index stand
 * there twice. Guarded invariant: of an answer every field is what was written; in doubt there is none.
 */
export interface SegmentFacts {
  readonly header: SegmentHeader;
  /** Every group that has something in the segment. */
  readonly ranges: GroupRanges;
  /** CRC of the second copy of the index, which the next segment continues. */
  readonly lastCrc: number;
}

const firstByteOfMagic = 0x50;

/**
 * By whichever copy of header and index can be read; undefined when none can. The index of format 1
 * leaves out groups, so that it proves nothing of them.
 */
export function factsOf(bytes: Uint8Array, sequence: number): SegmentFacts | undefined {
  const header = decodeHeader(bytes) ?? decodeHeader(bytes.subarray(headerCopyOffset));
  if (header?.sequence !== sequence) return undefined;
  if (header.format <= oldestWalFormat || header.format > walFormat) return undefined;
  for (let at = firstBatchOffset; at < bytes.byteLength; at += batchAlignment) {
    if (bytes[at] !== firstByteOfMagic) continue;
    const batch = decodeBatch(bytes, at, header);
    if (batch?.kind !== batchKind.index) continue;
    return { header, ranges: decodeRanges(batch.body), lastCrc: lastCrcFrom(batch, header) };
  }
  return undefined;
}

/** The second copy differs from the first in its place alone: what cannot be read can be computed. */
function lastCrcFrom(batch: Batch, { salt }: SegmentHeader): number {
  const { kind, position, durablePosition, body, crc } = batch;
  // Both copies name what stands before the first one.
  if (durablePosition < position) return crc;
  const place = { kind, position: position + batch.end - batch.offset, durablePosition };
  const copy = { ...place, previousCrc: crc, salt };
  return encodeBatch(copy, body.byteLength, (sink) => sink.bytes(body)).crc;
}

/**
 * A damaged segment in the chain of the log: it ends where its file ends, and the next one continues
 * it. Undefined when it is not known to be the one that belongs here.
 */
export function damagedSegment(
  bytes: Uint8Array,
  { name, sequence, previous }: ScanOptions,
): ScannedSegment | undefined {
  const facts = factsOf(bytes, sequence);
  if (facts?.header.size !== bytes.byteLength) return undefined;
  const { header } = facts;
  const follows =
    previous === undefined ||
    (header.previousCrc === previous.lastCrc &&
      header.basePosition === endPositionOf(previous.header));
  if (!follows) return undefined;
  const end = { end: header.size, tailOpen: false, tailBytes: 0, torn: false };
  return { ...facts, ...end, name, sealed: true, isDamaged: true };
}
