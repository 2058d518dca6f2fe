/** Why another node should lead the groups of this one, as far as the log knows. */
export type LogTrouble = 'full' | 'slow';

/** Of one write with its sync. */
const slowMs = 1_000;
/** Between two writes of a busy log. */
const betweenMs = 2_000;

/** Whether the log takes long for a write now. How long that lasts is for others to see: a paused process sees nothing. */
export class LogPace {
  /** When the last write has ended, if it was slow. */
  #slowAt: number | undefined;

  /** A write has ended. */
  ended(beganAt: number, now: number): void {
    this.#slowAt = now - beganAt < slowMs ? undefined : now;
  }

  /** `beganAt`: of the write that is under way. */
  isSlow(beganAt: number | undefined, now: number): boolean {
    const isStuck = beganAt !== undefined && now - beganAt >= slowMs;
    return isStuck || (this.#slowAt !== undefined && now - this.#slowAt < betweenMs);
  }
}
