import { ByteWriter } from '../common/byte-writer.ts';
import { bytesToFill, crc32, decodeUtf8, toHex } from '../common/bytes.ts';
import { StorageCorruptError } from './errors.ts';

/**
 * A stored value: format u8, flags u8, CRC-32 u32, version u64, body. The CRC covers keyspace, key,
 * header and body, so that a value under a wrong key is as visible as a flipped bit.
 */
const envelopeFormat = 1;
const envelopeHeaderBytes = 14;
const keyspaceBytes = 4;

export interface Envelope {
  readonly version: number;
  readonly body: Uint8Array;
}

/** Keys of a keyspace: its number as u32 in big-endian order, then the key, then room for more. */
export function keyspaceKey(keyspace: number, key: Uint8Array, roomBytes = 0): Uint8Array {
  const bytes = bytesToFill(keyspaceBytes + key.byteLength + roomBytes);
  bytes[0] = keyspace >>> 24;
  bytes[1] = keyspace >>> 16;
  bytes[2] = keyspace >>> 8;
  bytes[3] = keyspace;
  bytes.set(key, keyspaceBytes);
  return bytes;
}

/** The key without its keyspace: a copy, which is quicker to make than a view. */
export function keyInKeyspace(storedKey: Uint8Array): Uint8Array {
  const key = new Uint8Array(storedKey.byteLength - keyspaceBytes);
  for (let at = 0; at < key.byteLength; at += 1) key[at] = storedKey[at + keyspaceBytes] ?? 0;
  return key;
}

/** Of a stored key. */
export const keyspaceOf = (storedKey: Uint8Array): number =>
  (((storedKey[0] ?? 0) << 24) |
    ((storedKey[1] ?? 0) << 16) |
    ((storedKey[2] ?? 0) << 8) |
    (storedKey[3] ?? 0)) >>>
  0;

/** `storedKey` is the whole key, keyspace included. Version and body stand side by side behind the CRC. */
function checksum(storedKey: Uint8Array, value: Uint8Array): number {
  return crc32(value, crc32(value, crc32(storedKey), 0, 2), 6);
}

/** Little endian. */
function u32At(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  return (low | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0;
}

export function encodeEnvelope(storedKey: Uint8Array, envelope: Envelope): Uint8Array {
  const { version, body } = envelope;
  const writer = new ByteWriter(envelopeHeaderBytes + body.byteLength);
  const value = writer.u8(envelopeFormat).u8(0).u32(0).u64(version).bytes(body).finish();
  writer.patchU32(2, checksum(storedKey, value));
  return value;
}

export interface StoredDocument {
  readonly version: number;
  /** Canonical. */
  readonly text: string;
}

/** Throws `storage.corrupt` when the checksum or the format is wrong. */
export function decodeDocument(storedKey: Uint8Array, value: Uint8Array): StoredDocument {
  return { version: verifyEnvelope(storedKey, value), text: textOf(value) };
}

/** The document of a value that was verified. */
export const textOf = (value: Uint8Array): string => decodeUtf8(value, envelopeHeaderBytes);

/** The bytes of a value; throws `storage.corrupt` when the checksum or the format is wrong. */
export function decodeStored(storedKey: Uint8Array, value: Uint8Array): Envelope {
  const version = verifyEnvelope(storedKey, value);
  return { version, body: value.subarray(envelopeHeaderBytes) };
}

/** Answers the version of a value that is whole; throws `storage.corrupt` for any other. */
export function verifyEnvelope(storedKey: Uint8Array, value: Uint8Array): number {
  if (value.byteLength < envelopeHeaderBytes) throw damaged(storedKey, 'it is too short');
  if (checksum(storedKey, value) !== u32At(value, 2)) {
    throw damaged(storedKey, 'its checksum is wrong');
  }
  const [format, flags] = [value[0], value[1]];
  if (format !== envelopeFormat || flags !== 0) {
    throw damaged(storedKey, `this release does not know its format ${format}/${flags}`);
  }
  return u32At(value, 6) + u32At(value, 10) * 2 ** 32;
}

function damaged(storedKey: Uint8Array, what: string): StorageCorruptError {
  const place = {
    keyspace: keyspaceOf(storedKey),
    keyHex: toHex(storedKey.subarray(keyspaceBytes)),
  };
  return new StorageCorruptError(place, what);
}

/** A value that is whole, as it stands under another key. */
export function moveEnvelope(value: Uint8Array, storedKey: Uint8Array): Uint8Array {
  const writer = new ByteWriter(value.byteLength).bytes(value);
  const moved = writer.finish();
  writer.patchU32(2, checksum(storedKey, moved));
  return moved;
}

/** What a value adds to its keyspace's hash: over key, version and checksum. */
export function envelopeHash(storedKey: Uint8Array, value: Uint8Array): number {
  return crc32(value, crc32(storedKey), 0, envelopeHeaderBytes);
}
