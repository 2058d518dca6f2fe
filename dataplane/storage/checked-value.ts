import { Buffer } from 'node:buffer';
import { crc32, nameOfBytes } from '../common/bytes.ts';
import { MetaCorruptError } from './errors.ts';

/**
 * A value of `meta` on the medium: format u8, CRC-32 u32 over key, format and content, content.
 * Documents have a checksum of their own; what counts them and says how far they are has this one.
 */
const format = 1;
const headerBytes = 5;

const checksum = (key: Uint8Array, content: Uint8Array): number =>
  crc32(content, crc32(new Uint8Array([format]), crc32(key)));

export function encodeChecked(key: Uint8Array, content: Uint8Array): Buffer {
  const value = Buffer.allocUnsafe(headerBytes + content.byteLength);
  value.writeUInt8(format, 0);
  value.writeUInt32LE(checksum(key, content), 1);
  value.set(content, headerBytes);
  return value;
}

/** A view of the content; throws `storage.corrupt` when the value is not as it was written. */
export function decodeChecked(key: Uint8Array, value: Buffer): Buffer {
  const content = value.subarray(headerBytes);
  const isWhole =
    value.byteLength >= headerBytes &&
    value.readUInt8(0) === format &&
    value.readUInt32LE(1) === checksum(key, content);
  if (!isWhole) throw new MetaCorruptError(nameOfBytes(key));
  return content;
}
