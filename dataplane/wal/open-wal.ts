import { assert } from '../common/assert.ts';
import { Continuity } from './continuity.ts';
import { damagedSegment } from './damaged-segment.ts';
import { WalCorruptError, WalOpenError } from './errors.ts';
import { HardStates } from './hard-states.ts';
import { KeptSegments } from './kept-segments.ts';
import type { Damages } from './kept-segments.ts';
import { RetentionHolds } from './retention-holds.ts';
import { LogWriter } from './log-writer.ts';
import { NextSegment } from './next-segment.ts';
import { SegmentAppender } from './segment-appender.ts';
import {
  isAnnounced,
  pathOf,
  prepareSegment,
  readWhole,
  removeTemporary,
  segmentName,
  sequenceOf,
} from './segment-file.ts';
import type { SegmentDirectory } from './segment-file.ts';
import { endPositionOf, walFormat } from './segment-header.ts';
import { SegmentRow, beforeFirst, beginSegment } from './segment-row.ts';
import type { SegmentRowOptions } from './segment-row.ts';
import { lostBehind, missingSegment, recordsOf, scanSegment } from './segment-scan.ts';
import type { ScannedSegment, ScanOptions } from './scanned-segment.ts';
import { hardStateKind, isEntryKind } from './record.ts';
import type { WalRecord } from './record.ts';
import { defaultSegmentBytes, segmentBytesMin } from './wal.ts';
import type { Recovery, Wal, WalOptions } from './wal.ts';

/** Progress within a segment is reported each time so much was read. */
const progressBytes = 1_048_576;

/** Errors of the system say what failed, but not what it means: that is added here. */
async function onDisk<T>(directory: string, action: Promise<T>): Promise<T> {
  try {
    return await action;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    throw /^E[A-Z]+$/.test(code) ? new WalOpenError(directory, error) : error;
  }
}

interface FoundSegment {
  readonly sequence: number;
  readonly name: string;
  readonly size: number;
}

/** The segments of a directory, oldest first; a name that is missing between them is damage. */
async function findSegments(place: SegmentDirectory): Promise<FoundSegment[]> {
  const { disk, directory } = place;
  await disk.makeDirectory(directory);
  // The process before this one may have died between giving a name and making it durable.
  await disk.syncDirectory(directory);
  await removeTemporary(place);
  const names = await disk.list(directory);
  const sequences = names.map(sequenceOf).filter((sequence) => sequence !== undefined);
  sequences.sort((a, b) => a - b);
  const found: FoundSegment[] = [];
  let position = 0;
  for (const sequence of sequences) {
    const name = segmentName(sequence);
    const expected = (sequences[0] ?? 0) + found.length;
    if (sequence !== expected) {
      throw missingSegment(expected, position);
    }
    const file = await disk.open(pathOf(place, name), 'read');
    const size = await file.size();
    await file.close();
    found.push({ sequence, name, size });
    position += size;
  }
  return found;
}

/**
 * Zeroes the torn tail, so that nothing of it is ever taken for a batch, and makes durable what was
 * read: the process before this one may have died between a write and its sync, and what is handed
 * out must not be lost by a power failure any more.
 */
async function settle(place: SegmentDirectory, segment: ScannedSegment): Promise<void> {
  const file = await place.disk.open(pathOf(place, segment.name), 'write');
  try {
    if (segment.tailBytes > 0) await file.write(segment.end, new Uint8Array(segment.tailBytes));
    await file.sync();
  } finally {
    await file.close();
  }
}

interface KnownDamage {
  readonly kept: KeptSegments;
  readonly damages: Damages;
}

/** Reads the log from its oldest segment, one segment in memory at a time. */
class Replay {
  readonly continuity = new Continuity();
  readonly hardStates = new HardStates();
  readonly scanned: ScannedSegment[] = [];
  readonly #kept: KeptSegments;
  readonly #damages: Damages;
  records = 0;
  readonly #options: WalOptions;
  readonly #found: readonly FoundSegment[];
  readonly #totalBytes: number;
  readonly #buffer: Uint8Array;
  #doneBytes = 0;

  constructor(options: WalOptions, found: readonly FoundSegment[], { kept, damages }: KnownDamage) {
    this.#options = options;
    this.#buffer = Buffer.allocUnsafe(options.segmentBytes ?? defaultSegmentBytes);
    this.#found = found;
    this.#kept = kept;
    this.#damages = damages;
    for (const group of damages.keys()) this.continuity.exclude(group);
    this.#totalBytes = found.reduce((sum, segment) => sum + segment.size, 0);
  }

