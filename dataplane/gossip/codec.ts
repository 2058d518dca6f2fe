import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { copyBytes } from '../common/bytes.ts';
import { PhotonError } from '../common/errors.ts';
import { isUuid, uuidBytes, uuidText } from '../common/uuid.ts';
import type { Status, Update } from './member.ts';
import type { Message } from './message.ts';
import type { Delta, DeltaOf, Digest } from './versioned-state.ts';

/**
 * Messages of the membership protocol as bytes: a u8 format, a u8 type, the news, and the fields of the type;
 * little endian, texts with a u16 length, IDs with a u8 length or as 16 bytes. Who says it to whom is not among them:
 * the seal of a datagram and the session of a message prove it. Guarded invariant: what a sender claims is compared with a limit and with the bytes that are there before anything of
 * that size is made.
 */
export class GossipMessageError extends PhotonError {
  readonly code = 'gossip.message';
}

/** 2: the state of each node is signed by it. 3: without sender and receiver. */
const format = 3;
export const codecLimits = {
  /** Of the text of an ID; a UUID has 36. */
  idBytes: 64,
  /** A DNS name with a port. */
  addressBytes: 262,
  updates: 4_096,
  owners: 16_384,
  /** Keys of one owner. */
  entries: 64,
  keyBytes: 64,
  valueBytes: 4_096,
  /** Of Ed25519. */
  signatureBytes: 64,
} as const;

const types = [
  'ping',
  'pingRequest',
  'ack',
  'nack',
  'gossip',
  'summary',
  'syncRequest',
  'syncReply',
  'syncDelta',
] as const satisfies readonly Message['type'][];
/** In the place of the length of an ID. */
const uuidTag = 255;
const statuses = ['alive', 'suspect', 'dead', 'left'] as const satisfies readonly Status[];

function writeText(writer: ByteWriter, text: string, bytesMax: number): void {
  const bytes = new TextEncoder().encode(text);
  if (bytes.byteLength > bytesMax) {
    throw new GossipMessageError(
      `A text of a message has ${bytes.byteLength} bytes; at most ${bytesMax} are sent.`,
    );
  }
  writer.u16(bytes.byteLength).bytes(bytes);
}

/** A UUID as its 16 bytes, any other ID as text. */
function writeId(writer: ByteWriter, id: string): void {
  if (isUuid(id)) {
    writer.u8(uuidTag).bytes(uuidBytes(id));
    return;
  }
  const bytes = new TextEncoder().encode(id);
  if (bytes.byteLength > codecLimits.idBytes) {
    throw new GossipMessageError(
      `An ID of a message has ${bytes.byteLength} bytes; at most ${codecLimits.idBytes} are sent.`,
    );
  }
  writer.u8(bytes.byteLength).bytes(bytes);
}

function writeUpdate(writer: ByteWriter, update: Update): void {
  writeId(writer, update.id);
  writeText(writer, update.address, codecLimits.addressBytes);
  writer.u64(update.incarnation).u8(statuses.indexOf(update.status));
  writeId(writer, update.accuser ?? '');
}

function writeMany<T>(writer: ByteWriter, items: readonly T[], write: (item: T) => void): void {
  writer.u16(items.length);
  for (const item of items) write(item);
}

function writeDigest(writer: ByteWriter, { versions, members }: Digest): void {
  writeMany(writer, [...versions], ([id, { generation, version }]) => {
    writeId(writer, id);
    writer.u64(generation).u64(version);
  });
  writeMany(writer, members, (update) => writeUpdate(writer, update));
}

function writeDelta(writer: ByteWriter, { states, members }: Delta): void {
  writeMany(writer, states, ({ id, generation, from, version, entries, signature }) => {
    writeId(writer, id);
    writer.u64(generation).u64(from).u64(version);
    writer.u8(signature.byteLength).bytes(signature);
    writeMany(writer, entries, (entry) => {
      writeText(writer, entry.key, codecLimits.keyBytes);
      writeText(writer, entry.value, codecLimits.valueBytes);
      writer.u64(entry.version);
    });
  });
  writeMany(writer, members, (update) => writeUpdate(writer, update));
}

export function encodeMessage(message: Message): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(format).u8(types.indexOf(message.type));
  writeMany(writer, message.updates, (update) => writeUpdate(writer, update));
  if ('sequence' in message) writer.u32(message.sequence);
  if ('target' in message) writeId(writer, message.target);
  if (message.type === 'summary') writer.u64(message.members).u64(message.states);
  if ('digest' in message) writeDigest(writer, message.digest);
  if ('delta' in message) writeDelta(writer, message.delta);
  return writer.finish();
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function readId(reader: ByteReader): string {
  const length = reader.u8();
  if (length === uuidTag) return uuidText(reader.bytes(16));
  if (length > codecLimits.idBytes) {
    throw new GossipMessageError(
      `An ID of a message claims ${length} bytes; at most ${codecLimits.idBytes} are read.`,
    );
  }
  return decoder.decode(reader.bytes(length));
}

