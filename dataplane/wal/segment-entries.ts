import { batchKind, decodeBatch } from './batch.ts';
import { WalCorruptError } from './errors.ts';
import type { GroupRanges } from './group-index.ts';
import { decodeRecords, hardStateKind, restartKind, truncateKind } from './record.ts';
import type { WalRecord } from './record.ts';
import { segmentName } from './segment-file.ts';
import { firstBatchOffset } from './segment-header.ts';
import type { SegmentHeader } from './segment-header.ts';

/** A segment as it was read again, while the log is open. */
export interface LoadedSegment {
  readonly header: SegmentHeader;
  readonly ranges: GroupRanges;
  /** All of a finished segment; of the newest one what is durable. */
  readonly bytes: Uint8Array;
}

/** Entries of one group. */
export interface EntryRange {
  readonly group: number;
  readonly from: number;
  readonly to: number;
}

/**
 * The entries of a range that stand in one segment and were not truncated in it, in order; every
 * batch before the end is verified by its checksum and its place in the chain.
 */
export function entriesOf(
  { header, ranges, bytes }: LoadedSegment,
  { group, from, to }: EntryRange,
): WalRecord[] {
  const entries: WalRecord[] = [];
  let previousCrc = header.previousCrc;
  for (let offset = firstBatchOffset; offset < bytes.byteLength;) {
    const batch = decodeBatch(bytes, offset, header);
    if (batch === undefined || batch.previousCrc !== previousCrc) {
      const segment = segmentName(header.sequence);
      const place = { segment, offset, position: header.basePosition + offset };
      throw new WalCorruptError(place, 'a batch cannot be read again', new Set(ranges.keys()));
    }
    if (batch.kind === batchKind.index) break;
    for (const record of decodeRecords(batch.body)) {
      if (record.group !== group || record.kind === hardStateKind) continue;
      if (record.kind === restartKind) entries.length = 0;
      else if (record.kind === truncateKind) forgetFrom(entries, record.index);
      else if (record.index >= from && record.index <= to) entries.push(record);
    }
    previousCrc = batch.crc;
    offset = batch.end;
  }
  return entries;
}

function forgetFrom(entries: WalRecord[], index: number): void {
  while ((entries.at(-1)?.index ?? -1) >= index) entries.pop();
}
