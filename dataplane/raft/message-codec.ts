import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { PhotonError } from '../common/errors.ts';
import type { Configuration, NodeId } from './configuration.ts';
import type { Entry, SnapshotPosition } from './entry.ts';
import type { Message, MessageBody } from './message.ts';

/**
 * Messages of many groups to one node as one frame: a u8 format, then for each message group, type, term and the fields
 * of the type; numbers are little endian. Sender and receiver are those of the connection and are not written. Guarded
 * invariant: any bytes give messages or a typed error, and nothing is allocated for what they only announce.
 */
const format = 1;
const membersMax = 64;
const nodeIdBytesMax = 256;
/** 8 term, 1 kind. */
const entryBytesMin = 9;

export interface GroupMessage {
  readonly group: number;
  readonly message: Message;
}

/** Bytes that no node of this release sends: their sender is not to be trusted any more. */
export class RaftMessageError extends PhotonError {
  override readonly code = 'raft.message';
  constructor(reason: string) {
    super(`A message of a replicated group cannot be read: ${reason}. End the connection.`);
  }
}

const types = [
  'preVote',
  'vote',
  'preVoteReply',
  'voteReply',
  'append',
  'appendReply',
  'heartbeat',
  'heartbeatReply',
  'snapshot',
  'timeoutNow',
  'note',
] as const satisfies readonly Message['type'][];
const entryKinds = [
  'command',
  'configuration',
  'empty',
] as const satisfies readonly Entry['kind'][];

function writeIds(writer: ByteWriter, ids: readonly NodeId[]): void {
  writer.u8(ids.length);
  for (const id of ids) writer.text(id);
}

export function writeConfiguration(
  writer: ByteWriter,
  { voters, outgoing, learners }: Configuration,
): void {
  for (const ids of [voters, outgoing, learners]) writeIds(writer, ids);
}

function readIds(reader: ByteReader): readonly NodeId[] {
  const ids: NodeId[] = [];
  const count = reader.u8();
  if (count > membersMax) throw new RaftMessageError(`${count} members`);
  for (let left = count; left > 0; left -= 1) {
    const id = reader.text();
    if (id.length === 0 || id.length > nodeIdBytesMax) throw new RaftMessageError('a node ID');
    ids.push(id);
  }
  return ids;
}

/** Throws what `ByteReader` throws, and `RaftMessageError`. */
export const readConfiguration = (reader: ByteReader): Configuration => ({
  voters: readIds(reader),
  outgoing: readIds(reader),
  learners: readIds(reader),
});

function writeEntries(writer: ByteWriter, entries: readonly Entry[]): void {
  writer.u32(entries.length);
  for (const entry of entries) {
    writer.u64(entry.term).u8(entryKinds.indexOf(entry.kind));
    if (entry.kind === 'command') writer.prefixed(entry.payload);
    else if (entry.kind === 'configuration') writeConfiguration(writer, entry.configuration);
  }
}

/** They follow `previousIndex` without a gap. Payloads are views. */
function readEntries(reader: ByteReader, previousIndex: number): readonly Entry[] {
  const entries: Entry[] = [];
  const count = reader.u32();
  if (count * entryBytesMin > reader.remaining) throw new RaftMessageError(`${count} entries`);
  for (let index = previousIndex + 1; index <= previousIndex + count; index += 1) {
    const term = reader.u64();
    const kind = entryKinds[reader.u8()];
    if (kind === undefined) throw new RaftMessageError('an unknown kind of entry');
    if (kind === 'command') entries.push({ kind, term, index, payload: reader.prefixed() });
    else if (kind === 'empty') entries.push({ kind, term, index });
    else entries.push({ kind, term, index, configuration: readConfiguration(reader) });
  }
  return entries;
}

function writeSnapshot(writer: ByteWriter, snapshot: SnapshotPosition): void {
  writer.u64(snapshot.index).u64(snapshot.term);
  writeConfiguration(writer, snapshot.configuration);
}

function flag(reader: ByteReader): boolean {
  const value = reader.u8();
  if (value > 1) throw new RaftMessageError('a flag that is neither 0 nor 1');
  return value === 1;
}

function writeBody(writer: ByteWriter, message: Message): void {
  switch (message.type) {
    case 'preVote':
    case 'vote':
      writer.u64(message.lastIndex).u64(message.lastTerm).u8(Number(message.isTransfer));
      return;
    case 'preVoteReply':
    case 'voteReply':
      writer.u8(Number(message.isGranted));
      return;
    case 'append':
      writer.u64(message.previousIndex).u64(message.previousTerm).u64(message.committed);
      writeEntries(writer, message.entries);
      return;
    case 'appendReply':
      writer.u8(Number(message.isRejected)).u64(message.index);
      writer.u64(message.hintIndex).u64(message.hintTerm);
      return;
    case 'heartbeat':
      writer.u64(message.round).u64(message.committed).u8(Number(message.isLast));
      return;
    case 'heartbeatReply':
      writer.u64(message.round);
      return;
    case 'snapshot':
      writeSnapshot(writer, message.snapshot);
      return;
    case 'note':
      writer.prefixed(message.payload);
      return;
    case 'timeoutNow':
  }
}

function readAppend(reader: ByteReader): MessageBody {
  const [previousIndex, previousTerm, committed] = [reader.u64(), reader.u64(), reader.u64()];
  const entries = readEntries(reader, previousIndex);
  return { type: 'append', previousIndex, previousTerm, committed, entries };
}

function readBody(reader: ByteReader, type: Message['type']): MessageBody {
  switch (type) {
    case 'preVote':
    case 'vote':
      return { type, lastIndex: reader.u64(), lastTerm: reader.u64(), isTransfer: flag(reader) };
    case 'preVoteReply':
    case 'voteReply':
      return { type, isGranted: flag(reader) };
    case 'append':
      return readAppend(reader);
    case 'appendReply':
      return {
        type,
        isRejected: flag(reader),
        index: reader.u64(),
        hintIndex: reader.u64(),
        hintTerm: reader.u64(),
      };
    case 'heartbeat':
      return { type, round: reader.u64(), committed: reader.u64(), isLast: flag(reader) };
    case 'heartbeatReply':
      return { type, round: reader.u64() };
    case 'snapshot': {
      const [index, term] = [reader.u64(), reader.u64()];
      return { type, snapshot: { index, term, configuration: readConfiguration(reader) } };
    }
    case 'note':
      return { type, payload: reader.prefixed() };
    case 'timeoutNow':
      return { type };
  }
}

/** All to one node; about so many bytes. */
export function encodeMessages(messages: readonly GroupMessage[], bytes = 1_024): Uint8Array {
  const writer = new ByteWriter(bytes).u8(format);
  for (const { group, message } of messages) {
    writer.u32(group).u8(types.indexOf(message.type)).u64(message.term);
    writeBody(writer, message);
  }
  return writer.finish();
}

/** Throws `RaftMessageError`, or `TruncatedError`. Payloads are views of the frame. */
export function decodeMessages(
  frame: Uint8Array,
  { from, to }: { readonly from: NodeId; readonly to: NodeId },
): GroupMessage[] {
  const reader = new ByteReader(frame);
  const found = reader.u8();
  if (found !== format) throw new RaftMessageError(`format ${found} in place of ${format}`);
  const messages: GroupMessage[] = [];
  while (reader.remaining > 0) {
    const group = reader.u32();
    const type = types[reader.u8()];
    if (type === undefined) throw new RaftMessageError('an unknown type');
    const term = reader.u64();
    messages.push({ group, message: { ...readBody(reader, type), from, to, term } });
  }
  return messages;
}
