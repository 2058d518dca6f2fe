import type { Writable } from 'node:stream';

/**
 * Answers on their way to one client. It hands bytes to the socket slice by slice, so that what waits is
 * known, and so is that the client still takes some. Guarded invariant: who asked for room gets it in
 * turn, one for each answer that left, so that a slow client is not owed many batches at once.
 */
export interface OutboxOptions {
  readonly socket: Writable;
  readonly queuedBytesMax: number;
  readonly sliceBytes: number;
  /** Something waits that the socket did not take at once. */
  readonly waiting: () => void;
  /** Less waits than before. */
  readonly taken: () => void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #waiters: { readonly bytes: number; readonly wake: () => void }[] = [];
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  /** For answers that are being made. */
  #reservedBytes = 0;
  #takenBytes = 0;
  #isWriting = false;
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

  send(bytes: Buffer): void {
    if (this.#closed || this.#isEnding) return;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#write();
    if (this.#queuedBytes > 0) this.#options.waiting();
  }

  /**
   * Resolves when there is room for an answer of so many bytes, which count until `release`; for an
   * answer of unknown size, 0, when anything more may wait. Resolves too when nobody is there any more.
   */
  async reserve(bytes: number): Promise<void> {
    if (this.#closed) return;
    if (this.#waiters.length === 0 && this.#fits(bytes)) {
      this.#reservedBytes += bytes;
      return;
    }
    await new Promise<void>((wake) => this.#waiters.push({ bytes, wake }));
  }

  release(bytes: number): void {
    this.#reservedBytes -= bytes;
    this.#wake();
  }

  /** Takes nothing more, and ends the stream behind what waits. */
  end(): void {
    this.#isEnding = true;
    if (!this.#isWriting) this.#options.socket.end();
  }

  /** Forgets everything: nobody is there to read it. */
  close(): void {
    this.#closed = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const { wake } of this.#waiters.splice(0)) wake();
  }

  #write(): void {
    if (this.#isWriting || this.#queue.length === 0) return;
    const slice = this.#slice();
    this.#isWriting = true;
    this.#options.socket.write(slice, (error) => {
      this.#isWriting = false;
      if (this.#closed || (error ?? undefined) !== undefined) return;
      this.#queuedBytes -= slice.length;
      this.#takenBytes += slice.length;
      this.#wake();
      this.#write();
      if (this.#isEnding && !this.#isWriting) this.#options.socket.end();
      this.#options.taken();
    });
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
