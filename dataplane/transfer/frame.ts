import { ByteWriter } from '../common/byte-writer.ts';
import { crc32 } from '../common/bytes.ts';

/**
 * The frames of an export. Each one's checksum goes on from the one before, so that the last covers
 * everything: a frame that is missing, doubled or in another place is as visible as a flipped bit.
 *
 *     stream  magic u32, format u32, then frames: header, rows and changes in any number, trailer
 *     frame   kind u8, length of the body u32, body, CRC-32 u32 of all that, begun with the CRC before
 *
 * Magic and format keep their places in every format to come. Numbers are little endian.
 */
export const streamMagic = 0x54_58_48_50;
export const streamFormat = 1;
export const prefaceBytes = 8;
export const frameOverheadBytes = 9;
/** A frame is closed when its body holds so much; a single larger document makes it longer. */
export const frameBodyBytes = 512 * 1_024;
/** The longest body that a reader takes: the largest document with room for all around it. */
export const frameBodyBytesMax = 72 * 1_048_576;

export const frameKind = { header: 1, rows: 2, changes: 3, trailer: 4 } as const;
export type FrameKind = (typeof frameKind)[keyof typeof frameKind];

export interface Frame {
  readonly kind: number;
  readonly body: Uint8Array;
  /** Of its first byte in the stream. */
  readonly offset: number;
}

export function encodePreface(): Uint8Array {
  return new ByteWriter(prefaceBytes).u32(streamMagic).u32(streamFormat).finish();
}

/** Turns bodies into frames, one behind the other. */
export class FrameWriter {
  #crc: number;

  constructor(preface: Uint8Array) {
    this.#crc = crc32(preface);
  }

  frame(kind: FrameKind, body: Uint8Array): Uint8Array {
    const writer = new ByteWriter(frameOverheadBytes + body.byteLength);
    writer.u8(kind).prefixed(body);
    this.#crc = crc32(writer.finish(), this.#crc);
    return writer.u32(this.#crc).finish();
  }
}
