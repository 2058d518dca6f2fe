import { assert } from '../common/assert.ts';
import type { Disk, DiskFile } from '../disk/disk.ts';
import {
  WalClosedError,
  WalCorruptError,
  WalDiskFullError,
  WalQueueFullError,
  WalSyncError,
} from './errors.ts';
import {
  batchHeaderBytes,
  batchKind,
  aligned,
  encodeBatch,
  encodeGroupIndex,
  encodeRecords,
  firstBatchOffset,
  indexBytes,
  recordBytes,
  truncateKind,
} from './format.ts';
import type { BatchKind, GroupRange, WalRecord } from './format.ts';
import { noteRecord, scanSegment } from './recovery.ts';
import type { ScannedSegment } from './recovery.ts';
import { createSegment, isTemporary, segmentName, sequenceOf } from './segment-file.ts';

/**
 * The write-ahead log of a node: one for all its groups. Guarded invariants: an append resolves only
 * after the sync that covers it; a batch is written only after the sync of the batch before it has
 * returned; a failed write or sync is never tried again, since what the medium holds is unknown then.
 */
export interface WalOptions {
  readonly disk: Disk;
  readonly directory: string;
  /** Size of a new segment. */
  readonly segmentBytes?: number;
  /** Records of `group` with an index up to this are applied already and are not handed out. */
  replayFrom(group: number): number;
  /** Called in order of the log while it is opened; a record of kind `truncateKind` forgets a suffix. */
  onRecord(record: WalRecord): void;
  onProgress(doneBytes: number, totalBytes: number): void;
  readonly signal: AbortSignal;
}

export interface Recovery {
  readonly records: number;
  readonly bytes: number;
  /** The torn tail that was cut: nothing of it had been promised to anybody. */
  readonly cut?: { readonly segment: string; readonly offset: number; readonly bytes: number };
}

export interface WalMetrics {
  readonly syncs: number;
  readonly records: number;
  readonly bytes: number;
  readonly segments: number;
  readonly queueBytes: number;
  readonly lastSyncMs: number;
}

const defaultSegmentBytes = 16 * 1_048_576;
/** Bytes of one batch: bounds what a crash can tear and how long one sync takes. */
const batchBytesMax = 4 * 1_048_576;
/** Waiting records. Replication bounds what is in flight well below; this is the last line. */
const queueBytesMax = 256 * 1_048_576;
/** A tail that stays unsealed for longer is closed by a seal. */
const sealAfterMs = 10;

interface Waiting {
  readonly records: readonly WalRecord[];
  readonly bytes: number;
  resolve(): void;
  reject(error: Error): void;
}

interface Segment {
  readonly sequence: number;
  readonly size: number;
  readonly groups: Map<number, GroupRange>;
}

export class Wal {
  readonly recovery: Recovery;
  /** Resolves with the reason when the log can no longer be trusted: the process must end. */
  readonly failed: Promise<Error>;
  readonly #options: WalOptions;
  readonly #sealed: Segment[];
  readonly #queue: Waiting[] = [];
  readonly #lastIndex: Map<number, number>;
  #current: Segment;
  #file: DiskFile;
  #offset: number;
  #lastCrc: number;
  #tailOpen: boolean;
  #queueBytes = 0;
  #running: Promise<void> | undefined;
  #sealTimer: NodeJS.Timeout | undefined;
  #closed = false;
  #failure: Error | undefined;
  #fail: (error: Error) => void = () => undefined;
  #counters = { syncs: 0, records: 0, bytes: 0, lastSyncMs: 0 };

