import { Buffer } from 'node:buffer';
import { crc32 as zlibCrc32 } from 'node:zlib';

/** Byte strings: comparison, joining, text, checksums. All deterministic; nothing here keeps its arguments. */

export const noBytes: Uint8Array = new Uint8Array(0);

/** Up to this a loop here is quicker than the way into the library and back. */
const shortBytes = 32;

const view = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Bytes that hold anything: every one of them is to be written. */
export const bytesToFill = (count: number): Uint8Array => Buffer.allocUnsafe(count);

/** Latin-1 text of a key: one code unit for each byte, so that a Map can hold it and texts order as bytes. */
export const nameOfBytes = (bytes: Uint8Array): string =>
  Buffer.isBuffer(bytes) || bytes.byteLength > shortBytes
    ? view(bytes).toString('latin1')
    : String.fromCharCode(...bytes);

/** Unsigned byte order; a prefix comes before what it begins. Negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && Buffer.compare(a, b) === 0;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

/** A copy that shares no memory with its source. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

export function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return (
    bytes.byteLength >= prefix.byteLength &&
    equalBytes(bytes.subarray(0, prefix.byteLength), prefix)
  );
}

/**
 * The smallest byte string greater than everything that begins with `prefix`: the open end of a
 * range over a prefix. Undefined when there is none (all bytes 255).
 */
export function successorOfPrefix(prefix: Uint8Array): Uint8Array | undefined {
  for (let end = prefix.byteLength; end > 0; end -= 1) {
    const last = prefix[end - 1] ?? 255;
    if (last === 255) continue;
    const successor = copyBytes(prefix.subarray(0, end));
    successor[end - 1] = last + 1;
    return successor;
  }
  return undefined;
}

/** The smallest byte string greater than `bytes`. */
export function successor(bytes: Uint8Array): Uint8Array {
  const next = new Uint8Array(bytes.byteLength + 1);
  next.set(bytes);
  return next;
}

export function encodeUtf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

/** The text from `start` on. */
export function decodeUtf8(bytes: Uint8Array, start = 0): string {
  return view(bytes).toString('utf8', start);
}

export function toHex(bytes: Uint8Array): string {
  return view(bytes).toString('hex');
}

export function fromHex(text: string): Uint8Array {
  return Buffer.from(text, 'hex');
}

/** Of the standard alphabet, padded. */
export function encodeBase64(bytes: Uint8Array): string {
  return view(bytes).toString('base64');
}

/** Skips what is no letter of base64: check first. */
export function decodeBase64(text: string): Uint8Array {
  return Buffer.from(text, 'base64');
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ ((value & 1) * 0xed_b8_83_20);
  return value;
});

/** CRC-32 (IEEE 802.3) of a range of bytes, unsigned; `previous` continues over several parts. */
export function crc32(bytes: Uint8Array, previous = 0, start = 0, end = bytes.byteLength): number {
  if (end - start > shortBytes) {
    const isWhole = start === 0 && end === bytes.byteLength;
    const part = isWhole
      ? bytes
      : new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
    return zlibCrc32(part, previous);
  }
  let crc = ~previous;
  for (let at = start; at < end; at += 1) {
    crc = (crc >>> 8) ^ (crcTable[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  }
  return ~crc >>> 0;
}
