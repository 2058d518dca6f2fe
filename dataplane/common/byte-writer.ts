import { Buffer } from 'node:buffer';
import { assert } from './assert.ts';

const initialCapacity = 256;
const shortText = 1_024;

/** Appends numbers (little endian) and byte strings to a buffer that grows. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity = initialCapacity) {
    this.#buffer = Buffer.allocUnsafe(Math.max(capacity, 16));
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#length = this.#buffer.writeUInt8(value, this.#length);
    return this;
  }

  u16(value: number): this {
    this.#reserve(2);
    this.#length = this.#buffer.writeUInt16LE(value, this.#length);
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32LE(value, this.#length);
    return this;
  }

  /** A safe integer in eight bytes. */
  u64(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, 'not an unsigned safe integer');
    this.#reserve(8);
    this.#buffer.writeUInt32LE(value % 0x1_0000_0000, this.#length);
    this.#buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), this.#length + 4);
    this.#length += 8;
    return this;
  }

  f64(value: number): this {
    this.#reserve(8);
    this.#length = this.#buffer.writeDoubleLE(value, this.#length);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.byteLength);
    this.#buffer.set(value, this.#length);
    this.#length += value.byteLength;
    return this;
  }

  /** A u32 length, then the bytes. */
  prefixed(value: Uint8Array): this {
    return this.u32(value.byteLength).bytes(value);
  }

  /** A u32 length in bytes, then UTF-8. */
  text(value: string): this {
    // No unit takes more than three bytes; most texts are short, and then a look at all of it costs more than room.
    const most = value.length > shortText ? Buffer.byteLength(value, 'utf8') : value.length * 3;
    this.#reserve(4 + most);
    const written = this.#buffer.write(value, this.#length + 4, most, 'utf8');
    this.#buffer.writeUInt32LE(written, this.#length);
    this.#length += 4 + written;
    return this;
  }

  /** Overwrites four bytes that were written before. */
  patchU32(offset: number, value: number): void {
    assert(offset + 4 <= this.#length, 'patch outside what was written');
    this.#buffer.writeUInt32LE(value, offset);
  }

  /** What was written; the writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(count: number): void {
    const wanted = this.#length + count;
    if (wanted <= this.#buffer.byteLength) return;
    const grown = Buffer.allocUnsafe(Math.max(wanted, this.#buffer.byteLength * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
