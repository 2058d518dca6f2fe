import { assert } from '../common/assert.ts';
import { crc32 } from '../common/bytes.ts';
import { ByteReader, TruncatedError } from '../common/byte-reader.ts';
import { BufferSink } from './byte-sink.ts';
import type { ByteSink } from './byte-sink.ts';

/**
 * What is written by one write and covered by one sync. Batches stand one behind the other; each
 * names the one before it by its checksum, and the position up to which the log was durable when it
 * was written, so that a reader can distinguish a torn tail from damage.
 */
export const batchKind = {
  /** Records. */
  data: 1,
  /** Empty: written behind a tail that is durable, to prove it. */
  seal: 2,
  /** The groups of a segment, at its end; twice. */
  index: 3,
} as const;
export type BatchKind = (typeof batchKind)[keyof typeof batchKind];

const kinds: ReadonlySet<number> = new Set(Object.values(batchKind));

const batchMagic = 0x4842_5750; // "PWBH"
/** 4 magic, 4 kind, 8 position, 8 durable position, 4 length, 4 previous CRC, 4 CRC. */
const batchHeaderBytes = 36;
const crcOffset = batchHeaderBytes - 4;
/** Batches begin at multiples of it: a reader that lost the chain knows where to look. */
export const batchAlignment = 8;

export const batchBytes = (bodyBytes: number): number =>
  Math.ceil((batchHeaderBytes + bodyBytes) / batchAlignment) * batchAlignment;

/** What binds a batch to its segment. */
export interface SegmentFrame {
  readonly basePosition: number;
  readonly salt: number;
}

export interface BatchPlace {
  readonly kind: BatchKind;
  /** In the log. */
  readonly position: number;
  /** Everything before this position was durable when the batch was written. */
  readonly durablePosition: number;
  readonly previousCrc: number;
}

export interface EncodedBatch {
  readonly bytes: Uint8Array;
  /** What the next batch names. */
  readonly crc: number;
}

/**
 * `fill` writes exactly `bodyBytes`; the batch is padded with zeros to the alignment. It stands in
 * `buffer`, which has `batchBytes(bodyBytes)` bytes.
 */
export function encodeBatch(
  { salt, ...place }: BatchPlace & Pick<SegmentFrame, 'salt'>,
  bodyBytes: number,
  fill: (sink: ByteSink) => void,
  buffer: Buffer = Buffer.allocUnsafe(batchBytes(bodyBytes)),
): EncodedBatch {
  const sink = new BufferSink(buffer);
  sink.u32(batchMagic).u32(place.kind).u64(place.position).u64(place.durablePosition);
  sink.u32(bodyBytes).u32(place.previousCrc).u32(0);
  fill(sink);
  const end = batchHeaderBytes + bodyBytes;
  assert(sink.length === end, `a batch of ${sink.length} bytes where ${end} were announced`);
  buffer.fill(0, end);
  const crc = checksum(buffer, end, salt);
  buffer.writeUInt32LE(crc, crcOffset);
  return { bytes: buffer, crc };
}

/** Over the header without the checksum's own place, then the body. */
const checksum = (batch: Uint8Array, end: number, salt: number): number =>
  crc32(batch.subarray(batchHeaderBytes, end), crc32(batch.subarray(0, crcOffset), salt));

export interface Batch extends BatchPlace {
  /** In its segment, in bytes. */
  readonly offset: number;
  readonly body: Uint8Array;
  readonly crc: number;
  /** Where the next batch begins in the segment. */
  readonly end: number;
}

/** Undefined when there is no whole batch of this segment at `offset`. The body is a view. */
export function decodeBatch(
  segment: Uint8Array,
  offset: number,
  frame: SegmentFrame,
): Batch | undefined {
  try {
    return readBatch(segment, offset, frame);
  } catch (error) {
    if (error instanceof TruncatedError) return undefined;
    throw error;
  }
}

function readBatch(segment: Uint8Array, offset: number, frame: SegmentFrame): Batch | undefined {
  const reader = new ByteReader(segment, offset);
  if (reader.u32() !== batchMagic) return undefined;
  const kind = reader.u32();
  const [position, durablePosition] = [reader.u64(), reader.u64()];
  const [bodyBytes, previousCrc, crc] = [reader.u32(), reader.u32(), reader.u32()];
  if (!kinds.has(kind) || position !== frame.basePosition + offset) return undefined;
  const end = offset + batchBytes(bodyBytes);
  if (end > segment.byteLength) return undefined;
  const body = reader.bytes(bodyBytes);
  if (checksum(segment.subarray(offset, end), batchHeaderBytes + bodyBytes, frame.salt) !== crc) {
    return undefined;
  }
  if (!isZero(segment, reader.offset, end)) return undefined;
  const batch = { position, durablePosition, previousCrc, offset, body, crc, end };
  return { kind: kind as BatchKind, ...batch };
}

/**
 * Whether a batch was begun here: one of the fields that only this place can have is right. So a torn
 * write, or a batch with a flipped byte, is distinguished from former content of recycled space.
 */
export function resemblesBatch(
  segment: Uint8Array,
  offset: number,
  expected: { readonly position: number; readonly lastCrc: number },
): boolean {
  if (offset + batchHeaderBytes > segment.byteLength) return false;
  const header = Buffer.from(segment.buffer, segment.byteOffset + offset, batchHeaderBytes);
  const low = expected.position % 0x1_0000_0000;
  return (
    header.readUInt32LE(8) === low ||
    header.readUInt32LE(16) === low ||
    header.readUInt32LE(28) === expected.lastCrc
  );
}

export function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] !== 0) return false;
  return true;
}
