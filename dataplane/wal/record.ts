import { ByteReader } from '../common/byte-reader.ts';
import type { ByteSink } from './byte-sink.ts';

/** One entry of a group's log, an order about its entries, or the hard state of its member. */
export interface WalRecord {
  /** The consensus group whose log this belongs to; below 2^32. */
  readonly group: number;
  readonly term: number;
  readonly index: number;
  /** The type of the payload, below `restartKind`; the log does not interpret it. */
  readonly kind: number;
  readonly payload: Uint8Array;
}

/** The kind of a record that forgets its group's entries from `index` on. */
export const truncateKind = 255;

/**
 * The kind of a record with the durable state of a group's member: its `term`, its commit index, and whom it voted for
 * as the payload. It takes no place among the entries; the newest one of a group is kept as long as the group.
 */
export const hardStateKind = 254;

/** The kind of a record that forgets all entries of its group: the state as of (`term`, `index`) replaced them. */
export const restartKind = 253;

export const isEntryKind = (kind: number): boolean => kind < restartKind;

/** Kinds that segments of format 2 do not have. */
export const isMemberKind = (kind: number): boolean =>
  kind === hardStateKind || kind === restartKind;

/** 4 group, 8 term, 8 index, 1 kind, 4 length of the payload. */
const recordHeaderBytes = 25;

const recordBytes = (record: WalRecord): number => recordHeaderBytes + record.payload.byteLength;

export const recordsBytes = (records: readonly WalRecord[]): number =>
  records.reduce((sum, record) => sum + recordBytes(record), 0);

export function writeRecord(sink: ByteSink, record: WalRecord): void {
  sink.u32(record.group).u64(record.term).u64(record.index).u8(record.kind);
  sink.prefixed(record.payload);
}

/** The payloads are views of `body`. Throws TruncatedError when the body is not made of records. */
export function* decodeRecords(body: Uint8Array): Generator<WalRecord> {
  const reader = new ByteReader(body);
  while (reader.remaining > 0) {
    const [group, term, index] = [reader.u32(), reader.u64(), reader.u64()];
    yield { group, term, index, kind: reader.u8(), payload: reader.prefixed() };
  }
}
