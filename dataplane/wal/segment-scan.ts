import { equalBytes } from '../common/bytes.ts';
import { TruncatedError } from '../common/byte-reader.ts';
import { batchAlignment, batchKind, decodeBatch, isZero, resemblesBatch } from './batch.ts';
import type { Batch } from './batch.ts';
import { factsOf } from './damaged-segment.ts';
import { WalCorruptError, WalFormatError } from './errors.ts';
import { decodeRanges, noteOldRange, noteRange, sameRanges } from './group-index.ts';
import type { GroupRanges } from './group-index.ts';
import { decodeRecords } from './record.ts';
import type { WalRecord } from './record.ts';
import { segmentName } from './segment-file.ts';
import {
  decodeHeader,
  encodeHeader,
  endPositionOf,
  firstBatchOffset,
  headerBytes,
  headerCopyOffset,
  oldestWalFormat,
  walFormat,
} from './segment-header.ts';
import type { SegmentHeader } from './segment-header.ts';
import type { ScannedSegment, ScanOptions } from './scanned-segment.ts';

/**
 * Reads a segment back and judges every byte of it. Guarded invariant: what may have been promised
 * to somebody is never cut. What cannot be read is a torn tail only in the newest segment, and only
 * when no batch behind it names a durable position beyond it; everything else is corruption.
 */
const firstByteOfMagic = 0x50;

/** A segment under examination. */
class Examined {
  readonly bytes: Uint8Array;
  readonly options: ScanOptions;
  readonly header: SegmentHeader;
  readonly ranges: GroupRanges = new Map();
  /** As format 1 counts; filled for its segments only. */
  readonly oldRanges: GroupRanges = new Map();
  readonly basePosition: number;

  constructor(bytes: Uint8Array, options: ScanOptions) {
    this.bytes = bytes;
    this.options = options;
    const { previous } = options;
    this.basePosition =
      previous === undefined
        ? (decodeHeader(bytes.subarray(headerCopyOffset))?.basePosition ?? 0)
        : endPositionOf(previous.header);
    this.header = this.#readHeader();
    this.basePosition = this.header.basePosition;
  }

  /** `isPlaced` tells that the segment is where it belongs: then its own index names its groups. */
  corrupt(offset: number, what: string, isPlaced = true): WalCorruptError {
    const place = {
      segment: this.options.name,
      offset,
      position: this.basePosition + offset,
    };
    const groups = isPlaced ? this.#groups() : undefined;
    return new WalCorruptError(place, what, groups);
  }

  /** Those of the index, unless a record was found that contradicts it. */
  #groups(): ReadonlySet<number> | undefined {
    const facts = factsOf(this.bytes, this.options.sequence);
    if (facts === undefined) return undefined;
    const groups = new Set(facts.ranges.keys());
    return [...this.ranges.keys()].every((group) => groups.has(group)) ? groups : undefined;
  }

  #readHeader(): SegmentHeader {
    const { name, sequence, previous } = this.options;
    const header = decodeHeader(this.bytes);
    if (header === undefined) throw this.corrupt(0, 'its header cannot be read');
    if (header.format > walFormat || header.format < oldestWalFormat) {
      const readable = { oldest: oldestWalFormat, newest: walFormat };
      throw new WalFormatError(name, header.format, readable);
    }
    if (header.sequence !== sequence || header.size !== this.bytes.byteLength) {
      throw this.corrupt(0, 'its header belongs to another file', false);
    }
    const copyEnd = headerCopyOffset + headerBytes;
    if (!equalBytes(encodeHeader(header), this.bytes.subarray(headerCopyOffset, copyEnd))) {
      throw this.corrupt(headerCopyOffset, 'the copy of its header differs');
    }
    const gaps =
      isZero(this.bytes, headerBytes, headerCopyOffset) &&
      isZero(this.bytes, copyEnd, firstBatchOffset);
    if (!gaps) throw this.corrupt(headerBytes, 'bytes stand where nothing is ever written');
    const follows =
      previous === undefined ||
      (header.previousCrc === previous.lastCrc && header.basePosition === this.basePosition);
    if (!follows) throw this.corrupt(0, 'it does not continue the segment before it', false);
    return header;
  }
}