  /** @internal Use `openWal`. */
  constructor(options: WalOptions, opened: Opened) {
    this.#options = options;
    this.recovery = opened.recovery;
    this.#sealed = opened.sealed;
    this.#current = opened.current;
    this.#file = opened.file;
    this.#offset = opened.offset;
    this.#lastCrc = opened.lastCrc;
    this.#lastIndex = opened.lastIndex;
    this.#tailOpen = opened.offset > firstBatchOffset;
    this.failed = new Promise((resolve) => (this.#fail = resolve));
  }

  /** Resolves when the records are durable, in the order of the calls. */
  append(records: readonly WalRecord[]): Promise<void> {
    const bytes = records.reduce((sum, record) => sum + recordBytes(record), 0);
    if (this.#closed) return Promise.reject(new WalClosedError());
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#queueBytes + bytes > queueBytesMax) {
      return Promise.reject(new WalQueueFullError(`${queueBytesMax} bytes wait for the disk`));
    }
    for (const record of records) this.#checkContinuity(record);
    this.#queueBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#queue.push({ records, bytes, resolve, reject });
      this.#start();
    });
  }

  /** Appends the order to forget the group's entries from `fromIndex` on. */
  truncate(group: number, fromIndex: number): Promise<void> {
    return this.append([
      { group, term: 0, index: fromIndex, kind: truncateKind, payload: new Uint8Array() },
    ]);
  }

  /** The last index of a group that was ever appended (less what was truncated); 0 without any. */
  lastIndex(group: number): number {
    return this.#lastIndex.get(group) ?? 0;
  }

  /** Removes sealed segments, oldest first, whose entries are all at or below these indexes. */
  async release(applied: (group: number) => number): Promise<void> {
    let removed = 0;
    for (const segment of this.#sealed) {
      if (![...segment.groups].every(([group, range]) => range.last <= applied(group))) break;
      removed += 1;
    }
    const { disk, directory } = this.#options;
    for (const segment of this.#sealed.splice(0, removed)) {
      await disk.remove(`${directory}/${segmentName(segment.sequence)}`);
    }
    if (removed > 0) await disk.syncDirectory(directory);
  }

  metrics(): WalMetrics {
    return {
      ...this.#counters,
      segments: this.#sealed.length + 1,
      queueBytes: this.#queueBytes,
    };
  }

