import { ByteReader, TruncatedError } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { crc32, decodeBase64, encodeBase64 } from '../common/bytes.ts';
import type { Position } from '../replication/replicated-group.ts';
import type { KeyspaceStatistics } from '../table/row-sum.ts';

/**
 * The state of a group on its way to another node, in parts that are answered one by one. Each has a checksum of its
 * own; the end says what all of them add up to.
 *
 *     part    format u8, group u32, session text, number u32, kind u8, body u32 + bytes, CRC-32 u32 of all that
 *     answer  format u8, kind u8 (1 next, 2 damaged, 3 again), number u32
 */
const messageFormat = 1;

/** `state`: of the metadata, a piece of its text. */
export const partKind = { rows: 1, changes: 2, state: 3, end: 4 } as const;
export type PartKind = (typeof partKind)[keyof typeof partKind];

export interface SnapshotPart {
  readonly kind: number;
  readonly body: Uint8Array;
}

export interface NumberedPart extends SnapshotPart {
  readonly group: number;
  /** Of one walk over the state of one leader. */
  readonly session: string;
  /** From 0 on. */
  readonly number: number;
}

/**
 * `next`: the part with this number is wanted. `damaged`: the part did not arrive as it was sent. `again`: the receiver
 * has nothing of this session, or does not trust what it has, and wants another one.
 */
export type SnapshotAnswer =
  | { readonly type: 'next'; readonly number: number }
  | { readonly type: 'damaged' | 'again' };

const answerKinds = ['next', 'damaged', 'again'] as const;
const overheadBytes = 128;

export function encodePart({ group, session, number, kind, body }: NumberedPart): Uint8Array {
  const writer = new ByteWriter(overheadBytes + body.byteLength);
  writer.u8(messageFormat).u32(group).text(session).u32(number).u8(kind).prefixed(body);
  return writer.u32(crc32(writer.finish())).finish();
}

const crcBytes = 4;

/** Undefined for bytes that are not what `encodePart` makes. The body is a view. */
export function decodePart(bytes: Uint8Array): NumberedPart | undefined {
  try {
    const covered = bytes.subarray(0, Math.max(0, bytes.byteLength - crcBytes));
    const crc = new ByteReader(bytes, covered.byteLength).u32();
    const reader = new ByteReader(covered);
    if (crc !== crc32(covered) || reader.u8() !== messageFormat) return undefined;
    const [group, session, number] = [reader.u32(), reader.text(), reader.u32()];
    return {
      group,
      session,
      number,
      kind: reader.u8(),
      body: reader.prefixed(),
    };
  } catch (error) {
    if (error instanceof TruncatedError) return undefined;
    throw error;
  }
}

export function encodeAnswer(answer: SnapshotAnswer): Uint8Array {
  const writer = new ByteWriter().u8(messageFormat).u8(answerKinds.indexOf(answer.type) + 1);
  return writer.u32(answer.type === 'next' ? answer.number : 0).finish();
}

/** Throws `common.truncated` for bytes that are none. */
export function decodeAnswer(bytes: Uint8Array): SnapshotAnswer {
  const reader = new ByteReader(bytes);
  const format = reader.u8();
  const type = answerKinds[reader.u8() - 1];
  if (format !== messageFormat || type === undefined)
    throw new TruncatedError('an answer of another release');
  const number = reader.u32();
  return type === 'next' ? { type, number } : { type };
}

/** What the parts are, when all of them are there. */
export interface SnapshotEnd extends Position {
  /** Of the rows; zeros for the metadata. */
  readonly statistics: KeyspaceStatistics;
  /** Documents of versions up to this one were never checked. */
  readonly unchecked: number;
  /** Those who write, by `encodeSessions`, as base64; releases before send none. */
  readonly sessions: string;
}

export function encodeEnd({
  index,
  term,
  statistics,
  unchecked,
  sessions,
}: SnapshotEnd): Uint8Array {
  const { count, bytes, hash } = statistics;
  const writer = new ByteWriter(48).u64(index).u64(term);
  writer.u64(count).u64(bytes).u64(hash).u64(unchecked);
  return writer.bytes(decodeBase64(sessions)).finish();
}

/** Throws `common.truncated` for bytes that are none. */
export function decodeEnd(body: Uint8Array): SnapshotEnd {
  const reader = new ByteReader(body);
  const [index, term] = [reader.u64(), reader.u64()];
  const statistics = {
    count: reader.u64(),
    bytes: reader.u64(),
    hash: reader.u64(),
  };
  const unchecked = reader.u64();
  const sessions = encodeBase64(reader.bytes(reader.remaining));
  return { index, term, statistics, unchecked, sessions };
}
