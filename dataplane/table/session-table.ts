import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { copyBytes, decodeUtf8 } from '../common/bytes.ts';
import type { CommandSession } from './command-session.ts';

/** Outcomes of the edits of a request from one on. */
interface SessionAnswer {
  readonly from: number;
  readonly outcomes: Uint8Array;
}

/** The newest request of a session that the log has. */
export interface SessionRecord {
  readonly id: string;
  readonly sequence: number;
  /** Of its last entry in the log. */
  readonly index: number;
  /** In the order of the edits; undefined when they were too large to be kept. */
  readonly answers: readonly SessionAnswer[] | undefined;
}

/** What an entry of the log changes of the table. */
export interface SessionChange {
  readonly written: SessionRecord;
  readonly removed: readonly string[];
  /** The last entry of a session that had to make room for others. */
  readonly crowdedOut: number;
}

/** More sessions than requests that are under way at once on all routers. */
const sessionsMax = 4_096;
const bytesMax = 524_288;
/** Of one session. */
export const sessionBytesMax = 65_536;
/** A session without a request for so many entries has ended; no retry takes as long. */
const entriesMax = 1_048_576;
const overheadBytes = 48;

export interface SessionBounds {
  readonly sessions: number;
  readonly bytes: number;
  readonly entries: number;
}

const usualBounds: SessionBounds = {
  sessions: sessionsMax,
  bytes: bytesMax,
  entries: entriesMax,
};

const bytesOf = ({ id, answers = [] }: SessionRecord): number =>
  answers.reduce((sum, { outcomes }) => sum + 8 + outcomes.byteLength, overheadBytes + id.length);

/**
 * The newest request of each session, by which a repeated request is answered and not carried out again. A function of
 * the log alone: every replica has the same at the same entry. Guarded invariant: it is bounded in sessions, bytes and
 * entries of the log, and says which retries it can no longer judge.
 */
export class SessionTable {
  /** The one whose request is oldest comes first. */
  readonly #sessions = new Map<string, SessionRecord>();
  readonly #bounds: SessionBounds;
  #bytes = 0;
  #crowdedOut: number;

  constructor(
    { sessions, crowdedOut }: StoredSessions = { sessions: [], crowdedOut: 0 },
    bounds: SessionBounds = usualBounds,
  ) {
    this.#bounds = bounds;
    this.#crowdedOut = crowdedOut;
    const inOrder = [...sessions].sort((left, right) => left.index - right.index);
    for (const each of inOrder) this.#put(each);
  }

  get size(): number {
    return this.#sessions.size;
  }

  of(id: string): SessionRecord | undefined {
    return this.#sessions.get(id);
  }

  /** Whether a request of the last entries may have been carried out though its session is not here. */
  hasForgotten(index: number): boolean {
    return this.#crowdedOut > 0 && index - this.#crowdedOut < this.#bounds.entries;
  }

  /** A command is committed. */
  record(index: number, { id, sequence, from, outcomes }: CommandSession): SessionChange {
    const before = this.#sessions.get(id);
    const answer = { from, outcomes: copyBytes(outcomes) };
    const isLost = outcomes.byteLength === 0;
    const earlier = before?.sequence === sequence ? before.answers : [];
    const answers = earlier === undefined || isLost ? undefined : [...earlier, answer];
    const whole: SessionRecord = { id, sequence, index, answers };
    const written = bytesOf(whole) > sessionBytesMax ? { ...whole, answers: undefined } : whole;
    this.#remove(id);
    this.#put(written);
    return {
      written,
      removed: this.#expire(index),
      crowdedOut: this.#crowdedOut,
    };
  }

  #expire(index: number): string[] {
    const removed: string[] = [];
    for (const [id, oldest] of this.#sessions) {
      const isOver = index - oldest.index > this.#bounds.entries;
      const isCrowded =
        this.#sessions.size > this.#bounds.sessions || this.#bytes > this.#bounds.bytes;
      if ((!isOver && !isCrowded) || oldest.index === index) break;
      if (!isOver) this.#crowdedOut = oldest.index;
      this.#remove(id);
      removed.push(id);
    }
    return removed;
  }

  #put(record: SessionRecord): void {
    this.#sessions.set(record.id, record);
    this.#bytes += bytesOf(record);
  }

  #remove(id: string): void {
    const record = this.#sessions.get(id);
    if (record === undefined) return;
    this.#sessions.delete(id);
    this.#bytes -= bytesOf(record);
  }
}

/** The table as of one position of the log. */
export interface StoredSessions {
  readonly sessions: readonly SessionRecord[];
  readonly crowdedOut: number;
}

/** id text, sequence u64, index u64, whether there are answers u8, their number u32; for each: first edit u32, outcomes. */
export function writeRecord(writer: ByteWriter, record: SessionRecord): ByteWriter {
  const { id, sequence, index, answers } = record;
  writer.text(id).u64(sequence).u64(index);
  writer.u8(answers === undefined ? 0 : 1).u32(answers?.length ?? 0);
  for (const { from, outcomes } of answers ?? []) writer.u32(from).prefixed(outcomes);
  return writer;
}

/** Throws `common.truncated` for bytes that are none. */
export function readRecord(reader: ByteReader): SessionRecord {
  const id = decodeUtf8(reader.prefixed());
  const [sequence, index, hasAnswers] = [reader.u64(), reader.u64(), reader.u8() === 1];
  const answers: SessionAnswer[] = [];
  for (let left = reader.u32(); left > 0; left -= 1)
    answers.push({
      from: reader.u32(),
      outcomes: copyBytes(reader.prefixed()),
    });
  return { id, sequence, index, answers: hasAnswers ? answers : undefined };
}

/** For another node. */
export function encodeSessions({ sessions, crowdedOut }: StoredSessions): Uint8Array {
  const writer = new ByteWriter().u64(crowdedOut).u32(sessions.length);
  for (const each of sessions) writeRecord(writer, each);
  return writer.finish();
}

export function decodeSessions(bytes: Uint8Array): StoredSessions {
  if (bytes.byteLength === 0) return { sessions: [], crowdedOut: 0 };
  const reader = new ByteReader(bytes);
  const crowdedOut = reader.u64();
  const sessions: SessionRecord[] = [];
  for (let left = reader.u32(); left > 0; left -= 1) sessions.push(readRecord(reader));
  return { sessions, crowdedOut };
}
