import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { concatBytes, successor } from '../common/bytes.ts';
import type { ReadTransaction, WriteTransaction } from '../kv/store.ts';
import { decodeStored, encodeEnvelope, keyspaceKey } from '../table/envelope.ts';

/**
 * Entries of quarantined tables. The log cannot keep them: it lets go of its oldest segment first, so
 * one table would hold the room of all. They stay in the store, in the order of the log, until the
 * table is dropped or released from quarantine. A quarantined table takes no writes, so they are few.
 */
export interface ParkedEntry {
  readonly index: number;
  /** Of the entry in the log. */
  readonly kind: number;
  readonly payload: Uint8Array;
}

/** Keys behind it are parts of a state that comes from another node. */
const stagedMark = 0xff;

export const stagedKey = (group: number, key: Uint8Array): Uint8Array =>
  keyspaceKey(group, concatBytes([Uint8Array.of(stagedMark), key]));

/** The key of a staged value in its own keyspace. */
export const keyOfStaged = (staged: Uint8Array): Uint8Array => staged.subarray(5);

/** Keys behind it, and before `stagedMark`, are sessions of those who write. */
export const sessionMark = 0xfe;

export const parkedStart = (group: number): Uint8Array => keyspaceKey(group, new Uint8Array());
export const parkedEnd = (group: number): Uint8Array =>
  keyspaceKey(group, Uint8Array.of(sessionMark));
export const stagedStart = (group: number): Uint8Array =>
  keyspaceKey(group, Uint8Array.of(stagedMark));
export const sessionsRange = (group: number): { start: Uint8Array; end: Uint8Array } => ({
  start: parkedEnd(group),
  end: stagedStart(group),
});
export const stagedEnd = (group: number): Uint8Array => keyspaceKey(group + 1, new Uint8Array());

/** Big endian, so that keys have the order of the entries. */
function parkedKey(group: number, index: number): Uint8Array {
  const key = new Uint8Array(8);
  const view = new DataView(key.buffer);
  view.setUint32(0, Math.floor(index / 2 ** 32));
  view.setUint32(4, index >>> 0);
  return keyspaceKey(group, key);
}

export function park(
  transaction: WriteTransaction,
  group: number,
  { index, kind, payload }: ParkedEntry,
): void {
  const key = parkedKey(group, index);
  const body = new ByteWriter(payload.byteLength + 4).u32(kind).bytes(payload).finish();
  transaction.put('chunk', key, encodeEnvelope(key, { version: index, body }));
}

export function unpark(transaction: WriteTransaction, group: number, index: number): void {
  transaction.remove('chunk', parkedKey(group, index));
}

/** The first entries behind `after`. Throws `storage.corrupt` for one that is damaged. */
export function parkedEntries(
  view: ReadTransaction,
  group: number,
  { after = 0, limit }: { readonly after?: number; readonly limit: number },
): ParkedEntry[] {
  const start = successor(parkedKey(group, after));
  const end = parkedEnd(group);
  return Array.from(view.entries('chunk', { start, end, limit }), ({ key, value }) => {
    const { version: index, body } = decodeStored(key, value);
    const reader = new ByteReader(body);
    return {
      index,
      kind: reader.u32(),
      payload: reader.bytes(reader.remaining),
    };
  });
}
