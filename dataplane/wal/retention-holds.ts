import type { Clock } from '../common/clock.ts';
import { RetentionHoldLostError, WalTooManyError } from './errors.ts';
import type { GroupRanges } from './group-index.ts';
import type { HoldOptions, RetentionHold } from './wal.ts';

/** A hold for each follower, feed and archive of a node's groups; more is a leak. */
const holdsMax = 256;

/** What a holder keeps the log from releasing, in one moment. */
export interface Retained {
  readonly ranges: GroupRanges;
  /** Of this segment and all behind it that could be released. */
  readonly bytes: number;
  /** Since when this segment could be released. */
  readonly sinceMs: number;
}

class Hold implements RetentionHold {
  readonly options: HoldOptions;
  readonly #positions: Map<number, number>;
  readonly #onEnd: (hold: Hold) => void;
  #lost: RetentionHoldLostError | undefined;

  constructor(options: HoldOptions, onEnd: (hold: Hold) => void) {
    this.options = options;
    this.#positions = new Map(options.positions);
    this.#onEnd = onEnd;
  }

  get lost(): RetentionHoldLostError | undefined {
    return this.#lost;
  }

  advance(group: number, index: number): void {
    if (this.#lost !== undefined) throw this.#lost;
    const position = this.#positions.get(group);
    if (position === undefined || index > position) this.#positions.set(group, index);
  }

  end(): void {
    this.#onEnd(this);
  }

  needs(ranges: GroupRanges): boolean {
    for (const [group, position] of this.#positions) {
      if ((ranges.get(group)?.last ?? -1) > position) return true;
    }
    return false;
  }

  lose(error: RetentionHoldLostError): void {
    this.#lost = error;
  }
}

/**
 * Who still wants entries that are flushed here already. Guarded invariant: what a holder costs is
 * bounded in bytes and in age; past that the holder loses its hold, never the node its disk.
 */
export class RetentionHolds {
  readonly #clock: Clock;
  readonly #holds = new Set<Hold>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#holds.size;
  }

  now(): number {
    return this.#clock.now();
  }

  add(options: HoldOptions): RetentionHold {
    if (this.#holds.size >= holdsMax) throw new WalTooManyError('holders', holdsMax);
    const hold = new Hold(options, (ended) => this.#holds.delete(ended));
    this.#holds.add(hold);
    return hold;
  }

  /** Whether a retention hold still covers this segment; revokes the holds that exceed their bounds. */
  keep(retained: Retained): boolean {
    let isKept = false;
    for (const hold of this.#holds) {
      if (!hold.needs(retained.ranges)) continue;
      const { name, bytesMax, ageMsMax } = hold.options;
      const ageMs = this.now() - retained.sinceMs;
      if (retained.bytes <= bytesMax && ageMs <= ageMsMax) {
        isKept = true;
        continue;
      }
      hold.lose(
        new RetentionHoldLostError(name, { bytes: retained.bytes, bytesMax, ageMs, ageMsMax }),
      );
      this.#holds.delete(hold);
    }
    return isKept;
  }
}