  /** Writes what waits, seals the tail and closes the file. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#sealTimer);
    await this.#running;
    if (this.#failure === undefined) await this.#seal();
    await this.#file.close();
  }

  #checkContinuity(record: WalRecord): void {
    const last = this.#lastIndex.get(record.group);
    if (record.kind === truncateKind) {
      this.#lastIndex.set(record.group, Math.min(last ?? 0, record.index - 1));
      return;
    }
    assert(
      last === undefined || record.index === last + 1,
      `group ${record.group}: entry ${record.index} does not follow ${last}`,
    );
    this.#lastIndex.set(record.group, record.index);
  }

  #start(): void {
    if (this.#running !== undefined) return;
    clearTimeout(this.#sealTimer);
    this.#running = this.#drain().then(() => {
      this.#running = undefined;
      if (this.#closed || this.#failure !== undefined) return;
      if (this.#queue.length > 0) this.#start();
      else this.#sealLater();
    });
  }

  /** Batch after batch: while one is synced, the next one gathers. */
  async #drain(): Promise<void> {
    while (this.#queue.length > 0 && this.#failure === undefined) {
      const batch = this.#takeBatch();
      try {
        await this.#writeBatch(
          batchKind.data,
          batch.flatMap((each) => each.records),
        );
      } catch (error) {
        this.#failWith(error, batch);
        return;
      }
      for (const waiting of batch) {
        this.#queueBytes -= waiting.bytes;
        waiting.resolve();
      }
    }
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#queue) {
      if (count > 0 && bytes + waiting.bytes > batchBytesMax) break;
      bytes += waiting.bytes;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #writeBatch(kind: BatchKind, records: readonly WalRecord[]): Promise<void> {
    const body = encodeRecords(records);
    const groups = new Set([...this.#current.groups.keys(), ...records.map((each) => each.group)]);
    const length = aligned(batchHeaderBytes + body.byteLength);
    const reserve = indexBytes(groups.size);
    if (this.#offset + length + reserve > this.#current.size) await this.#rotate(length);
    await this.#write(kind, body);
    await this.#sync();
    for (const record of records) {
      const follows = noteRecord(this.#current.groups, record);
      assert(follows, 'the records of a group follow one another');
    }
    this.#counters.records += records.length;
    this.#tailOpen = kind === batchKind.data;
  }

  async #write(kind: BatchKind, body: Uint8Array, durableOffset = this.#offset): Promise<void> {
    const { bytes, crc } = encodeBatch(
      {
        kind,
        sequence: this.#current.sequence,
        offset: this.#offset,
        previousCrc: this.#lastCrc,
        durableOffset,
      },
      body,
    );
    await this.#file.write(this.#offset, bytes);
    this.#offset += bytes.byteLength;
    this.#lastCrc = crc;
    this.#counters.bytes += bytes.byteLength;
  }

  async #sync(): Promise<void> {
    const started = performance.now();
    await this.#file.sync();
    this.#counters.lastSyncMs = performance.now() - started;
    this.#counters.syncs += 1;
  }

  /** Ends the segment with its index, twice, and goes on in a new one. */
  async #rotate(nextBatchBytes: number): Promise<void> {
    const body = encodeGroupIndex(this.#current.groups);
    const durable = this.#offset;
    await this.#write(batchKind.index, body, durable);
    await this.#write(batchKind.index, body, durable);
    await this.#sync();
    await this.#file.close();
    this.#sealed.push(this.#current);
    await this.#beginSegment(this.#current.sequence + 1, nextBatchBytes);
  }

  async #beginSegment(sequence: number, nextBatchBytes: number): Promise<void> {
    const { disk, directory, segmentBytes = defaultSegmentBytes } = this.#options;
    const wanted = firstBatchOffset + nextBatchBytes + indexBytes(this.#lastIndex.size + 1);
    const size = Math.max(segmentBytes, wanted);
    this.#file = await createSegment(disk, directory, {
      sequence,
      size,
      previousCrc: this.#lastCrc,
    });
    this.#current = { sequence, size, groups: new Map() };
    this.#offset = firstBatchOffset;
  }

  #sealLater(): void {
    if (!this.#tailOpen) return;
    this.#sealTimer = setTimeout(() => {
      if (this.#running !== undefined || this.#closed) return;
      this.#running = this.#seal().then(() => {
        this.#running = undefined;
        if (this.#queue.length > 0) this.#start();
      });
    }, sealAfterMs);
    this.#sealTimer.unref();
  }

  /** An empty batch behind the tail: it proves that the tail was durable. */
  async #seal(): Promise<void> {
    if (!this.#tailOpen) return;
    try {
      await this.#writeBatch(batchKind.seal, []);
    } catch (error) {
      this.#failWith(error, []);
    }
  }

  #failWith(cause: unknown, batch: readonly Waiting[]): void {
    const full = (cause as NodeJS.ErrnoException).code === 'ENOSPC';
    this.#failure = full
      ? new WalDiskFullError(cause)
      : new WalSyncError(`writing the log failed: ${String(cause)}`, { cause });
    for (const waiting of [...batch, ...this.#queue.splice(0)]) waiting.reject(this.#failure);
    this.#queueBytes = 0;
    this.#fail(this.#failure);
  }
}

interface Opened {
  readonly recovery: Recovery;
  readonly sealed: Segment[];
  readonly current: Segment;
  readonly file: DiskFile;
  readonly offset: number;
  readonly lastCrc: number;
  readonly lastIndex: Map<number, number>;
}

/** Hands out what was not applied, and keeps count of each group. */
class Replay {
  readonly lastIndex = new Map<number, number>();
  records = 0;
  readonly #options: WalOptions;

  constructor(options: WalOptions) {
    this.#options = options;
  }

