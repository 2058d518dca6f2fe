import type { KeyspaceSum } from '../apply/apply-queue.ts';
import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { decodeConfiguration, encodeConfiguration } from '../replication/member-records.ts';
import type { SnapshotPosition } from '../replication/replicated-group.ts';

/**
 * What replicas of a shard say to one another, beside what they replicate.
 *
 *     format u8, kind u8, index u64, then
 *     sums, differs   number u32; for each: keyspace u32, count u64, bytes u64, hash u64
 *     arrived         term u64, members
 */
export type ReplicaNote =
  /** To the leader: what this replica has at a position. */
  | {
      readonly type: 'sums';
      readonly index: number;
      readonly sums: readonly KeyspaceSum[];
    }
  /** To a member: a majority has this at that position, and the member has not. */
  | {
      readonly type: 'differs';
      readonly index: number;
      readonly sums: readonly KeyspaceSum[];
    }
  /** To the leader: this replica has wrong rows, and is at this entry. */
  | { readonly type: 'wanted'; readonly index: number }
  /** To a member: all of the state at this position is on its medium. */
  | { readonly type: 'arrived'; readonly position: SnapshotPosition };

const format = 1;
const kinds = ['sums', 'differs', 'wanted', 'arrived'] as const satisfies ReplicaNote['type'][];
const sumBytes = 28;

export function encodeNote(note: ReplicaNote): Uint8Array {
  const writer = new ByteWriter().u8(format).u8(kinds.indexOf(note.type));
  switch (note.type) {
    case 'wanted':
      return writer.u64(note.index).finish();
    case 'arrived': {
      const { index, term, configuration } = note.position;
      return writer.u64(index).u64(term).bytes(encodeConfiguration(configuration)).finish();
    }
    case 'sums':
    case 'differs':
      writer.u64(note.index).u32(note.sums.length);
      for (const { keyspace, count, bytes, hash } of note.sums)
        writer.u32(keyspace).u64(count).u64(bytes).u64(hash);
      return writer.finish();
  }
}

function readSums(reader: ByteReader): KeyspaceSum[] {
  const sums: KeyspaceSum[] = [];
  for (let left = reader.u32(); left > 0 && reader.remaining >= sumBytes; left -= 1) {
    const keyspace = reader.u32();
    sums.push({
      keyspace,
      count: reader.u64(),
      bytes: reader.u64(),
      hash: reader.u64(),
    });
  }
  return sums;
}

/** Undefined for bytes of another release, or of nobody. */
export function decodeNote(bytes: Uint8Array): ReplicaNote | undefined {
  try {
    const reader = new ByteReader(bytes);
    if (reader.u8() !== format) return undefined;
    const type = kinds[reader.u8()];
    if (type === undefined) return undefined;
    const index = reader.u64();
    if (type === 'wanted') return { type, index };
    if (type !== 'arrived') return { type, index, sums: readSums(reader) };
    const term = reader.u64();
    const configuration = decodeConfiguration(reader.bytes(reader.remaining));
    return { type, position: { index, term, configuration } };
  } catch {
    return undefined;
  }
}
