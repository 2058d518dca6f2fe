import { ByteReader, TruncatedError } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { decodeUtf8, noBytes } from '../common/bytes.ts';

/**
 * Which edits of which request a command carries out. A router that lost the answer repeats the request with the same
 * session and sequence, and the shard answers what it answered before.
 */
export interface CommandSession {
  readonly id: string;
  /** Of the request; grows within the session. */
  readonly sequence: number;
  /** The edit of the request that the first outcome is of. */
  readonly from: number;
  /** Of these edits, opaque here; empty when they are too large to be kept. */
  readonly outcomes: Uint8Array;
}

const sessionFormat = 1;
const overheadBytes = 16;

/** In the place that commands have for it: format u8, id text, first edit u32, outcomes. */
export function encodeSession(session: CommandSession | undefined): Uint8Array {
  if (session === undefined) return noBytes;
  const { id, from, outcomes } = session;
  const writer = new ByteWriter(overheadBytes + id.length * 3 + outcomes.byteLength);
  return writer.u8(sessionFormat).text(id).u32(from).bytes(outcomes).finish();
}

/** Undefined for a command without one. Throws `common.truncated` for bytes that are none. */
export function decodeSession(bytes: Uint8Array, sequence: number): CommandSession | undefined {
  if (bytes.byteLength === 0) return undefined;
  const reader = new ByteReader(bytes);
  const format = reader.u8();
  if (format !== sessionFormat) throw new TruncatedError(`a session has format ${format}`);
  const id = decodeUtf8(reader.prefixed());
  const from = reader.u32();
  return { id, sequence, from, outcomes: reader.bytes(reader.remaining) };
}
