import { assert } from '../common/assert.ts';
import { batchBytes } from './batch.ts';
import { WalDiskFullError } from './errors.ts';
import { indexRoomBytes } from './group-index.ts';
import { recordsBytes } from './record.ts';
import type { WalRecord } from './record.ts';
import { SegmentAppender, sealBytes } from './segment-appender.ts';
import type { SealedSegment } from './segment-appender.ts';
import {
  nameSegment,
  pathOf,
  prepareSegment,
  removeTemporary,
  segmentName,
  setAside,
  takeSpare,
} from './segment-file.ts';
import type { PreparedSegment, SegmentDirectory } from './segment-file.ts';
import { firstBatchOffset, walFormat } from './segment-header.ts';

/** Released segments whose room is kept: the next four need no zeros, and 64 MiB of disk is little. */
const sparesMax = 4;

export interface SegmentRowOptions extends SegmentDirectory {
  readonly segmentBytes: number;
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
  /** Names of released segments of the usual size. */
  readonly #spares: string[] = [];
  #next: Promise<PreparedSegment | Error> | undefined;
  #releasing: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();

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

  /** Begins the next segment, which holds at least these records. The newest must be finished. */
  async extend(records: readonly WalRecord[]): Promise<void> {
    const { header, ranges, lastCrc } = this.#newest;
    const groups = new Set(records.map((record) => record.group));
    const wanted =
      firstBatchOffset +
      batchBytes(recordsBytes(records)) +
      sealBytes +
      indexRoomBytes(groups.size);
    const size = Math.max(this.#options.segmentBytes, wanted);
    const prepared = await this.#prepared(size);
    const endPosition = header.basePosition + header.size;
    const predecessor = { sequence: header.sequence, endPosition, lastCrc };
    this.#sealed.push({ header, ranges });
    this.#newest = await beginSegment(this.#options, predecessor, prepared);
    assert(this.#newest.fits(records), 'a new segment holds what it was made for');
  }

  /** Starts to prepare room when half of the newest segment is used. */
  prepareNext(): void {
    const { offset, header } = this.#newest;
    if (this.#next !== undefined || offset * 2 < header.size) return;
    const { signal } = this.#closing;
    this.#next = this.#prepare(this.#options.segmentBytes, signal).catch((error: unknown) =>
      error instanceof Error ? error : new Error(String(error)),
    );
  }

  /** One release at a time, oldest first, each removal durable before the next. */
  release(flushed: ReadonlyMap<number, number>): Promise<void> {
    const after = this.#releasing.then(() => this.#release(flushed));
    this.#releasing = after.catch(() => undefined);
    return after;
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the log was closed'));
    const prepared = await this.#next;
    if (prepared !== undefined && !(prepared instanceof Error)) {
      await prepared.file.close();
    }
    await this.#releasing;
    await removeTemporary(this.#options);
    await this.#newest.close();
  }

  async #prepared(size: number): Promise<PreparedSegment> {
    const prepared = await this.#next;
    this.#next = undefined;
    if (prepared instanceof Error) {
      // Room may have been made since. Any other failure leaves the medium in doubt.
      if (!(prepared instanceof WalDiskFullError)) throw prepared;
    } else if (prepared !== undefined) {
      if (prepared.size >= size) return prepared;
      await prepared.file.close();
    }
    return this.#prepare(size, this.#closing.signal);
  }

  async #prepare(size: number, signal: AbortSignal): Promise<PreparedSegment> {
    const spare = size === this.#options.segmentBytes ? this.#spares.shift() : undefined;
    if (spare !== undefined) return takeSpare(this.#options, spare, size);
    return prepareSegment(this.#options, size, signal);
  }

  async #release(flushed: ReadonlyMap<number, number>): Promise<void> {
    for (let oldest = this.#sealed[0]; oldest !== undefined; oldest = this.#sealed[0]) {
      const { header, ranges } = oldest;
      const isHeld = [...ranges].some(([group, { last }]) => last > (flushed.get(group) ?? -1));
      if (isHeld) return;
      if (header.size === this.#options.segmentBytes && this.#spares.length < sparesMax) {
        this.#spares.push(await setAside(this.#options, header.sequence));
      } else await this.#remove(header.sequence);
      this.#sealed.shift();
    }
  }

  async #remove(sequence: number): Promise<void> {
    const { disk, directory } = this.#options;
    await disk.remove(pathOf(this.#options, segmentName(sequence)));
    await disk.syncDirectory(directory);
  }
}

/** The first segment of a log continues nothing. */
export const beforeFirst: Predecessor = { sequence: 0, endPosition: 0, lastCrc: 0 };

export async function beginSegment(
  options: SegmentRowOptions,
  predecessor: Predecessor,
  prepared: PreparedSegment,
): Promise<SegmentAppender> {
  const header = {
    format: walFormat,
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
