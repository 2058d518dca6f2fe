import { crc32 } from '../common/bytes.ts';
import { ByteReader, TruncatedError } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';

/**
 * The bytes of the log (docs/internals/wal.md has the tables). A segment is a header, its copy, and
 * batches one behind the other; the rest is zeros. A batch names the batch before it (`previousCrc`)
 * and the position up to which the log was durable when it was written, so that a reader can tell a
 * torn tail from damage.
 */
export const walFormat = 1;

/** The header stands at 0, its copy at 2,048; batches begin at 4,096. */
export const headerCopyOffset = 2_048;
export const firstBatchOffset = 4_096;

const headerMagic = 0x4c41_5750; // "PWAL"
const batchMagic = 0x4842_5750; // "PWBH"
const headerBytes = 40;
/** 4 magic, 4 kind, 8 sequence, 8 offset, 4 length, 4 previous CRC, 8 durable offset, 4 CRC. */
export const batchHeaderBytes = 44;
/** Batches begin at multiples of it: a reader that lost the chain knows where to look. */
export const batchAlignment = 8;

export interface SegmentHeader {
  readonly format: number;
  readonly sequence: number;
  /** CRC of the last batch of the segment before: the chain goes on. */
  readonly previousCrc: number;
  readonly size: number;
}

export function encodeHeader(header: SegmentHeader): Uint8Array {
  const writer = new ByteWriter(headerBytes);
  writer.u32(headerMagic).u32(header.format).u64(header.sequence).u64(header.size);
  writer.u32(header.previousCrc).u64(0);
  writer.u32(crc32(writer.finish()));
  return writer.finish();
}

/** Bytes of the medium can be anything: what cannot be read is undefined. */
function readable<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof TruncatedError) return undefined;
    throw error;
  }
}

/** Undefined when the bytes are not a whole header. */
export const decodeHeader = (bytes: Uint8Array): SegmentHeader | undefined =>
  readable(() => readHeader(bytes));

function readHeader(bytes: Uint8Array): SegmentHeader | undefined {
  const reader = new ByteReader(bytes);
  if (reader.u32() !== headerMagic) return undefined;
  const format = reader.u32();
  const header = { format, sequence: reader.u64(), size: reader.u64(), previousCrc: reader.u32() };
  reader.u64();
  return reader.u32() === crc32(bytes.subarray(0, headerBytes - 4)) ? header : undefined;
}

export function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] !== 0) return false;
  return true;
}

/** A batch of records; an empty one that closes the tail; the index of groups at a segment's end. */
export const batchKind = { data: 1, seal: 2, index: 3 } as const;
export type BatchKind = (typeof batchKind)[keyof typeof batchKind];

export interface BatchHeader {
  readonly kind: number;
  readonly sequence: number;
  /** Offset of the batch in its segment. */
  readonly offset: number;
  readonly bodyBytes: number;
  readonly previousCrc: number;
  /** Everything in this segment before this offset was durable when the batch was written. */
  readonly durableOffset: number;
  readonly crc: number;
}

export const aligned = (length: number): number =>
  Math.ceil(length / batchAlignment) * batchAlignment;

export type BatchPlace = Pick<
  BatchHeader,
  'kind' | 'sequence' | 'offset' | 'previousCrc' | 'durableOffset'
>;

/** Header and body, padded to the alignment; and the CRC that the next batch names. */
export function encodeBatch(
  place: BatchPlace,
  body: Uint8Array,
): { bytes: Uint8Array; crc: number } {
  const length = aligned(batchHeaderBytes + body.byteLength);
  const writer = new ByteWriter(length);
  writer.u32(batchMagic).u32(place.kind).u64(place.sequence).u64(place.offset);
  writer.u32(body.byteLength).u32(place.previousCrc).u64(place.durableOffset);
  const crc = crc32(body, crc32(writer.finish()));
  writer
    .u32(crc)
    .bytes(body)
    .bytes(new Uint8Array(length - batchHeaderBytes - body.byteLength));
  return { bytes: writer.finish(), crc };
}

export interface Batch {
  readonly header: BatchHeader;
  readonly body: Uint8Array;
  /** Where the next batch begins. */
  readonly end: number;
}

/** Undefined when there is no whole batch at `offset` of `segment`. */
export const decodeBatch = (segment: Uint8Array, offset: number): Batch | undefined =>
  readable(() => readBatch(segment, offset));

function readBatch(segment: Uint8Array, offset: number): Batch | undefined {
  const reader = new ByteReader(segment, offset);
  if (reader.u32() !== batchMagic) return undefined;
  const kind = reader.u32();
  const [sequence, place] = [reader.u64(), reader.u64()];
  const [bodyBytes, previousCrc] = [reader.u32(), reader.u32()];
  const durableOffset = reader.u64();
  const headEnd = reader.offset;
  const crc = reader.u32();
  if (place !== offset || bodyBytes > reader.remaining) return undefined;
  const body = reader.bytes(bodyBytes);
  if (crc32(body, crc32(segment.subarray(offset, headEnd))) !== crc) return undefined;
  const end = offset + aligned(batchHeaderBytes + bodyBytes);
  if (end > segment.byteLength || !isZero(segment, reader.offset, end)) return undefined;
  const header = { kind, sequence, offset, bodyBytes, previousCrc, durableOffset, crc };
  return { header, body, end };
}

/** One entry of a group's log, or the order to forget a suffix of it. */
export interface WalRecord {
  readonly group: number;
  readonly term: number;
  readonly index: number;
  readonly kind: number;
  readonly payload: Uint8Array;
}

/** The kind of a record that forgets its group's entries from `index` on. */
export const truncateKind = 255;

const recordHeaderBytes = 25;

export const recordBytes = (record: WalRecord): number =>
  recordHeaderBytes + record.payload.byteLength;

export function encodeRecords(records: readonly WalRecord[]): Uint8Array {
  const writer = new ByteWriter(records.reduce((sum, record) => sum + recordBytes(record), 0));
  for (const record of records) {
    writer.u32(record.group).u64(record.term).u64(record.index).u8(record.kind);
    writer.prefixed(record.payload);
  }
  return writer.finish();
}

export function* decodeRecords(body: Uint8Array): Generator<WalRecord> {
  const reader = new ByteReader(body);
  while (reader.remaining > 0) {
    const [group, term, index] = [reader.u32(), reader.u64(), reader.u64()];
    yield { group, term, index, kind: reader.u8(), payload: reader.prefixed() };
  }
}

/** The entries of one group in one segment. */
export interface GroupRange {
  readonly first: number;
  readonly last: number;
}

const groupRangeBytes = 20;

export const indexBytes = (groups: number): number =>
  2 * aligned(batchHeaderBytes + groups * groupRangeBytes);

export function encodeGroupIndex(groups: ReadonlyMap<number, GroupRange>): Uint8Array {
  const writer = new ByteWriter(groups.size * groupRangeBytes);
  for (const [group, range] of groups) writer.u32(group).u64(range.first).u64(range.last);
  return writer.finish();
}

export function decodeGroupIndex(body: Uint8Array): Map<number, GroupRange> {
  const reader = new ByteReader(body);
  const groups = new Map<number, GroupRange>();
  while (reader.remaining > 0)
    groups.set(reader.u32(), { first: reader.u64(), last: reader.u64() });
  return groups;
}