  async run(): Promise<void> {
    const { signal, directory } = this.#options;
    this.#options.onProgress(0, this.#totalBytes);
    for (const segment of this.#found) {
      signal.throwIfAborted();
      const bytes = await onDisk(directory, this.#read(segment));
      const newest = segment === this.#found.at(-1);
      const previous = this.scanned.at(-1);
      const { continuity } = this;
      const scanned = this.#scan(bytes, { ...segment, previous, newest, continuity });
      if (newest) {
        const isNextDue = await isAnnounced(this.#options, segment.sequence + 1);
        const lost = isNextDue ? undefined : lostBehind(scanned);
        if (lost !== undefined) throw lost;
        await onDisk(directory, settle(this.#options, scanned));
      }
      this.scanned.push(scanned);
      if (scanned.isDamaged !== true) await this.#handOut(bytes, scanned);
      this.#doneBytes += segment.size;
      this.#options.onProgress(this.#doneBytes, this.#totalBytes);
    }
    this.#requireHardStates();
  }

  /** Later segments repeat the hard states of a damaged one; behind the newest there is none. */
  #requireHardStates(): void {
    const newest = this.scanned.at(-1);
    if (newest?.isDamaged !== true || newest.header.format < walFormat) return;
    const [damage] = [...this.#damages.values()].filter(
      ({ place }) => place.segment === newest.name,
    );
    throw damage ?? missingSegment(newest.header.sequence + 1, endPositionOf(newest.header));
  }

  /**
   * Into the same memory for each segment of the usual size: fresh memory for each would pile up until
   * it is collected, and cost time besides.
   */
  async #read({ name, size }: FoundSegment): Promise<Uint8Array> {
    const { disk } = this.#options;
    const path = pathOf(this.#options, name);
    if (size !== this.#buffer.byteLength) return readWhole(disk, path);
    const file = await disk.open(path, 'read');
    try {
      return this.#buffer.subarray(0, await file.readInto(0, this.#buffer));
    } finally {
      await file.close();
    }
  }

  /** Goes on over damage that is known to touch nothing but groups that the node can do without. */
  #scan(bytes: Uint8Array, options: ScanOptions): ScannedSegment {
    try {
      return scanSegment(bytes, options);
    } catch (error) {
      const segment = error instanceof WalCorruptError ? damagedSegment(bytes, options) : undefined;
      if (segment === undefined) throw error;
      for (const group of this.#kept.note(error as WalCorruptError)) this.continuity.exclude(group);
      return segment;
    }
  }

  /** A restart and a truncation void entries that were handed out, wherever they stand themselves. */
  #isWanted({ group, index, kind }: WalRecord): boolean {
    if (kind === hardStateKind) return false;
    return !isEntryKind(kind) || index > this.#options.replayFrom(group);
  }

  async #handOut(bytes: Uint8Array, scanned: ScannedSegment): Promise<void> {
    const options = this.#options;
    let told = 0;
    for (const { record, batchEnd } of recordsOf(bytes, scanned)) {
      this.records += 1;
      this.hardStates.note(record);
      if (!this.#damages.has(record.group) && this.#isWanted(record)) {
        const handled = options.onRecord(record);
        if (handled !== undefined) await handled;
      }
      if (batchEnd - told < progressBytes) continue;
      told = batchEnd;
      options.signal.throwIfAborted();
      options.onProgress(this.#doneBytes + batchEnd, this.#totalBytes);
    }
  }
}

/** Where appends continue: in the newest segment, or in a new one if that is sealed or missing. */
async function openNewest(
  options: SegmentRowOptions,
  newest: ScannedSegment | undefined,
  signal: AbortSignal,
): Promise<SegmentAppender> {
  if (newest !== undefined && !newest.sealed) {
    const { end: offset } = newest;
    const file = await options.disk.open(pathOf(options, newest.name), 'write');
    return new SegmentAppender({ ...newest, file, offset });
  }
  const prepared = await prepareSegment(options, options.segmentBytes, signal);
  if (newest === undefined) return beginSegment(options, beforeFirst, { prepared });
  const { header, lastCrc } = newest;
  const { sequence } = header;
  const predecessor = { sequence, endPosition: endPositionOf(header), lastCrc };
  return beginSegment(options, predecessor, { prepared });
}

function recoveryOf(replay: Replay): Recovery {
  const { scanned, records, hardStates } = replay;
  const found = new Map(hardStates.all().map((record) => [record.group, record]));
  const lasts = replay.continuity.lasts();
  const newest = scanned.at(-1);
  const cut =
    newest?.torn === true
      ? { cut: { segment: newest.name, offset: newest.end, bytes: newest.tailBytes } }
      : {};
  const bytes = scanned.reduce((sum, segment) => sum + segment.end, 0);
  return {
    records,
    bytes,
    ...cut,
    lastIndex: (group) => lasts.get(group),
    hardState: (group) => found.get(group),
  };
}

/**
 * Opens the log of a directory: verifies every byte, hands out the records that are not applied, cuts
 * a torn tail, continues over damage that affects only dispensable groups (`damaged`). Rejects with `wal.corrupt`, `wal.format`, `wal.disk_full` or `wal.open_failed`; then
 * nothing was changed but a torn tail that was cut.
 */
export async function openWal(options: WalOptions): Promise<Wal> {
  const { disk, directory, clock, signal, segmentBytes = defaultSegmentBytes } = options;
  assert(segmentBytes >= segmentBytesMin, `a segment has at least ${segmentBytesMin} bytes`);
  const damages: Damages = new Map();
  const isDispensable = (group: number): boolean => options.isDispensable?.(group) === true;
  const kept = new KeptSegments({ disk, directory, damages, isDispensable });
  const found = await onDisk(directory, findSegments(options));
  await onDisk(directory, kept.open(signal));
  const replay = new Replay(options, found, { kept, damages });
  await replay.run();
  const holders = new RetentionHolds(clock);
  const next = new NextSegment({ disk, directory, segmentBytes, clock });
  const { continuity, hardStates } = replay;
  const rowOptions = {
    disk,
    directory,
    segmentBytes,
    holders,
    kept,
    next,
    hardStates,
    random: () => options.random(),
  };
  const newest = await onDisk(directory, openNewest(rowOptions, replay.scanned.at(-1), signal));
  const sealed = replay.scanned.filter((segment) => segment.sealed);
  const row = new SegmentRow(rowOptions, sealed, newest);
  const recovery = recoveryOf(replay);
  const { queueBytesMax } = options;
  const synced = (ms: number, bytes: number): void => options.synced?.(ms, bytes);
  const parts = { clock, row, holders, continuity, hardStates, damaged: damages, recovery };
  return new LogWriter({ ...parts, queueBytesMax, synced });
}
