import { assert } from '../common/assert.ts';
import { noBytes } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import { PhotonError } from '../common/errors.ts';
import { spawn } from '../common/spawn.ts';
import { AppendQueue } from './append-queue.ts';
import type { WaitingBatch } from './append-queue.ts';
import type { Continuity, FlushedPositions } from './continuity.ts';
import {
  WalAppendTooLargeError,
  WalClosedError,
  WalBlockedError,
  WalEntriesGoneError,
  WalSyncError,
  WalTooManyError,
} from './errors.ts';
import type { WalCorruptError } from './errors.ts';
import type { HardStates } from './hard-states.ts';
import { Refusals } from './refusals.ts';
import type { RetentionHolds } from './retention-holds.ts';
import { isEntryKind, recordsBytes, restartKind, truncateKind } from './record.ts';
import type { WalRecord } from './record.ts';
import type { EntryRange } from './segment-entries.ts';
import type { PlacedBatch, SegmentAppender } from './segment-appender.ts';
import type { SegmentRow } from './segment-row.ts';
import type { HoldOptions, Recovery, Wal, RetentionHold, WalMetrics } from './wal.ts';

/** A tail that nothing follows for so long is closed by a seal: see the limits in docs/internals/wal.md. */
const sealAfterMs = 10;
/** The largest document with its old value, and room beside; a segment is made to hold it. */
const appendBytesMax = 128 * 1_048_576;
/** Each reader has one segment in memory. */
const readersMax = 8;

export interface LogWriterParts {
  readonly clock: Clock;
  readonly queueBytesMax: number | undefined;
  readonly row: SegmentRow;
  readonly holders: RetentionHolds;
  readonly continuity: Continuity;
  readonly hardStates: HardStates;
  readonly damaged: ReadonlyMap<number, WalCorruptError>;
  readonly recovery: Recovery;
  readonly synced: (ms: number, bytes: number) => void;
}

/** A batch that has its place in a segment, and who waits for it. */
interface EncodedAppends {
  readonly appends: WaitingBatch;
  readonly segment: SegmentAppender;
  readonly batch: PlacedBatch;
}

/**
 * Writes batch after batch: while one is being synced, the next one gathers. Whatever touches the
 * newest segment runs in `#busy`, one at a time.
 */
export class LogWriter implements Wal {
  readonly recovery: Recovery;
  readonly damaged: ReadonlyMap<number, WalCorruptError>;
  readonly failed: Promise<Error>;
  readonly #clock: Clock;
  readonly #row: SegmentRow;
  readonly #holders: RetentionHolds;
  #readers = 0;
  readonly #continuity: Continuity;
  readonly #hardStates: HardStates;
  readonly #refusals = new Refusals();
  readonly #queue: AppendQueue;
  readonly #closing = new AbortController();
  #busy: Promise<void> | undefined;
  #idleSince: number;
  #sealing = false;
  #failure: Error | undefined;
  readonly #announce: (error: Error) => void;
  readonly #synced: LogWriterParts['synced'];
  #counters = { syncs: 0, records: 0, bytes: 0, lastSyncMs: 0 };

  constructor(parts: LogWriterParts) {
    const { clock, row, holders, continuity, hardStates, damaged, recovery } = parts;
    this.#clock = clock;
    this.#synced = parts.synced;
    this.#row = row;
    this.#holders = holders;
    this.#continuity = continuity;
    this.#hardStates = hardStates;
    this.recovery = recovery;
    this.damaged = damaged;
    this.#queue = new AppendQueue(clock, parts.queueBytesMax);
    this.#idleSince = clock.now();
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.failed = promise;
    this.#announce = resolve;
    this.#sealWhenIdle();
  }

  get full(): boolean {
    return this.#queue.isFull || this.#row.refusal !== undefined;
  }

  async append(records: readonly WalRecord[]): Promise<void> {
    for (const { kind } of records) assert(isEntryKind(kind), 'an order is not an entry');
    return this.#append(records);
  }

  async persist(records: readonly WalRecord[]): Promise<void> {
    return this.#append(records);
  }

