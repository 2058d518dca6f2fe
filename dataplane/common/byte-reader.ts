import { Buffer } from 'node:buffer';
import { PhotonError } from './errors.ts';

/** Bytes that end before what they promise: bytes come from disk and network, so this can happen. */
export class TruncatedError extends PhotonError {
  override readonly code = 'common.truncated';
}

/** Reads what ByteWriter wrote. Byte strings are views into the source. */
export class ByteReader {
  readonly #buffer: Buffer;
  #offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#buffer.byteLength - this.#offset;
  }

  u8(): number {
    return this.#buffer.readUInt8(this.#advance(1));
  }

  u16(): number {
    return this.#buffer.readUInt16LE(this.#advance(2));
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#advance(4));
  }

  /** Eight bytes that hold a safe integer; a larger one is refused. */
  u64(): number {
    const at = this.#advance(8);
    const value = this.#buffer.readUInt32LE(at + 4) * 0x1_0000_0000 + this.#buffer.readUInt32LE(at);
    if (!Number.isSafeInteger(value)) throw new TruncatedError('an integer beyond 2^53');
    return value;
  }

  f64(): number {
    return this.#buffer.readDoubleLE(this.#advance(8));
  }

  bytes(count: number): Uint8Array {
    const at = this.#advance(count);
    return this.#buffer.subarray(at, at + count);
  }

  prefixed(): Uint8Array {
    return this.bytes(this.u32());
  }

  text(): string {
    const length = this.u32();
    const at = this.#advance(length);
    return this.#buffer.toString('utf8', at, at + length);
  }

  #advance(count: number): number {
    const at = this.#offset;
    if (count > this.#buffer.byteLength - at) {
      throw new TruncatedError(`${count} bytes wanted at ${at}, ${this.remaining} there`);
    }
    this.#offset = at + count;
    return at;
  }
}
