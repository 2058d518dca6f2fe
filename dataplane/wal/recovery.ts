import { assert } from '../common/assert.ts';
import { equalBytes } from '../common/bytes.ts';
import { WalCorruptError, WalFormatError } from './errors.ts';
import {
  batchAlignment,
  batchKind,
  decodeBatch,
  decodeGroupIndex,
  decodeHeader,
  decodeRecords,
  encodeHeader,
  firstBatchOffset,
  headerCopyOffset,
  isZero,
  truncateKind,
  walFormat,
} from './format.ts';
import type { Batch, GroupRange, WalRecord } from './format.ts';

/**
 * Reading a segment back. Guarded invariant: what may have been promised to somebody is never cut.
 * Damage is a torn tail only in the newest segment, and only when no batch behind it names a durable
 * position beyond the damage; everything else is corruption.
 */
export interface ScannedSegment {
  readonly sequence: number;
  readonly name: string;
  readonly size: number;
  readonly sealed: boolean;
  /** Where the next batch goes. */
  readonly end: number;
  /** CRC of the last batch: the next one names it. */
  readonly lastCrc: number;
  readonly groups: Map<number, GroupRange>;
  /** Bytes behind `end` that are no batch: the torn tail, to be zeroed before anything is appended. */
  readonly tornBytes: number;
}

export interface ScanOptions {
  readonly name: string;
  readonly sequence: number;
  /** CRC of the last batch of the segment before; undefined for the oldest segment. */
  readonly previousCrc: number | undefined;
  /** Only the newest segment may end without its index. */
  readonly newest: boolean;
  /** Called for each record in order. An exception stops the scan. */
  onRecord(record: WalRecord): void;
}

function readHeader(bytes: Uint8Array, options: ScanOptions): { previousCrc: number } {
  const header = decodeHeader(bytes);
  const damaged = (what: string): WalCorruptError => new WalCorruptError(options.name, 0, what);
  if (header === undefined) throw damaged('its header cannot be read');
  if (header.format > walFormat) throw new WalFormatError(options.name, header.format, walFormat);
  if (header.sequence !== options.sequence || header.size !== bytes.byteLength) {
    throw damaged('its header belongs to another segment');
  }
  const encoded = encodeHeader(header);
  const copy = bytes.subarray(headerCopyOffset, headerCopyOffset + encoded.byteLength);
  if (!equalBytes(encoded, copy)) throw damaged('its header and the copy differ');
  const gaps =
    isZero(bytes, encoded.byteLength, headerCopyOffset) &&
    isZero(bytes, headerCopyOffset + encoded.byteLength, firstBatchOffset);
  if (!gaps) throw damaged('bytes stand where nothing is ever written');
  if (options.previousCrc !== undefined && header.previousCrc !== options.previousCrc) {
    throw damaged('it does not continue the segment before it');
  }
  return header;
}

/** Extends a group's range by a record, and checks that no index is missing. */
export function noteRecord(groups: Map<number, GroupRange>, record: WalRecord): boolean {
  const range = groups.get(record.group);
  if (record.kind === truncateKind) {
    if (range !== undefined && range.last >= record.index) {
      groups.set(record.group, {
        first: Math.min(range.first, record.index),
        last: record.index - 1,
      });
    }
    return true;
  }
  groups.set(record.group, { first: range?.first ?? record.index, last: record.index });
  return range === undefined || record.index === range.last + 1;
}

/** The first whole batch behind the damage that proves it was durable once. */
function proofBehind(bytes: Uint8Array, damage: number, sequence: number): Batch | undefined {
  const first = damage + batchAlignment - (damage % batchAlignment);
  for (let offset = first; offset < bytes.byteLength; offset += batchAlignment) {
    if (bytes[offset] !== 0x50) continue;
    const batch = decodeBatch(bytes, offset);
    if (batch === undefined || batch.header.sequence !== sequence) continue;
    if (batch.header.durableOffset > damage) return batch;
  }
  return undefined;
}

function lastNonZero(bytes: Uint8Array, start: number): number {
  let end = bytes.byteLength;
  while (end > start && bytes[end - 1] === 0) end -= 1;
  return end;
}

/** Reads a whole segment, hands out its records, and says where it ends. */
export function scanSegment(bytes: Uint8Array, options: ScanOptions): ScannedSegment {
  const { name, sequence } = options;
  let lastCrc = readHeader(bytes, options).previousCrc;
  let offset = firstBatchOffset;
  let indexCopies = 0;
  let data = { end: offset, lastCrc };
  const groups = new Map<number, GroupRange>();
  for (;;) {
    const batch = decodeBatch(bytes, offset);
    const follows =
      batch !== undefined &&
      batch.header.sequence === sequence &&
      batch.header.previousCrc === lastCrc &&
      (indexCopies === 0 || (indexCopies === 1 && batch.header.kind === batchKind.index));
    if (!follows) break;
    if (batch.header.kind === batchKind.index) {
      checkIndex(batch, groups, name);
      indexCopies += 1;
    } else {
      for (const record of decodeRecords(batch.body)) {
        if (!noteRecord(groups, record)) {
          throw new WalCorruptError(name, offset, `group ${record.group} misses an entry`);
        }
        options.onRecord(record);
      }
    }
    lastCrc = batch.header.crc;
    offset = batch.end;
    if (indexCopies === 0) data = { end: offset, lastCrc };
  }
  const sealed = indexCopies === 2;
  // An index whose copy is missing was torn: it is cut too, and the segment goes on.
  if (!sealed) ({ end: offset, lastCrc } = data);
  const tornBytes = lastNonZero(bytes, offset) - offset;
  assert(tornBytes >= 0, 'the tail begins at the end of the last batch');
  checkEnd(bytes, { ...options, offset, sealed, tornBytes });
  return {
    sequence,
    name,
    size: bytes.byteLength,
    sealed,
    end: offset,
    lastCrc,
    groups,
    tornBytes,
  };
}

function checkIndex(batch: Batch, groups: ReadonlyMap<number, GroupRange>, name: string): void {
  const index = decodeGroupIndex(batch.body);
  const same =
    index.size === groups.size &&
    [...index].every(([group, range]) => {
      const seen = groups.get(group);
      return seen?.first === range.first && seen.last === range.last;
    });
  if (!same) {
    throw new WalCorruptError(name, batch.header.offset, 'its records are not those of its index');
  }
}

interface SegmentEnd extends ScanOptions {
  readonly offset: number;
  readonly sealed: boolean;
  readonly tornBytes: number;
}

function checkEnd(bytes: Uint8Array, end: SegmentEnd): void {
  if (end.sealed) {
    if (end.tornBytes === 0) return;
    throw new WalCorruptError(end.name, end.offset, 'bytes stand behind the end of the segment');
  }
  if (!end.newest) {
    throw new WalCorruptError(
      end.name,
      end.offset,
      'a batch cannot be read, and a newer segment exists',
    );
  }
  if (end.tornBytes === 0) return;
  const proof = proofBehind(bytes, end.offset, end.sequence);
  if (proof !== undefined) {
    const at = proof.header.offset;
    throw new WalCorruptError(
      end.name,
      end.offset,
      `a batch cannot be read, and the one at ${at} proves that it was durable`,
    );
  }
}
