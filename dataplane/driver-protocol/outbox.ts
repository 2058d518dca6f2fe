import type { Writable } from 'node:stream';

export interface OutboxOptions {
  readonly socket: Writable;
  readonly queuedBytesMax: number;
  readonly sliceBytes: number;
  /** Something waits that the socket did not take at once. */
  readonly waiting: () => void;
  /** Less waits than before. */
  readonly taken: () => void;
}

const nothing = Buffer.alloc(0);

/**
 * Answers on their way to one client. It hands bytes to the socket slice by slice, so that what waits is
 * known, and so is that the client still takes some. Guarded invariant: who asked for room gets it in
 * turn, one for each answer that left, so that a slow client is not owed many batches at once.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #waiters: { readonly bytes: number; readonly wake: () => void }[] = [];
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  /** For answers that are being made. */
  #reservedBytes = 0;
  #takenBytes = 0;
  /** The socket has a slice that the system did not take at once. */
  #isWriting = false;
  /** Somebody makes more answers in this turn, and flushes. */
  #isCorked = false;
  #isFlushDue = false;
  #isEnding = false;
  #closed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  get isFull(): boolean {
    return this.#queuedBytes >= this.#options.queuedBytesMax;
  }

  /** Answers of one turn leave together: one call of the system for all of them. */
  send(bytes: Buffer): void {
    if (this.#closed || this.#isEnding) return;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#isCorked || this.#isFlushDue || this.#isWriting) return;
    this.#isFlushDue = true;
    queueMicrotask(() => {
      this.#isFlushDue = false;
      const wasFull = this.isFull;
      this.#write();
      if (wasFull && !this.isFull) this.#options.taken();
    });
  }

  /** What is sent before `uncork` leaves with it. */
  cork(): void {
    this.#isCorked = true;
  }

  /** The caller that corked handles the rest: `taken` is not called. */
  uncork(): void {
    this.#isCorked = false;
    this.#write();
  }

  /**
   * Room for an answer of so many bytes, which count until `release`; for an answer of unknown size, 0, when
   * anything more may wait. Undefined when there is room at once. Also resolves when the client has disconnected.
   */
  reserve(bytes: number): Promise<void> | undefined {
    if (this.#closed) return undefined;
    if (this.#waiters.length === 0 && this.#fits(bytes)) {
      this.#reservedBytes += bytes;
      return undefined;
    }
    return new Promise<void>((wake) => this.#waiters.push({ bytes, wake }));
  }

  release(bytes: number): void {
    this.#reservedBytes -= bytes;
    this.#wake();
  }

  /** Takes nothing more, and ends the stream behind what waits. */
  end(): void {
    this.#write();
    this.#isEnding = true;
    if (!this.#isWriting) this.#options.socket.end();
  }

  /** Drops everything: the client has disconnected. */
  close(): void {
    this.#closed = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const { wake } of this.#waiters.splice(0)) wake();
  }

  #write(): void {
    const { socket } = this.#options;
    while (!this.#isWriting && this.#queue.length > 0 && !this.#closed) {
      const slice = this.#slice();
      socket.write(slice);
      if (socket.writableLength === 0) this.#took(slice.length);
      else this.#await(slice.length);
    }
  }

  /**
   * Most often the system takes a slice at once, and a callback for each would cost more than the call. The
   * callback of an empty write comes when everything before it was taken.
   */
  #await(bytes: number): void {
    this.#isWriting = true;
    this.#options.socket.write(nothing, (error) => {
      this.#isWriting = false;
      if (this.#closed || (error ?? undefined) !== undefined) return;
      this.#took(bytes);
      this.#write();
      if (this.#isEnding && !this.#isWriting) this.#options.socket.end();
      this.#options.taken();
    });
    this.#options.waiting();
  }

  #took(bytes: number): void {
    this.#queuedBytes -= bytes;
    this.#takenBytes += bytes;
    this.#wake();
  }

  #fits(bytes: number): boolean {
    const used = this.#queuedBytes + this.#reservedBytes;
    return used === 0 || (!this.isFull && used + bytes <= this.#options.queuedBytesMax);
  }

  /** One at a time, so that its answer counts for the next; all that fit when nothing is on its way. */
  #wake(): void {
    do {
      const [next] = this.#waiters;
      if (next === undefined || !this.#fits(next.bytes)) return;
      this.#waiters.shift();
      this.#reservedBytes += next.bytes;
      next.wake();
    } while (this.#queuedBytes === 0);
  }

  /** The next bytes: of a large answer a part, of small ones several. */
  #slice(): Buffer {
    const { sliceBytes } = this.#options;
    const [first] = this.#queue;
    if (first !== undefined && first.length > sliceBytes) {
      this.#queue[0] = first.subarray(sliceBytes);
      return first.subarray(0, sliceBytes);
    }
    let count = 0;
    let bytes = 0;
    for (const { length } of this.#queue) {
      if (bytes + length > sliceBytes) break;
      bytes += length;
      count += 1;
    }
    const taken = this.#queue.splice(0, count);
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken, bytes);
  }
}
