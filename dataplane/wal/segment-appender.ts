import { concatBytes } from '../common/bytes.ts';
import type { DiskFile } from '../disk/disk.ts';
import { batchBytes, batchKind, encodeBatch } from './batch.ts';
import type { BatchKind } from './batch.ts';
import { BatchBuffers } from './batch-buffers.ts';
import type { ByteSink } from './byte-sink.ts';
import { indexRoomBytes, noteRange, rangesBytes, writeRanges } from './group-index.ts';
import type { GroupRanges } from './group-index.ts';
import { isMemberKind, recordsBytes, writeRecord } from './record.ts';
import type { WalRecord } from './record.ts';
import { firstBatchOffset, walFormat } from './segment-header.ts';
import type { SegmentHeader } from './segment-header.ts';

export interface AppendPoint {
  readonly file: DiskFile;
  readonly header: SegmentHeader;
  readonly ranges: GroupRanges;
  readonly offset: number;
  /** CRC of the batch before. */
  readonly lastCrc: number;
  readonly tailOpen: boolean;
}

/** A segment that nothing is appended to any more. */
export interface SealedSegment {
  readonly header: SegmentHeader;
  readonly ranges: GroupRanges;
  /** Its room is not used again: the medium may be at fault. */
  readonly isDamaged?: true;
}

/** A batch with its place in the segment, to be written when everything before it is durable. */
export interface PlacedBatch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

const zeroedChunkBytes = 1_048_576;
export const sealBytes = batchBytes(0);
const splinterShare = 1 / 64;

/**
 * The end of the newest segment. Guarded invariants: a batch is written when everything before it is
 * durable (each write here is a durable one, and the caller waits for it), and room for the index
 * remains until it is written. `encode` may be ahead of `write` by one batch; when a write fails,
 * nothing is written here any more, so that a batch without a place on the disk is harmless.
 */
export class SegmentAppender {
  readonly header: SegmentHeader;
  readonly ranges: GroupRanges;
  readonly #file: DiskFile;
  readonly #buffers = new BatchBuffers();
  #offset: number;
  #lastCrc: number;
  #tailOpen: boolean;
  #durableOffset: number;

  constructor(point: AppendPoint) {
    this.header = point.header;
    this.ranges = point.ranges;
    this.#file = point.file;
    this.#offset = point.offset;
    this.#lastCrc = point.lastCrc;
    this.#tailOpen = point.tailOpen;
    this.#durableOffset = point.offset;
  }

  /** Where what is durable ends; `offset` may be ahead. */
  get durableOffset(): number {
    return this.#durableOffset;
  }

  get offset(): number {
    return this.#offset;
  }

  get lastCrc(): number {
    return this.#lastCrc;
  }

  /** Data stands at the end of the log: if it is damaged now, that looks like a torn write. */
  get tailOpen(): boolean {
    return this.#tailOpen;
  }

  /**
   * About the bytes of records that a batch should have here, so that segments get full; what `fits`
   * says counts. The last splinter is not worth a batch of its own.
   */
  get roomBytes(): number {
    const { size } = this.header;
    const room = size - this.#offset - this.#reserve(0) - sealBytes;
    return room < size * splinterShare ? Number.POSITIVE_INFINITY : room;
  }

  /** Nothing has its place in it yet. */
  get isEmpty(): boolean {
    return this.#offset === firstBatchOffset;
  }

  /** What it has survives a power failure. */
  get isBegun(): boolean {
    return this.#durableOffset > firstBatchOffset;
  }

  /** Whether a batch of these records fits, with a seal and the index behind it. */
  fits(records: readonly WalRecord[]): boolean {
    const isOld = this.header.format < walFormat;
    if (isOld && records.some(({ kind }) => isMemberKind(kind))) return false;
    const added = new Set<number>();
    for (const { group } of records) if (!this.ranges.has(group)) added.add(group);
    const end = this.#offset + batchBytes(recordsBytes(records));
    return end + this.#reserve(added.size) <= this.header.size;
  }

  /** Gives records their place behind what was encoded before; `write` must follow. */
  encode(records: readonly WalRecord[]): PlacedBatch {
    const batch = this.#place(batchKind.data, recordsBytes(records), (sink) => {
      for (const record of records) writeRecord(sink, record);
    });
    for (const record of records) noteRange(this.ranges, record);
    this.#tailOpen = true;
    return batch;
  }

  /** Resolves with the bytes written when they are durable. */
  async write({ offset, bytes }: PlacedBatch): Promise<number> {
    await this.#file.writeDurably(offset, bytes);
    this.#durableOffset = offset + bytes.byteLength;
    return bytes.byteLength;
  }

  /** An empty batch behind the tail: it proves that the tail was durable. */
  async seal(): Promise<number> {
    this.#buffers.forget();
    const written = await this.write(this.#place(batchKind.seal, 0, () => undefined));
    this.#tailOpen = false;
    return written;
  }

  /** Ends the segment with its index, twice, in one write; the file is closed. */
  async finish(): Promise<number> {
    const { offset: start } = this;
    const durablePosition = this.#position();
    const copies = [this.#placeIndex(durablePosition), this.#placeIndex(durablePosition)];
    const index = concatBytes(copies.map((copy) => copy.bytes));
    await this.#clearBehind(this.#offset);
    const written = await this.write({ offset: start, bytes: index });
    await this.#file.close();
    return written;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** Bytes that are never given to records: one seal, and both copies of the index. */
  #reserve(addedGroups: number): number {
    return sealBytes + indexRoomBytes(this.ranges.size + addedGroups);
  }

  #position(): number {
    return this.header.basePosition + this.#offset;
  }

  #placeIndex(durablePosition: number): PlacedBatch {
    const fill = (sink: ByteSink): void => writeRanges(sink, this.ranges);
    return this.#place(batchKind.index, rangesBytes(this.ranges.size), fill, durablePosition);
  }

  #place(
    kind: BatchKind,
    bodyBytes: number,
    fill: (sink: ByteSink) => void,
    durablePosition = this.#position(),
  ): PlacedBatch {
    const place = { kind, position: this.#position(), durablePosition, salt: this.header.salt };
    const buffer = this.#buffers.take(batchBytes(bodyBytes));
    const batch = encodeBatch({ ...place, previousCrc: this.#lastCrc }, bodyBytes, fill, buffer);
    const offset = this.#offset;
    this.#offset += batch.bytes.byteLength;
    this.#lastCrc = batch.crc;
    return { offset, bytes: batch.bytes };
  }

  /**
   * In a finished segment every byte counts: what its room held before is wiped, and that is durable
   * before the index, whose presence says so.
   */
  async #clearBehind(end: number): Promise<void> {
    if (!this.header.recycled) return;
    const zeros = new Uint8Array(Math.min(zeroedChunkBytes, this.header.size - end));
    for (let offset = end; offset < this.header.size; offset += zeros.byteLength) {
      await this.#file.writeDurably(offset, zeros.subarray(0, this.header.size - offset));
    }
  }
}
