import { assert } from '../common/assert.ts';

/** What records and indexes are written to: a `ByteWriter`, or a place in a buffer that is reused. */
export interface ByteSink {
  u8(value: number): this;
  u32(value: number): this;
  /** A safe integer in eight bytes. */
  u64(value: number): this;
  bytes(value: Uint8Array): this;
  /** A u32 length, then the bytes. */
  prefixed(value: Uint8Array): this;
}

/**
 * Writes into a buffer of a known size, little endian. It exists beside `ByteWriter`, which allocates:
 * 4 MiB of fresh memory for each batch cost more time than the copy into it.
 */
export class BufferSink implements ByteSink {
  readonly #buffer: Buffer;
  #length = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#length = this.#buffer.writeUInt8(value, this.#length);
    return this;
  }

  u32(value: number): this {
    this.#length = this.#buffer.writeUInt32LE(value, this.#length);
    return this;
  }

  u64(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, 'not an unsigned safe integer');
    this.u32(value % 0x1_0000_0000);
    return this.u32(Math.floor(value / 0x1_0000_0000));
  }

  bytes(value: Uint8Array): this {
    this.#buffer.set(value, this.#length);
    this.#length += value.byteLength;
    return this;
  }

  prefixed(value: Uint8Array): this {
    return this.u32(value.byteLength).bytes(value);
  }
}
