/**
 * Appends that are on their way to one follower: a first-in first-out list of their last indexes and
 * sizes, bounded in number and in bytes (flow control of pipelined appends, thesis 10.2.1).
 */
export interface InflightLimits {
  readonly messagesMax: number;
  readonly bytesMax: number;
}

export class Inflights {
  readonly #limits: InflightLimits;
  #sent: { readonly index: number; readonly bytes: number }[] = [];
  #bytes = 0;

  constructor(limits: InflightLimits) {
    this.#limits = limits;
  }

  /** One message may always be on its way, however large it is. */
  get isFull(): boolean {
    return this.#sent.length >= this.#limits.messagesMax || this.#bytes >= this.#limits.bytesMax;
  }

  get count(): number {
    return this.#sent.length;
  }

  add(index: number, bytes: number): void {
    this.#sent.push({ index, bytes });
    this.#bytes += bytes;
  }

  /** An answer up to `index` covers every append before it. */
  freeUpTo(index: number): void {
    let freed = 0;
    for (const { index: last, bytes } of this.#sent) {
      if (last > index) break;
      freed += 1;
      this.#bytes -= bytes;
    }
    if (freed > 0) this.#sent = this.#sent.slice(freed);
  }

  /** The oldest append counts as lost: its place serves a new attempt. */
  freeOldest(): void {
    const [oldest] = this.#sent;
    if (oldest !== undefined) this.freeUpTo(oldest.index);
  }

  reset(): void {
    this.#sent = [];
    this.#bytes = 0;
  }
}
