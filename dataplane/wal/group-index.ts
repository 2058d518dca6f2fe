import { ByteReader } from '../common/byte-reader.ts';
import { batchBytes } from './batch.ts';
import type { ByteSink } from './byte-sink.ts';
import { hardStateKind, restartKind, truncateKind } from './record.ts';
import type { WalRecord } from './record.ts';

/**
 * Which groups have entries in one segment, and which. It decides when a segment may be released,
 * and stands at the segment's end, twice, so that damage in the segment can be charged to groups.
 */
export type GroupRanges = Map<number, GroupRange>;

interface GroupRange {
  readonly first: number;
  /** Below `first` when all of the group's entries here were truncated. */
  readonly last: number;
}

/** 4 group, 8 first, 8 last. */
const groupRangeBytes = 20;

/**
 * Extends the range of the record's group. A truncation alone holds nothing: it has no last entry. A restart replaces
 * everything before it. A hard state holds nothing: each later segment begins with the newest one.
 */
export function noteRange(ranges: GroupRanges, { group, kind, index }: WalRecord): void {
  if (kind === hardStateKind) return;
  if (kind === restartKind) {
    ranges.set(group, { first: 0, last: 0 });
    return;
  }
  const { first, last } = ranges.get(group) ?? { first: index, last: 0 };
  const isTruncation = kind === truncateKind;
  const end = isTruncation ? Math.min(last, index - 1) : index;
  ranges.set(group, { first: Math.min(first, index), last: end });
}

/** The same by the rule of format 1, whose index left out groups that were only truncated. */
export function noteOldRange(ranges: GroupRanges, record: WalRecord): void {
  const range = ranges.get(record.group);
  if (record.kind !== truncateKind) {
    ranges.set(record.group, { first: range?.first ?? record.index, last: record.index });
    return;
  }
  if (range === undefined || range.last < record.index) return;
  const first = Math.min(range.first, record.index);
  ranges.set(record.group, { first, last: record.index - 1 });
}

export const rangesBytes = (groups: number): number => groups * groupRangeBytes;

/** Room that the two copies of an index of so many groups take. */
export const indexRoomBytes = (groups: number): number => 2 * batchBytes(rangesBytes(groups));

export function writeRanges(sink: ByteSink, ranges: GroupRanges): void {
  for (const [group, range] of ranges) sink.u32(group).u64(range.first).u64(range.last);
}

export function decodeRanges(body: Uint8Array): GroupRanges {
  const reader = new ByteReader(body);
  const ranges: GroupRanges = new Map();
  while (reader.remaining > 0) {
    ranges.set(reader.u32(), { first: reader.u64(), last: reader.u64() });
  }
  return ranges;
}

export const sameRanges = (one: GroupRanges, other: GroupRanges): boolean =>
  one.size === other.size &&
  [...one].every(([group, range]) => {
    const found = other.get(group);
    return found?.first === range.first && found.last === range.last;
  });
