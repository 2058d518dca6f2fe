import { concatBytes } from '../common/bytes.ts';
import type { ByteWriter } from '../common/byte-writer.ts';
import type { DiskFile } from '../disk/disk.ts';
import { batchBytes, batchKind, encodeBatch } from './batch.ts';
import type { BatchKind } from './batch.ts';
import { indexRoomBytes, noteRange, rangesBytes, writeRanges } from './group-index.ts';
import type { GroupRanges } from './group-index.ts';
import { recordsBytes, writeRecord } from './record.ts';
import type { WalRecord } from './record.ts';
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
}

/**
 * The end of the newest segment. Guarded invariants: a batch is written when everything before it is
 * durable (each write here ends in a sync), and room for the index remains until it is written.
 */
export class SegmentAppender {
  readonly header: SegmentHeader;
  readonly ranges: GroupRanges;
  readonly #file: DiskFile;
  #offset: number;
  #lastCrc: number;
  #tailOpen: boolean;

  constructor(point: AppendPoint) {
    this.header = point.header;
    this.ranges = point.ranges;
    this.#file = point.file;
    this.#offset = point.offset;
    this.#lastCrc = point.lastCrc;
    this.#tailOpen = point.tailOpen;
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

  /** Whether a batch of these records fits, with the index behind it. */
  fits(records: readonly WalRecord[]): boolean {
    const added = new Set<number>();
    for (const { group } of records) if (!this.ranges.has(group)) added.add(group);
    const room = indexRoomBytes(this.ranges.size + added.size);
    return this.#offset + batchBytes(recordsBytes(records)) + room <= this.header.size;
  }

  /** Resolves with the bytes written when they are durable. */
  async append(records: readonly WalRecord[]): Promise<number> {
    const written = await this.#write(batchKind.data, recordsBytes(records), (writer) => {
      for (const record of records) writeRecord(writer, record);
    });
    for (const record of records) noteRange(this.ranges, record);
    this.#tailOpen = true;
    return written;
  }

  /** An empty batch behind the tail: it proves that the tail was durable. */
  async seal(): Promise<number> {
    const written = await this.#write(batchKind.seal, 0, () => undefined);
    this.#tailOpen = false;
    return written;
  }

  /** Ends the segment with its index, twice, in one write; the file is closed. */
  async finish(): Promise<number> {
    const durablePosition = this.#position();
    const { salt } = this.header;
    const copies: Uint8Array[] = [];
    let offset = this.#offset;
    for (let copy = 0; copy < 2; copy += 1) {
      const position = this.header.basePosition + offset;
      const place = { kind: batchKind.index, position, durablePosition, salt };
      const { bytes, crc } = encodeBatch(
        { ...place, previousCrc: this.#lastCrc },
        rangesBytes(this.ranges.size),
        (writer) => writeRanges(writer, this.ranges),
      );
      copies.push(bytes);
      offset += bytes.byteLength;
      this.#lastCrc = crc;
    }
    const index = concatBytes(copies);
    await this.#file.writeDurably(this.#offset, index);
    this.#offset = offset;
    await this.#file.close();
    return index.byteLength;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #position(): number {
    return this.header.basePosition + this.#offset;
  }

  /** Resolves with the bytes written when they are durable; nothing else must be unsynced. */
  async #write(
    kind: BatchKind,
    bodyBytes: number,
    fill: (writer: ByteWriter) => void,
  ): Promise<number> {
    const position = this.#position();
    const place = { kind, position, durablePosition: position, previousCrc: this.#lastCrc };
    const batch = encodeBatch({ ...place, salt: this.header.salt }, bodyBytes, fill);
    const { bytes, crc } = batch;
    await this.#file.writeDurably(this.#offset, bytes);
    this.#offset += bytes.byteLength;
    this.#lastCrc = crc;
    return bytes.byteLength;
  }
}
