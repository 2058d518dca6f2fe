import { statfsSync } from 'node:fs';
import type { Clock } from '../common/clock.ts';
import { NoRoomToCommitError } from './errors.ts';
import type { WriteBuffer } from './write-buffer.ts';

export interface CommitRoomOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  /** On the disk, now. */
  freeBytes(): number;
  /** Inside of the file. */
  reusableBytes(): number;
  /** Called with the missing bytes when a commit starts to wait, and with 0 when it resumes. */
  waiting(missingBytes: number): void;
  /** Ends waiting: what is not committed then is in the log. */
  readonly signal: AbortSignal;
}

const pageBytes = 4_096;
/** Longer values have pages of their own. */
const inlineBytesMax = 2_000;
/** The page of the change, and one for a split or the branch above. */
const pagesPerChange = 2;
/** Roots, branches and the list of free pages. */
const basePages = 64;
const lookEveryMs = 100;
/** Of what is free inside of the file: pages that the last transactions freed cannot be used yet. */
const usableShare = 1 / 2;
/** With so much space, the room is not computed. */
const plentyBytes = 1_024 * 1_048_576;

/** What the commit of these changes may add to the file, at most. */
function commitBytes(buffer: WriteBuffer): number {
  let pages = basePages;
  buffer.replay(
    (_database, _key, value) => {
      const { byteLength } = value;
      pages += pagesPerChange;
      if (byteLength > inlineBytesMax) pages += Math.ceil(byteLength / pageBytes) + 1;
    },
    () => void (pages += pagesPerChange),
  );
  return pages * pageBytes;
}

/** Of the disk of a directory. If it is unknown, commits do not wait: they fail on a full disk. */
export function freeBytesOf(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * Room on the disk for what a commit may write. LMDB cannot say whether a write failed for lack of room
 * or because the medium is at fault, and only the first may be tried again: so a commit waits here
 * before it begins.
 */
export class CommitRoom {
  readonly #options: CommitRoomOptions;

  constructor(options: CommitRoomOptions) {
    this.#options = options;
  }

  /** For commits, now. */
  get bytes(): number {
    const free = this.#options.freeBytes();
    return free >= plentyBytes ? free : free + this.#options.reusableBytes() * usableShare;
  }

  /** Whether a commit should not become larger, when there was so much room before it. */
  isUsedUp(buffer: WriteBuffer, roomBytes: number): boolean {
    return roomBytes < plentyBytes && commitBytes(buffer) > roomBytes / 2;
  }

  /** Resolves when there is room for the changes; rejects with `storage.no_room` when stopped. */
  async wait(buffer: WriteBuffer): Promise<void> {
    const { clock, signal } = this.#options;
    if (this.bytes >= plentyBytes) return;
    const needed = commitBytes(buffer);
    let hasWaited = false;
    for (;;) {
      const missing = needed - this.bytes;
      if (missing <= 0) break;
      if (signal.aborted) throw new NoRoomToCommitError(missing);
      if (!hasWaited) this.#options.waiting(missing);
      hasWaited = true;
      await clock.sleep(lookEveryMs, signal).catch(() => undefined);
    }
    if (hasWaited) this.#options.waiting(0);
  }
}
