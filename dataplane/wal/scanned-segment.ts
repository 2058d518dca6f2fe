import type { Continuity } from './continuity.ts';
import type { GroupRanges } from './group-index.ts';
import type { SegmentHeader } from './segment-header.ts';

/** What a scan of a segment found, and what it is given. */
export interface ScannedSegment {
  readonly name: string;
  readonly header: SegmentHeader;
  /** Ends in its index, twice: nothing is ever appended to it again. */
  readonly sealed: boolean;
  /** Where the next batch goes. */
  readonly end: number;
  /** CRC of the last batch: the next one names it. */
  readonly lastCrc: number;
  /** Data stands at the end, and no seal or index behind it. */
  readonly tailOpen: boolean;
  readonly ranges: GroupRanges;
  /** Bytes behind `end` that are no batch, to be zeroed before anything is appended. */
  readonly tailBytes: number;
  /** They were a batch of this segment, and not what its room held before. */
  readonly torn: boolean;
  /** Nothing of it is believed but its header and its index. */
  readonly isDamaged?: true;
}

export interface ScanOptions {
  readonly name: string;
  readonly sequence: number;
  /** The segment before; undefined for the oldest one. */
  readonly previous: ScannedSegment | undefined;
  /** Only the newest segment may end without its index. */
  readonly newest: boolean;
  /** Takes in each record, so that what is missing between segments is noticed too. */
  readonly continuity: Continuity;
}
