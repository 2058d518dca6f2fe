import { InTurn } from '../common/in-turn.ts';
import { batchBytes } from './batch.ts';
import type { FlushedPositions } from './continuity.ts';
import type { WalBlockedError } from './errors.ts';
import { indexRoomBytes } from './group-index.ts';
import type { HardStates } from './hard-states.ts';
import type { RetentionHolds } from './retention-holds.ts';
import type { KeptSegments } from './kept-segments.ts';
import type { NextSegment } from './next-segment.ts';
import { isMemberKind, recordsBytes } from './record.ts';
import type { WalRecord } from './record.ts';
import { SegmentAppender, sealBytes } from './segment-appender.ts';
import type { SealedSegment } from './segment-appender.ts';
import {
  asideKind,
  nameSegment,
  pathOf,
  removeDurably,
  removeTemporary,
  segmentName,
  setAside,
} from './segment-file.ts';
import type { PreparedSegment, SegmentDirectory } from './segment-file.ts';
import { entriesOf } from './segment-entries.ts';
import type { EntryRange } from './segment-entries.ts';
import { endPositionOf, firstBatchOffset, plainWalFormat, walFormat } from './segment-header.ts';

/** What one segment has of a range. */
export interface SegmentEntries {
  readonly sequence: number;
  readonly entries: readonly WalRecord[];
}

export interface SegmentRowOptions extends SegmentDirectory {
  readonly segmentBytes: number;
  readonly holders: RetentionHolds;
  readonly kept: KeptSegments;
  readonly next: NextSegment;
  readonly hardStates: HardStates;
  random(): number;
}

/** What the newest segment continues. */
export interface Predecessor {
  readonly sequence: number;
  /** Where the next segment begins. */
  readonly endPosition: number;
  readonly lastCrc: number;
}

/**
 * The segments of the log from the oldest to the newest. Room for the next one is prepared while the
 * newest fills, so that changing over costs two syncs. Guarded invariant: on the medium there is never
 * a gap between segments, whatever the moment of a crash.
 */
export class SegmentRow {
  readonly #options: SegmentRowOptions;
  /** Oldest first. */
  readonly #sealed: SealedSegment[];
  #newest: SegmentAppender;
  readonly #releasedTo = new Map<number, number>();
  /** By sequence: since when only retention holds need a segment. */
  readonly #releasableSince = new Map<number, number>();
  /** Releases and reads. */
  readonly #turns = new InTurn();

  constructor(options: SegmentRowOptions, sealed: SealedSegment[], newest: SegmentAppender) {
    this.#options = options;
    this.#sealed = sealed;
    this.#newest = newest;
  }

  get newest(): SegmentAppender {
    return this.#newest;
  }

  get length(): number {
    return this.#sealed.length + 1;
  }