function readText(reader: ByteReader, bytesMax: number): string {
  const length = reader.u16();
  if (length > bytesMax) {
    throw new GossipMessageError(
      `A text of a message claims ${length} bytes; at most ${bytesMax} are read.`,
    );
  }
  return decoder.decode(reader.bytes(length));
}

function readMany<T>(reader: ByteReader, max: number, read: () => T): T[] {
  const count = reader.u16();
  // Each has at least one byte, so that a count cannot exceed what was sent.
  if (count > max || count > reader.remaining) {
    throw new GossipMessageError(
      `A list of a message claims ${count} items; at most ${max} are read.`,
    );
  }
  const items: T[] = [];
  for (let at = 0; at < count; at += 1) items.push(read());
  return items;
}

function readSignature(reader: ByteReader): Uint8Array {
  const length = reader.u8();
  if (length > codecLimits.signatureBytes) {
    throw new GossipMessageError(
      `A signature claims ${length} bytes; at most ${codecLimits.signatureBytes} are read.`,
    );
  }
  return copyBytes(reader.bytes(length));
}

function readUpdate(reader: ByteReader): Update {
  const id = readId(reader);
  const address = readText(reader, codecLimits.addressBytes);
  const incarnation = reader.u64();
  const status = statuses[reader.u8()];
  const accuser = readId(reader) || undefined;
  if (status === undefined) throw new GossipMessageError('A message has an unknown status.');
  return { id, address, incarnation, status, accuser };
}

function readDigest(reader: ByteReader): Digest {
  const versions = readMany(reader, codecLimits.owners, () => {
    const id = readId(reader);
    return [id, { generation: reader.u64(), version: reader.u64() }] as const;
  });
  const members = readMany(reader, codecLimits.owners, () => readUpdate(reader));
  return { versions: new Map(versions), members };
}

function readDelta(reader: ByteReader): Delta {
  const states = readMany(reader, codecLimits.owners, (): DeltaOf => {
    const id = readId(reader);
    const [generation, from, version] = [reader.u64(), reader.u64(), reader.u64()];
    const signature = readSignature(reader);
    const entries = readMany(reader, codecLimits.entries, () => ({
      key: readText(reader, codecLimits.keyBytes),
      value: readText(reader, codecLimits.valueBytes),
      version: reader.u64(),
    }));
    return { id, generation, from, version, entries, signature };
  });
  return { states, members: readMany(reader, codecLimits.owners, () => readUpdate(reader)) };
}

function readMessage(reader: ByteReader, ends: Ends): Message {
  const written = reader.u8();
  if (written !== format) {
    throw new GossipMessageError(
      `A message has format ${written}, and this node reads format ${format}. The other node runs another release.`,
    );
  }
  const type = types[reader.u8()];
  const updates = readMany(reader, codecLimits.updates, () => readUpdate(reader));
  const envelope = { ...ends, updates };
  switch (type) {
    case 'ping':
    case 'ack':
    case 'nack':
      return { ...envelope, type, sequence: reader.u32() };
    case 'pingRequest': {
      const sequence = reader.u32();
      return { ...envelope, type, sequence, target: readId(reader) };
    }
    case 'gossip':
      return { ...envelope, type };
    case 'summary':
      return { ...envelope, type, members: reader.u64(), states: reader.u64() };
    case 'syncRequest':
      return { ...envelope, type, digest: readDigest(reader) };
    case 'syncReply': {
      const digest = readDigest(reader);
      return { ...envelope, type, digest, delta: readDelta(reader) };
    }
    case 'syncDelta':
      return { ...envelope, type, delta: readDelta(reader) };
    default:
      throw new GossipMessageError('A message has an unknown type.');
  }
}

/** Who has sent a message and who got it, as what carried it proves. */
type Ends = Pick<Message, 'from' | 'to'>;

/** Throws a GossipMessageError for anything but one whole message. */
export function decodeMessage(bytes: Uint8Array, ends: Ends): Message {
  const reader = new ByteReader(bytes);
  let message: Message;
  try {
    message = readMessage(reader, ends);
  } catch (error) {
    if (error instanceof GossipMessageError) throw error;
    const isExpected = error instanceof PhotonError || error instanceof TypeError;
    if (isExpected) throw new GossipMessageError('A message cannot be read.', { cause: error });
    throw error;
  }
  if (reader.remaining === 0) return message;
  throw new GossipMessageError('A message has more bytes than fields.');
}
