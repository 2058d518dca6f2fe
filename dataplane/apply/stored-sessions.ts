import { ByteReader, TruncatedError } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { concatBytes, encodeUtf8 } from '../common/bytes.ts';
import type { ReadTransaction, WriteTransaction } from '../kv/store.ts';
import { decodeStored, encodeEnvelope, keyspaceKey } from '../table/envelope.ts';
import { StorageCorruptError } from '../table/errors.ts';
import { readRecord, writeRecord } from '../table/session-table.ts';
import type { SessionChange, SessionRecord, StoredSessions } from '../table/session-table.ts';
import { readApplied } from './applied-position.ts';
import { sessionMark, sessionsRange } from './parked.ts';

/** The sessions of a group in the store, each in a value of its own, as of the group's applied position. */

/** No session has this name: what the table no longer judges. */
const crowdedOutId = '';

const sessionKey = (group: number, id: string): Uint8Array =>
  keyspaceKey(group, concatBytes([Uint8Array.of(sessionMark), encodeUtf8(id)]));

function put(transaction: WriteTransaction, group: number, record: SessionRecord): void {
  const key = sessionKey(group, record.id);
  const body = writeRecord(new ByteWriter(), record).finish();
  transaction.put('chunk', key, encodeEnvelope(key, { version: record.index, body }));
}

function putCrowdedOut(transaction: WriteTransaction, group: number, index: number): void {
  if (index > 0)
    put(transaction, group, {
      id: crowdedOutId,
      sequence: 0,
      index,
      answers: [],
    });
}

/** A damaged one is one that can no longer be judged. */
export function readSessions(view: ReadTransaction, group: number): StoredSessions {
  const sessions: SessionRecord[] = [];
  let crowdedOut = 0;
  for (const { key, value } of view.entries('chunk', sessionsRange(group))) {
    try {
      const record = readRecord(new ByteReader(decodeStored(key, value).body));
      if (record.id === crowdedOutId) crowdedOut = Math.max(crowdedOut, record.index);
      else sessions.push(record);
    } catch (error) {
      if (!(error instanceof StorageCorruptError) && !(error instanceof TruncatedError))
        throw error;
      crowdedOut = readApplied(view, group);
    }
  }
  return { sessions, crowdedOut };
}

/** In the place of those that the group has. */
export function replaceSessions(
  transaction: WriteTransaction,
  group: number,
  { sessions, crowdedOut }: StoredSessions,
): void {
  const before = Array.from(transaction.entries('chunk', sessionsRange(group)), ({ key }) => key);
  for (const key of before) transaction.remove('chunk', key);
  for (const each of sessions) put(transaction, group, each);
  putCrowdedOut(transaction, group, crowdedOut);
}

/** What the commands of one transaction change of the sessions of each group; written once at its end. */
export class SessionChanges {
  readonly #groups = new Map<number, Map<string, SessionRecord | undefined>>();
  readonly #crowdedOut = new Map<number, number>();

  add(group: number, { written, removed, crowdedOut }: SessionChange): void {
    const sessions = this.#groups.get(group) ?? new Map<string, SessionRecord | undefined>();
    this.#groups.set(group, sessions.set(written.id, written));
    for (const id of removed) sessions.set(id, undefined);
    if (removed.length > 0) this.#crowdedOut.set(group, crowdedOut);
  }

  write(transaction: WriteTransaction): void {
    for (const [group, sessions] of this.#groups) {
      for (const [id, record] of sessions) {
        if (record === undefined) transaction.remove('chunk', sessionKey(group, id));
        else put(transaction, group, record);
      }
    }
    for (const [group, index] of this.#crowdedOut) putCrowdedOut(transaction, group, index);
  }
}