  async truncate(group: number, fromIndex: number): Promise<void> {
    return this.#append([
      { group, term: 0, index: fromIndex, kind: truncateKind, payload: noBytes },
    ]);
  }

  async room(signal: AbortSignal): Promise<void> {
    this.#refuse();
    await this.#row.retry().catch((error: unknown) => {
      const isKnown = error instanceof WalBlockedError || this.#closing.signal.aborted;
      throw isKnown ? error : this.#fail(error);
    });
    return this.#queue.room(signal);
  }

  async truncateFront(flushed: FlushedPositions): Promise<void> {
    this.#continuity.forgetBelow(flushed);
    await this.#row.truncateFront(flushed);
  }

  hold(options: HoldOptions): RetentionHold {
    this.#refuse();
    return this.#holders.add(options);
  }

  async *read(range: EntryRange, signal: AbortSignal): AsyncGenerator<WalRecord, void> {
    this.#refuse();
    this.#requireIntact(range.group);
    if (this.#readers >= readersMax) throw new WalTooManyError('readers', readersMax);
    this.#readers += 1;
    try {
      let { from } = range;
      if (from <= this.#row.releasedTo(range.group)) {
        throw new WalEntriesGoneError(range.group, from);
      }
      for (let sequence = 0; from <= range.to;) {
        signal.throwIfAborted();
        this.#refuse();
        const found = await this.#row.readFrom(sequence, { ...range, from });
        if (found === undefined) return;
        for (const entry of found.entries) {
          if (entry.index !== from) throw new WalEntriesGoneError(range.group, from);
          signal.throwIfAborted();
          yield entry;
          from += 1;
        }
        sequence = found.sequence + 1;
      }
    } finally {
      this.#readers -= 1;
    }
  }

  metrics(): WalMetrics {
    const holders = this.#holders.count;
    return {
      ...this.#counters,
      holders,
      segments: this.#row.length,
      queueBytes: this.#queue.bytes,
    };
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new WalClosedError());
    while (this.#busy !== undefined) await this.#busy;
    if (this.#failure === undefined) await this.#seal();
    await this.#row.close();
  }

  #refuse(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing.signal.aborted) throw new WalClosedError();
  }

  #requireIntact(group: number): void {
    const damage = this.damaged.get(group);
    if (damage !== undefined) throw damage;
  }

  // Everything up to the place in the queue happens in the call, so that the calls' order holds.
  async #append(records: readonly WalRecord[]): Promise<void> {
    this.#refuse();
    for (const { group } of records) this.#requireIntact(group);
    const bytes = recordsBytes(records);
    if (bytes > appendBytesMax) throw new WalAppendTooLargeError(bytes, appendBytesMax);
    const refusal = this.#row.refusal ?? (this.#queue.isFull ? this.#queue.fullError() : undefined);
    if (refusal !== undefined) {
      this.#refusals.add(records, refusal);
      throw refusal;
    }
    const written = this.#queue.push(records, this.#note(records));
    this.#write();
    return written;
  }

  /**
   * Takes records into the continuity of their groups; answers how to take them out again. Entries
   * behind some that were refused are refused with the same words until the caller begins again there.
   */
  #note(records: readonly WalRecord[]): () => void {
    this.#refusals.require(records);
    const undo = this.#undoOf(records);
    for (const record of records) {
      const complaint = this.#continuity.note(record);
      assert(complaint === undefined, complaint ?? '');
      this.#refusals.accept(record);
    }
    return () => {
      undo();
      if (this.#row.refusal !== undefined) this.#refusals.add(records, this.#row.refusal);
    };
  }

  /** Groups with an order become what they are now; others lose the entries. */
  #undoOf(records: readonly WalRecord[]): () => void {
    const saved = new Map<number, () => void>();
    for (const { group, kind } of records) {
      const isOrder = kind === truncateKind || kind === restartKind;
      if (isOrder && !saved.has(group)) saved.set(group, this.#continuity.save(group));
    }
    const entries = saved.size === 0 ? records : records.filter(({ group }) => !saved.has(group));
    return () => {
      this.#continuity.forgetLast(entries);
      for (const restore of saved.values()) restore();
    };
  }

  #write(): void {
    if (this.#busy !== undefined) return;
    this.#exclusively(async () => {
      let ahead: EncodedAppends | undefined;
      for (;;) {
        const appends = ahead?.appends ?? this.#queue.take(this.#row.newest.roomBytes);
        if (appends === undefined) return;
        try {
          const { segment, batch } = ahead ?? (await this.#encode(appends));
          const written = this.#timed(() => segment.write(batch));
          ahead = this.#encodeAhead();
          await written;
          this.#counters.records += appends.records.length;
          appends.done();
          this.#row.prepareNext();
        } catch (error) {
          // It comes before anything is written, and everything before is durable.
          if (error instanceof WalBlockedError) return appends.refuse(error);
          const failure = this.#fail(error);
          appends.fail(failure);
          if (ahead?.appends !== appends) ahead?.appends.fail(failure);
          return;
        }
      }
    });
  }

  #exclusively(task: () => Promise<void>): void {
    assert(this.#busy === undefined, 'one task at a time touches the newest segment');
    const run = async (): Promise<void> => {
      // Appends of the same turn share a batch.
      await Promise.resolve();
      await task();
      this.#busy = undefined;
      if (this.#failure !== undefined) return;
      if (this.#queue.isEmpty) this.#sealWhenIdle();
      else this.#write();
    };
    this.#busy = run();
  }

  async #encode(appends: WaitingBatch): Promise<EncodedAppends> {
    const { records } = appends;
    if (!this.#row.newest.fits(this.#behindHardStates(records))) {
      const room = await this.#row.roomFor([...this.#hardStates.all(), ...records]);
      const last = this.#row.newest;
      await this.#timed(() => last.finish());
      await this.#row.extend(room, records);
    }
    return this.#place(appends);
  }

  #place(appends: WaitingBatch): EncodedAppends {
    const segment = this.#row.newest;
    const batch = segment.encode(this.#behindHardStates(appends.records));
    for (const record of appends.records) this.#hardStates.note(record);
    return { appends, segment, batch };
  }

  /** Each segment begins with the newest hard state of every group. */
  #behindHardStates(records: readonly WalRecord[]): readonly WalRecord[] {
    const isFirst = this.#row.newest.isEmpty && !this.#hardStates.isEmpty;
    return isFirst ? [...this.#hardStates.all(), ...records] : records;
  }

  /**
   * While one batch is being written, the next one is encoded, so that disk and processor work at the
   * same time; but only a whole one: otherwise more gathers until the disk is free.
   */
  #encodeAhead(): EncodedAppends | undefined {
    const segment = this.#row.newest;
    if (!this.#queue.hasBatch) return undefined;
    const appends = this.#queue.take(segment.roomBytes, (records) => segment.fits(records));
    return appends === undefined ? undefined : this.#place(appends);
  }

  async #timed(write: () => Promise<number>): Promise<void> {
    const started = this.#clock.now();
    const bytes = await write();
    this.#idleSince = this.#clock.now();
    this.#counters.lastSyncMs = this.#idleSince - started;
    this.#counters.syncs += 1;
    this.#counters.bytes += bytes;
    this.#synced(this.#counters.lastSyncMs, bytes);
  }

  /** One sleeper for all idle moments: a busy log costs it little. */
  #sealWhenIdle(): void {
    if (!this.#row.newest.tailOpen || this.#sealing) return;
    this.#sealing = true;
    const { signal } = this.#closing;
    const watch = async (): Promise<void> => {
      while (this.#row.newest.tailOpen && this.#failure === undefined && !signal.aborted) {
        const idleMs = this.#clock.now() - this.#idleSince;
        if (this.#busy !== undefined) await this.#busy;
        else if (idleMs >= sealAfterMs) this.#exclusively(() => this.#seal());
        else await this.#clock.sleep(sealAfterMs - idleMs, signal);
      }
      this.#sealing = false;
    };
    spawn(watch, (error) => {
      if (!(error instanceof WalClosedError)) this.#fail(error);
    });
  }

  async #seal(): Promise<void> {
    if (!this.#row.newest.tailOpen) return;
    try {
      await this.#timed(() => this.#row.newest.seal());
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(cause: unknown): Error {
    this.#failure ??= cause instanceof PhotonError ? cause : new WalSyncError(cause);
    this.#queue.fail(this.#failure);
    this.#announce(this.#failure);
    return this.#failure;
  }
}
