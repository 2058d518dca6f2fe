/**
 * Refuses writes before the disk is full, so that there is always room to bring what was acknowledged
 * from the log into the store, and for recovery. Reads go on; writes go on by themselves when there is
 * room again.
 */
export interface DiskUsage {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

interface DiskGateOptions {
  usage(): DiskUsage;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Called when writes begin to be refused (`true`) and when they go on (`false`). */
  changed(isFull: boolean, usage: DiskUsage): void;
}

const mebibyte = 1_048_576;
/** What a full overlay may need in the store, and the segments of the log that are being made. */
const reserveBytesMax = 256 * mebibyte;
/** Of a small volume, so that most of it can be used. */
const reserveShare = 1 / 8;
/** How old a look at the disk may be: so much can be written unseen, and the reserve has room for it. */
const lookEveryMs = 100;
/** Writes go on when so much more than the reserve is free: no flicker at the edge. */
const hysteresis = 1.125;

const inMib = (bytes: number): string => `${Math.floor(bytes / mebibyte)} MiB`;

export class DiskGate {
  readonly #options: DiskGateOptions;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #refusal: string | undefined;

  constructor(options: DiskGateOptions) {
    this.#options = options;
  }

  /** Why a write is refused now; undefined while there is room. */
  refusal(): string | undefined {
    const now = this.#options.now();
    if (now - this.#lookedAt < lookEveryMs) return this.#refusal;
    this.#lookedAt = now;
    const usage = this.#options.usage();
    const reserve = Math.min(reserveBytesMax, usage.totalBytes * reserveShare);
    const wasFull = this.#refusal !== undefined;
    const isFull = usage.freeBytes < reserve * (wasFull ? hysteresis : 1);
    this.#refusal = isFull
      ? `The disk of this node is almost full (${inMib(usage.freeBytes)} free, ${inMib(reserve)} are kept in reserve): writes are refused until the volume is enlarged.`
      : undefined;
    if (isFull !== wasFull) this.#options.changed(isFull, usage);
    return this.#refusal;
  }
}