/** Verifies a whole segment; takes its records in, but hands out none. */
export function scanSegment(bytes: Uint8Array, options: ScanOptions): ScannedSegment {
  const segment = new Examined(bytes, options);
  let lastCrc = segment.header.previousCrc;
  let offset = firstBatchOffset;
  let indexCopies = 0;
  let tailOpen = false;
  let beforeIndex = { offset, lastCrc };
  for (;;) {
    const batch = decodeBatch(bytes, offset, segment.header);
    if (batch === undefined || batch.previousCrc !== lastCrc || indexCopies === 2) break;
    if (batch.kind === batchKind.index) {
      checkIndex(segment, batch);
      indexCopies += 1;
    } else {
      // The first copy of an index stood alone for a moment; nothing but the second may follow it.
      if (indexCopies > 0) break;
      takeRecords(segment, batch);
      tailOpen = batch.kind === batchKind.data;
    }
    lastCrc = batch.crc;
    offset = batch.end;
    if (indexCopies === 0) beforeIndex = { offset, lastCrc };
  }
  const sealed = indexCopies === 2;
  // An index without its copy is torn: it is truncated, and appends to the segment continue.
  if (!sealed) ({ offset, lastCrc } = beforeIndex);
  const tailBytes = lastNonZero(bytes, offset) - offset;
  checkEnd(segment, { offset, sealed, tailBytes });
  const { header, ranges } = segment;
  const found = { name: options.name, header, sealed, end: offset, lastCrc };
  const position = header.basePosition + offset;
  const torn =
    tailBytes > 0 && (!header.recycled || resemblesBatch(bytes, offset, { position, lastCrc }));
  return { ...found, tailOpen, ranges, tailBytes, torn };
}

/**
 * What is wrong when nothing stands behind a segment, and no note says that the next one is about to
 * begin: a finished segment has been the newest for a moment only, with such a note beside it.
 */
export function lostBehind({ sealed, header }: ScannedSegment): WalCorruptError | undefined {
  // The release before wrote no notes.
  if (!sealed || header.format === oldestWalFormat) return undefined;
  return missingSegment(header.sequence + 1, endPositionOf(header));
}

export const missingSegment = (sequence: number, position: number): WalCorruptError =>
  new WalCorruptError(
    { segment: segmentName(sequence), offset: 0, position },
    'the file is missing',
    undefined,
  );

/** The records of a segment that was scanned, with the offset behind the batch of each. */
export function* recordsOf(
  bytes: Uint8Array,
  scanned: ScannedSegment,
): Generator<{ readonly record: WalRecord; readonly batchEnd: number }> {
  for (let offset = firstBatchOffset; offset < scanned.end;) {
    const batch = decodeBatch(bytes, offset, scanned.header);
    if (batch === undefined || batch.kind === batchKind.index) return;
    for (const record of decodeRecords(batch.body)) yield { record, batchEnd: batch.end };
    offset = batch.end;
  }
}

/** Checksums were right: what is wrong inside was written wrong, or by something else. */
function understood<T>(segment: Examined, batch: Batch, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TruncatedError)) throw error;
    throw segment.corrupt(batch.offset, 'a batch has a right checksum and unknown content');
  }
}

function takeRecords(segment: Examined, batch: Batch): void {
  understood(segment, batch, () => {
    for (const record of decodeRecords(batch.body)) {
      const complaint = segment.options.continuity.note(record);
      // The groups of missing entries are unknown, so it may affect any group.
      if (complaint !== undefined) throw segment.corrupt(batch.offset, complaint, false);
      noteRange(segment.ranges, record);
      if (segment.header.format === oldestWalFormat) noteOldRange(segment.oldRanges, record);
    }
  });
}

function checkIndex(segment: Examined, batch: Batch): void {
  const ranges = understood(segment, batch, () => decodeRanges(batch.body));
  // A segment of format 1 may have been finished by this release.
  const isOld = segment.header.format === oldestWalFormat && sameRanges(ranges, segment.oldRanges);
  if (isOld || sameRanges(ranges, segment.ranges)) return;
  throw segment.corrupt(batch.offset, 'its records are not those of its index', false);
}

interface SegmentEnd {
  readonly offset: number;
  readonly sealed: boolean;
  readonly tailBytes: number;
}

function checkEnd(segment: Examined, { offset, sealed, tailBytes }: SegmentEnd): void {
  if (sealed) {
    if (tailBytes === 0) return;
    throw segment.corrupt(offset, 'bytes stand behind its end');
  }
  if (!segment.options.newest) {
    throw segment.corrupt(offset, 'a batch cannot be read, and a newer segment exists');
  }
  if (tailBytes === 0) return;
  const proof = proofBehind(segment, offset);
  if (proof === undefined) return;
  throw segment.corrupt(
    offset,
    `a batch cannot be read, and the one at offset ${proof.offset} proves that it was durable`,
  );
}

/** The first whole batch behind the damage that was written when the damaged place was durable. */
function proofBehind({ bytes, header }: Examined, damage: number): Batch | undefined {
  for (let at = damage + batchAlignment; at < bytes.byteLength; at += batchAlignment) {
    if (bytes[at] !== firstByteOfMagic) continue;
    const batch = decodeBatch(bytes, at, header);
    if (batch !== undefined && batch.durablePosition > header.basePosition + damage) return batch;
  }
  return undefined;
}

function lastNonZero(bytes: Uint8Array, start: number): number {
  let end = bytes.byteLength;
  while (end > start && bytes[end - 1] === 0) end -= 1;
  return end;
}
