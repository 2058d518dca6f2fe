/**
 * Refuses writes before the disk is full, so that there is always room to bring what was acknowledged
 * from the log into the store, and for recovery. Reads continue; deletions continue for longer, because they
 * make room inside of the data file; writes resume automatically when there is space again.
 */
export interface DiskUsage {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** What a write does to the room: a deletion gives some of it back. */
export type WriteKind = 'write' | 'deletion';

interface DiskGateOptions {
  usage(): DiskUsage;
  /** Bytes inside of the data file that writes use before it grows. */
  reusableBytes(): number;
  /** Bytes of the log that the data file will need and has not yet. */
  pendingBytes(): number;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Called when writes start to be refused (`true`) and when they resume (`false`). */
  changed(isFull: boolean, usage: DiskUsage): void;
}

const mebibyte = 1_048_576;
/** What a full memtable may need in the store, and the segments of the log that are being made. */
const reserveBytesMax = 256 * mebibyte;
/** Of a small volume, so that most of it can be used. */
const reserveShare = 1 / 8;
/** How long a reading of the free space is used: the reserve covers what is written meanwhile. */
const lookEveryMs = 100;
/** Writes resume when so much more than the reserve is free: hysteresis. */
const hysteresis = 1.125;
/**
 * Of the reserve: so much must be free on the disk itself, for the log, whatever is free inside of the
 * data file.
 */
const diskShare: Record<WriteKind, number> = { write: 1 / 2, deletion: 1 / 4 };

/** What must stay free on a disk. */
export const reserveBytesOf = ({ totalBytes }: DiskUsage): number =>
  Math.min(reserveBytesMax, totalBytes * reserveShare);

const inMib = (bytes: number): string => `${Math.floor(bytes / mebibyte)} MiB`;

export class DiskGate {
  readonly #options: DiskGateOptions;
  readonly #refusals: Record<WriteKind, string | undefined> = {
    write: undefined,
    deletion: undefined,
  };
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(options: DiskGateOptions) {
    this.#options = options;
  }

  /** Why a write is refused now; undefined while there is room. */
  refusal(kind: WriteKind): string | undefined {
    const now = this.#options.now();
    if (now - this.#lookedAt < lookEveryMs) return this.#refusals[kind];
    this.#lookedAt = now;
    this.#look(this.#options.usage());
    return this.#refusals[kind];
  }

  #look(usage: DiskUsage): void {
    const { freeBytes } = usage;
    const reusableBytes = this.#options.reusableBytes();
    const pendingBytes = this.#options.pendingBytes();
    const reserve = reserveBytesOf(usage);
    const wasFull = this.#refusals.write !== undefined;
    const wanted = reserve * (wasFull ? hysteresis : 1);
    const lacks = (kind: WriteKind): boolean => freeBytes < wanted * diskShare[kind];
    const isFull = freeBytes + reusableBytes - pendingBytes < wanted || lacks('write');
    const figures = `${inMib(freeBytes)} free, ${inMib(reusableBytes)} to be used again in the data file, ${inMib(pendingBytes)} to come into it, ${inMib(reserve)} are kept in reserve`;
    const sentence = `The disk of this node is almost full (${figures}): writes are refused until`;
    this.#refusals.write = isFull
      ? `${sentence} the volume is enlarged or documents are deleted.`
      : undefined;
    this.#refusals.deletion = lacks('deletion')
      ? `${sentence} the volume is enlarged, deletions too.`
      : undefined;
    if (isFull !== wasFull) this.#options.changed(isFull, usage);
  }
}
