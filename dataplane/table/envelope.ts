import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { crc32, toHex } from '../common/bytes.ts';
import { StorageCorruptError } from './errors.ts';

/**
 * A stored value: format u8, flags u8, CRC-32 u32, version u64, body. The CRC covers keyspace, key,
 * header and body, so that a value under a wrong key is as visible as a flipped bit.
 */
const envelopeFormat = 1;
const envelopeHeaderBytes = 14;

export interface Envelope {
  readonly version: number;
  readonly body: Uint8Array;
}

/** Keys of a keyspace: its number as u32 in big-endian order, then the key. */
export function keyspaceKey(keyspace: number, key: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + key.byteLength);
  bytes[0] = keyspace >>> 24;
  bytes[1] = keyspace >>> 16;
  bytes[2] = keyspace >>> 8;
  bytes[3] = keyspace;
  bytes.set(key, 4);
  return bytes;
}

function header(version: number): ByteWriter {
  return new ByteWriter(envelopeHeaderBytes).u8(envelopeFormat).u8(0).u64(version);
}

/** `storedKey` is the whole key, keyspace included. */
function checksum(storedKey: Uint8Array, version: number, body: Uint8Array): number {
  return crc32(body, crc32(header(version).finish(), crc32(storedKey)));
}

export function encodeEnvelope(storedKey: Uint8Array, envelope: Envelope): Uint8Array {
  const { version, body } = envelope;
  const writer = new ByteWriter(envelopeHeaderBytes + body.byteLength);
  writer
    .u8(envelopeFormat)
    .u8(0)
    .u32(checksum(storedKey, version, body))
    .u64(version)
    .bytes(body);
  return writer.finish();
}

/** Throws `storage.corrupt` when the checksum or the format is wrong. */
export function decodeEnvelope(storedKey: Uint8Array, value: Uint8Array): Envelope {
  const damaged = (what: string): StorageCorruptError => {
    const keyspace = new DataView(storedKey.buffer, storedKey.byteOffset).getUint32(0);
    return new StorageCorruptError(keyspace, toHex(storedKey.subarray(4)), what);
  };
  if (value.byteLength < envelopeHeaderBytes) throw damaged('it is too short');
  const reader = new ByteReader(value);
  const [format, flags, crc] = [reader.u8(), reader.u8(), reader.u32()];
  if (format !== envelopeFormat || flags !== 0) throw damaged(`its format is ${format}/${flags}`);
  const high = value[13] ?? 0xff;
  if (high !== 0 || ((value[12] ?? 0xff) & 0xe0) !== 0)
    throw damaged('its version is out of range');
  const version = reader.u64();
  const body = reader.bytes(reader.remaining);
  if (checksum(storedKey, version, body) !== crc) throw damaged('its checksum is wrong');
  return { version, body };
}

/** What a value adds to its keyspace's hash: over key, version and checksum. */
export function envelopeHash(storedKey: Uint8Array, value: Uint8Array): number {
  return crc32(value.subarray(0, envelopeHeaderBytes), crc32(storedKey));
}
