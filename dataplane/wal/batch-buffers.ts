/** Below it a batch is simply allocated: Node's pool makes that cheap. */
const reusedBytesMin = 65_536;
/** Above it nothing is kept: one very large append must not hold memory until the log is idle. */
const reusedBytesMax = 8 * 1_048_576;

/**
 * Memory for the batches of a busy log: two buffers, since one batch is encoded while the one before
 * is being written. Whoever takes one has given up the one before the last.
 */
export class BatchBuffers {
  #last: Buffer | undefined;
  #beforeLast: Buffer | undefined;

  take(bytes: number): Buffer {
    if (bytes < reusedBytesMin || bytes > reusedBytesMax) return Buffer.allocUnsafe(bytes);
    const free = this.#beforeLast;
    const isLargeEnough = free !== undefined && free.byteLength >= bytes;
    const buffer = isLargeEnough ? free : Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(bytes)));
    this.#beforeLast = this.#last;
    this.#last = buffer;
    return buffer.subarray(0, bytes);
  }

  /** For when the log is idle: the memory is not kept for a load that may not come again. */
  forget(): void {
    this.#last = undefined;
    this.#beforeLast = undefined;
  }
}
