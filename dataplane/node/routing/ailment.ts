import type { Clock } from '../../common/clock.ts';
import type { LogTrouble } from '../../replication/log-pace.ts';

/**
 * Why other nodes should lead what this one leads, although it runs: its disk is full, or its log takes long. The node
 * says so to the others, and gives its leadership away; none is given back while it says so.
 */
export interface AilmentSources {
  /** Of the disk: why a write is refused. */
  readonly refusal: string | undefined;
  /** Of the log. */
  readonly trouble: LogTrouble | undefined;
}

const words = {
  full: 'the disk of its log is full',
  slow: 'the disk of its log takes more than a second for each write',
} as const;

/** It stays for this time after its cause: leadership does not go to and fro. */
const heldMs = 30_000;

/** A log is slow when it was so for this time, and nobody was away meanwhile: a paused process has a slow log, too. */
const slowForMs = 5_000;
const gapMsMax = 2_000;

export class Ailment {
  readonly #clock: Pick<Clock, 'now'>;
  #text = '';
  #seenAt = 0;
  #lookedAt = 0;
  #slowSince: number | undefined;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** The end of a sentence about the node; empty when nothing is wrong. To be called often. */
  look({ refusal, trouble }: AilmentSources): string {
    const now = this.#clock.now();
    const isFull = refusal !== undefined || trouble === 'full';
    const isSlow = this.#isSlow(trouble === 'slow', now);
    const cause = isFull ? 'full' : isSlow ? 'slow' : undefined;
    if (cause !== undefined) [this.#text, this.#seenAt] = [words[cause], now];
    else if (now - this.#seenAt >= heldMs) this.#text = '';
    return this.#text;
  }

  #isSlow(isNow: boolean, now: number): boolean {
    const wasAway = now - this.#lookedAt > gapMsMax;
    this.#lookedAt = now;
    if (!isNow) this.#slowSince = undefined;
    else if (wasAway) this.#slowSince = now;
    else this.#slowSince ??= now;
    return this.#slowSince !== undefined && now - this.#slowSince >= slowForMs;
  }
}
