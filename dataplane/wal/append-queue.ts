import type { Clock } from '../common/clock.ts';
import { WalFullError } from './errors.ts';
import { recordsBytes } from './record.ts';
import type { WalRecord } from './record.ts';

/** Appends that wait for the disk, with the limits of the log's memory. */
interface Waiting {
  readonly records: readonly WalRecord[];
  readonly bytes: number;
  resolve(): void;
  reject(error: Error): void;
  /** Makes it as if it had never been asked for. */
  undo(): void;
}

/** Some appends that are written together. */
export interface WaitingBatch {
  readonly records: readonly WalRecord[];
  /** They are durable. */
  done(): void;
  fail(error: Error): void;
  /** Nothing of them was written: they and all that wait are undone, the newest first. */
  refuse(error: Error): void;
}

/** Bytes of one batch: bounds what a crash can tear, and how long one sync takes. */
const batchBytesMax = 4 * 1_048_576;
/** Records of one batch: encoding so many takes about as long as a sync, and nothing else runs meanwhile. */
const batchRecordsMax = 8_192;
/**
 * Bytes that may wait, beyond which the log takes nothing more: sixteen batches, so that the disk is
 * always busy, and little beside the 1 GiB that a node has at least.
 */
const queueBytesMaxDefault = 16 * batchBytesMax;
/** For so long a writer may wait for room before it hears that the disk does not keep up. */
const roomWaitMsMax = 10_000;

export class AppendQueue {
  readonly #clock: Clock;
  readonly #bytesMax: number;
  readonly #waiting: Waiting[] = [];
  /** Of the appends that wait and of those that are being written. */
  #bytes = 0;
  #waitingBytes = 0;
  readonly #roomWaiters = new Set<PromiseWithResolvers<void>>();

  constructor(clock: Clock, bytesMax = queueBytesMaxDefault) {
    this.#clock = clock;
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a whole batch can be taken: nothing is gained by waiting for more. */
  get hasBatch(): boolean {
    return this.#waitingBytes >= batchBytesMax;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  get isFull(): boolean {
    return this.#bytes >= this.#bytesMax;
  }

  /** Resolves when the records were written. */
  push(records: readonly WalRecord[], undo: () => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const bytes = recordsBytes(records);
    this.#bytes += bytes;
    this.#waitingBytes += bytes;
    this.#waiting.push({ records, bytes, resolve, reject, undo });
    return promise;
  }

  fullError(): WalFullError {
    return new WalFullError(this.#bytes);
  }

  /** Resolves when there is room; rejects with `wal.full` when there is none for long. */
  async room(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.isFull) return;
    const waiter = Promise.withResolvers<void>();
    const over = new AbortController();
    const tooLong = async (): Promise<void> => {
      await this.#clock.sleep(roomWaitMsMax, AbortSignal.any([signal, over.signal]));
      throw this.fullError();
    };
    this.#roomWaiters.add(waiter);
    try {
      await Promise.race([waiter.promise, tooLong()]);
    } finally {
      this.#roomWaiters.delete(waiter);
      over.abort(new WalFullError(this.#bytes));
    }
  }

  /**
   * The next appends in order, at most a batch's bytes and `bytesMax`, but at least one; undefined
   * without any, and when these are refused.
   */
  take(
    bytesMax: number,
    accepts: (records: readonly WalRecord[]) => boolean = () => true,
  ): WaitingBatch | undefined {
    let [bytes, count, recordCount] = [0, 0, 0];
    for (const next of this.#waiting) {
      const isOver =
        bytes + next.bytes > Math.min(batchBytesMax, bytesMax) ||
        recordCount + next.records.length > batchRecordsMax;
      if (count > 0 && isOver) break;
      bytes += next.bytes;
      recordCount += next.records.length;
      count += 1;
    }
    const records = this.#waiting.slice(0, count).flatMap((each) => each.records);
    if (count === 0 || !accepts(records)) return undefined;
    const taken = this.#waiting.splice(0, count);
    this.#waitingBytes -= bytes;
    return {
      records,
      done: () => {
        this.#leave(bytes);
        for (const each of taken) each.resolve();
      },
      fail: (error) => {
        this.#leave(bytes);
        for (const each of taken) each.reject(error);
      },
      refuse: (error) => {
        const refused = [...taken, ...this.#waiting.splice(0)];
        this.#waitingBytes = 0;
        for (const each of [...refused].reverse()) each.undo();
        for (const each of refused) each.reject(error);
        this.#leave(refused.reduce((sum, each) => sum + each.bytes, 0));
      },
    };
  }

  /** Nothing will be written any more: everybody who waits hears why. */
  fail(error: Error): void {
    for (const waiting of this.#waiting.splice(0)) {
      this.#bytes -= waiting.bytes;
      waiting.reject(error);
    }
    this.#waitingBytes = 0;
    for (const waiter of this.#roomWaiters) waiter.reject(error);
  }

  #leave(bytes: number): void {
    this.#bytes -= bytes;
    if (this.isFull) return;
    for (const waiter of this.#roomWaiters) waiter.resolve();
  }
}
