import { crc32 } from '../common/bytes.ts';
import { ByteReader, TruncatedError } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';

/**
 * The first bytes of a segment (docs/internals/wal.md has the tables). Magic number, format and
 * checksum keep their places in every format to come, so that each release can name the format of a
 * segment that it cannot read.
 */
export const walFormat = 3;
/** Without hard states and restarts; segments that have none are written in it. */
export const plainWalFormat = 2;
/** The same bytes as format 2, but that no segment was ever recycled. */
export const oldestWalFormat = 1;

/** The header stands at 0, its copy at 2,048 (another sector and page); batches begin at 4,096. */
export const headerCopyOffset = 2_048;
export const firstBatchOffset = 4_096;

const headerMagic = 0x4c41_5750; // "PWAL"
export const headerBytes = 64;
const crcOffset = headerBytes - 4;
const fieldsBytes = 44;

export interface SegmentHeader {
  readonly format: number;
  /** Segments are numbered without gaps. */
  readonly sequence: number;
  /** Of the whole file, in bytes. */
  readonly size: number;
  /** Position in the log of the segment's first byte: the sizes of all segments before it. */
  readonly basePosition: number;
  /** CRC of the last batch of the previous segment: it continues the chain. */
  readonly previousCrc: number;
  /**
   * Where the checksums of this segment's batches start from. Unpredictable, so that nobody can
   * write a document whose bytes look like a batch.
   */
  readonly salt: number;
  /**
   * The room held a released segment before, and until the end of this one is reached its bytes stand
   * behind it. They are no batches here: positions never come back, and the salt is another.
   */
  readonly recycled: boolean;
}

/** Where the next segment begins. */
export const endPositionOf = ({ basePosition, size }: SegmentHeader): number => basePosition + size;

export function encodeHeader(header: SegmentHeader): Uint8Array {
  const writer = new ByteWriter(headerBytes);
  writer.u32(headerMagic).u32(header.format).u64(header.sequence).u64(header.size);
  writer.u64(header.basePosition).u32(header.previousCrc).u32(header.salt);
  writer.u32(header.recycled ? 1 : 0);
  writer.bytes(new Uint8Array(crcOffset - fieldsBytes));
  return writer.u32(crc32(writer.finish())).finish();
}

/** Undefined when the bytes are not a whole header. */
export function decodeHeader(bytes: Uint8Array): SegmentHeader | undefined {
  try {
    const reader = new ByteReader(bytes.subarray(0, headerBytes));
    if (reader.u32() !== headerMagic) return undefined;
    if (new ByteReader(bytes, crcOffset).u32() !== crc32(bytes.subarray(0, crcOffset))) {
      return undefined;
    }
    return {
      format: reader.u32(),
      sequence: reader.u64(),
      size: reader.u64(),
      basePosition: reader.u64(),
      previousCrc: reader.u32(),
      salt: reader.u32(),
      recycled: reader.u32() === 1,
    };
  } catch (error) {
    if (error instanceof TruncatedError) return undefined;
    throw error;
  }
}