  accept(record: WalRecord, segment: string): void {
    const last = this.lastIndex.get(record.group);
    if (record.kind === truncateKind) {
      this.lastIndex.set(record.group, Math.min(last ?? 0, record.index - 1));
    } else {
      if (last !== undefined && record.index !== last + 1) {
        throw new WalCorruptError(segment, 0, `group ${record.group} misses entry ${last + 1}`);
      }
      this.lastIndex.set(record.group, record.index);
    }
    this.records += 1;
    if (record.index > this.#options.replayFrom(record.group)) this.#options.onRecord(record);
  }
}

async function readSegment(disk: Disk, path: string): Promise<Uint8Array> {
  const file = await disk.open(path, 'read');
  try {
    return await file.read(0, await file.size());
  } finally {
    await file.close();
  }
}

async function segmentSequences(options: WalOptions): Promise<number[]> {
  const { disk, directory } = options;
  await disk.makeDirectory(directory);
  const names = await disk.list(directory);
  for (const name of names.filter(isTemporary)) await disk.remove(`${directory}/${name}`);
  const sequences = names
    .map(sequenceOf)
    .filter((sequence) => sequence !== undefined)
    .sort((a, b) => a - b);
  sequences.forEach((sequence, position) => {
    const expected = (sequences[0] ?? 0) + position;
    if (sequence === expected) return;
    throw new WalCorruptError(segmentName(expected), 0, 'the segment is missing');
  });
  return sequences;
}

async function scanAll(options: WalOptions, replay: Replay): Promise<ScannedSegment[]> {
  const sequences = await segmentSequences(options);
  const scanned: ScannedSegment[] = [];
  let done = 0;
  for (const sequence of sequences) {
    options.signal.throwIfAborted();
    const name = segmentName(sequence);
    const bytes = await readSegment(options.disk, `${options.directory}/${name}`);
    const newest = sequence === sequences.at(-1);
    const previousCrc = scanned.at(-1)?.lastCrc;
    const onRecord = (record: WalRecord): void => replay.accept(record, name);
    scanned.push(scanSegment(bytes, { name, sequence, previousCrc, newest, onRecord }));
    done += bytes.byteLength;
    options.onProgress(done, done + (sequences.length - scanned.length) * bytes.byteLength);
  }
  return scanned;
}

/** Zeroes a torn tail, so that nothing of it is ever taken for a batch. */
async function cutTail(file: DiskFile, segment: ScannedSegment): Promise<void> {
  if (segment.tornBytes === 0) return;
  await file.write(segment.end, new Uint8Array(segment.tornBytes));
  await file.sync();
}

const asSegment = ({ sequence, size, groups }: ScannedSegment): Segment => ({
  sequence,
  size,
  groups,
});

/** Where appending goes on: in the newest segment, or in a new one when that is sealed or missing. */
async function openTail(
  options: WalOptions,
  newest: ScannedSegment | undefined,
): Promise<Pick<Opened, 'current' | 'file' | 'offset' | 'lastCrc'>> {
  const { disk, directory, segmentBytes = defaultSegmentBytes } = options;
  if (newest !== undefined && !newest.sealed) {
    const file = await disk.open(`${directory}/${newest.name}`, 'write');
    await cutTail(file, newest);
    return { current: asSegment(newest), file, offset: newest.end, lastCrc: newest.lastCrc };
  }
  const sequence = (newest?.sequence ?? 0) + 1;
  const lastCrc = newest?.lastCrc ?? 0;
  const segment = { sequence, size: segmentBytes, previousCrc: lastCrc };
  const file = await createSegment(disk, directory, segment);
  const current = { sequence, size: segmentBytes, groups: new Map<number, GroupRange>() };
  return { current, file, offset: firstBatchOffset, lastCrc };
}

/**
 * Opens the log of a directory: verifies every byte, hands out the records that are not applied, cuts
 * a torn tail. Rejects with `wal.corrupt`, `wal.format` or `wal.disk_full`.
 */
export async function openWal(options: WalOptions): Promise<Wal> {
  const replay = new Replay(options);
  try {
    const scanned = await scanAll(options, replay);
    const newest = scanned.at(-1);
    const tail = await openTail(options, newest);
    const sealed = scanned.filter((segment) => segment.sealed).map(asSegment);
    const bytes = scanned.reduce((sum, segment) => sum + segment.end, 0);
    const torn = newest !== undefined && newest.tornBytes > 0;
    const cut = torn
      ? { cut: { segment: newest.name, offset: newest.end, bytes: newest.tornBytes } }
      : {};
    const recovery = { records: replay.records, bytes, ...cut };
    return new Wal(options, { ...tail, recovery, sealed, lastIndex: replay.lastIndex });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw new WalDiskFullError(error);
    throw error;
  }
}