  /** Room for a segment with at least these records. After `wal.disk_full` everything is as before. */
  roomFor(records: readonly WalRecord[]): Promise<PreparedSegment> {
    const groups = new Set(records.map((record) => record.group));
    const wanted =
      firstBatchOffset +
      batchBytes(recordsBytes(records)) +
      sealBytes +
      indexRoomBytes(groups.size);
    const size = Math.max(this.#options.segmentBytes, wanted);
    return this.#options.next.take(this.#newest.header.sequence + 1, size);
  }

  /** Begins the next segment, for these records. The newest must be finished. */
  async extend(prepared: PreparedSegment, records: readonly WalRecord[]): Promise<void> {
    const { header, ranges, lastCrc } = this.#newest;
    const predecessor = {
      sequence: header.sequence,
      endPosition: endPositionOf(header),
      lastCrc,
    };
    const next = await beginSegment(this.#options, predecessor, { prepared, records });
    this.#sealed.push({ header, ranges });
    this.#newest = next;
  }

  /** Why nothing can be appended, although the log is well. */
  get refusal(): WalBlockedError | undefined {
    return this.#options.next.refusal;
  }

  /** Rejects with the refusal while it lasts. */
  retry(): Promise<void> {
    return this.#options.next.retry();
  }

  /** Starts to prepare room when half of the newest segment is used. */
  prepareNext(): void {
    const { offset, header } = this.#newest;
    if (offset * 2 >= header.size) this.#options.next.prepare(header.sequence + 1);
  }

  /** One release at a time, oldest first, each removal durable before the next. */
  truncateFront(flushed: FlushedPositions): Promise<void> {
    return this.#turns.run(() => this.#truncateFront(flushed));
  }

  /** The last entry of a group that went with a released segment since the log was opened. */
  releasedTo(group: number): number {
    return this.#releasedTo.get(group) ?? -1;
  }

  /**
   * The entries of a range that the oldest segment from `sequence` on has; undefined when there is none
   * behind it. While it is being read, it is neither released nor recycled.
   */
  readFrom(sequence: number, range: EntryRange): Promise<SegmentEntries | undefined> {
    return this.#turns.run(() => this.#readFrom(sequence, range));
  }

  async #readFrom(sequence: number, range: EntryRange): Promise<SegmentEntries | undefined> {
    const segment = [...this.#sealed, this.#newest].find(
      ({ header, ranges }) =>
        header.sequence >= sequence && (ranges.get(range.group)?.last ?? -1) >= range.from,
    );
    if (segment === undefined) return undefined;
    const { header, ranges } = segment;
    const to = Math.min(range.to, this.#replacedFrom(header.sequence, range.group) - 1);
    const bytes = await this.#load(segment);
    const entries = entriesOf({ header, ranges, bytes }, { ...range, to });
    return { sequence: header.sequence, entries };
  }

  /** From which index on a group's entries in a segment are no longer in force: later ones begin there. */
  #replacedFrom(sequence: number, group: number): number {
    const firsts = [...this.#sealed, this.#newest]
      .filter(({ header }) => header.sequence > sequence)
      .map(({ ranges }) => ranges.get(group)?.first ?? Number.POSITIVE_INFINITY);
    return Math.min(Number.POSITIVE_INFINITY, ...firsts);
  }

  async #load({ header }: SealedSegment): Promise<Uint8Array> {
    const newest = this.#newest;
    const isNewest = header.sequence === newest.header.sequence;
    const path = pathOf(this.#options, segmentName(header.sequence));
    const file = await this.#options.disk.open(path, 'read');
    try {
      return await file.read(0, isNewest ? newest.durableOffset : header.size);
    } finally {
      await file.close();
    }
  }

  async close(): Promise<void> {
    await this.#options.next.close();
    await this.#turns.ended();
    await removeTemporary(this.#options);
    await this.#newest.close();
  }

  async #truncateFront(flushed: FlushedPositions): Promise<void> {
    const { kept, next } = this.#options;
    if (next.hasSpares) await next.keepsSpares();
    await kept.truncateFront(flushed);
    this.#options.hardStates.forgetDropped(flushed);
    for (let oldest = this.#sealed[0]; oldest !== undefined; oldest = this.#sealed[0]) {
      const { header, ranges } = oldest;
      if (!kept.isFlushed(oldest, flushed) || this.#isHeld(oldest, flushed)) return;
      if (this.#hasOnlyHardStates(oldest)) return;
      if (kept.isNeeded(oldest, flushed)) await kept.keep(oldest);
      else await this.#remove(oldest);
      this.#sealed.shift();
      this.#releasableSince.delete(header.sequence);
      for (const [group, { last }] of ranges) {
        const end = Math.min(last, this.#replacedFrom(header.sequence, group) - 1);
        this.#releasedTo.set(group, Math.max(end, this.releasedTo(group)));
      }
    }
  }

  #isHeld({ header, ranges }: SealedSegment, flushed: FlushedPositions): boolean {
    const { holders } = this.#options;
    const sinceMs = this.#releasableSince.get(header.sequence) ?? holders.now();
    this.#releasableSince.set(header.sequence, sinceMs);
    let bytes = 0;
    for (const segment of this.#sealed) {
      if (!this.#options.kept.isFlushed(segment, flushed)) break;
      bytes += segment.header.size;
    }
    return holders.keep({ ranges, bytes, sinceMs });
  }

  /** The newest segment does not have them durably yet. */
  #hasOnlyHardStates(segment: SealedSegment): boolean {
    const isLast = segment === this.#sealed.at(-1);
    return isLast && !this.#newest.isBegun && !this.#options.hardStates.isEmpty;
  }

  async #remove({ header, isDamaged }: SealedSegment): Promise<void> {
    const isUsual = header.size === this.#options.segmentBytes && isDamaged !== true;
    const { next } = this.#options;
    if ((await next.keepsSpares()) && isUsual) {
      next.addSpare(await setAside(this.#options, header.sequence, asideKind.spare));
    } else await removeDurably(this.#options, segmentName(header.sequence));
  }
}

/** The first segment of a log continues nothing. */
export const beforeFirst: Predecessor = { sequence: 0, endPosition: 0, lastCrc: 0 };

export async function beginSegment(
  options: SegmentRowOptions,
  predecessor: Predecessor,
  {
    prepared,
    records = [],
  }: { readonly prepared: PreparedSegment; readonly records?: readonly WalRecord[] },
): Promise<SegmentAppender> {
  const hasMembers = !options.hardStates.isEmpty || records.some(({ kind }) => isMemberKind(kind));
  const header = {
    format: hasMembers ? walFormat : plainWalFormat,
    sequence: predecessor.sequence + 1,
    size: prepared.size,
    basePosition: predecessor.endPosition,
    previousCrc: predecessor.lastCrc,
    salt: Math.floor(options.random() * 0x1_0000_0000),
    recycled: prepared.recycled,
  };
  await nameSegment(options, prepared, header);
  const { file } = prepared;
  const place = { offset: firstBatchOffset, lastCrc: predecessor.lastCrc, tailOpen: false };
  return new SegmentAppender({ file, header, ranges: new Map(), ...place });
}
