import { Inflights } from './inflights.ts';
import type { InflightLimits } from './inflights.ts';

/**
 * What a leader knows of one member. `probe`: one append at a time until the logs are known to match.
 * `replicate`: appends are pipelined optimistically. `snapshot`: the member waits for a snapshot.
 * `match < next` always holds.
 */
export type ProgressState = 'probe' | 'replicate' | 'snapshot';

export class Progress {
  state: ProgressState = 'probe';
  /** The member's log equals the leader's up to here, durably. */
  match = 0;
  /** The next entry to send. */
  next: number;
  /** In `snapshot`: where the snapshot ends. */
  snapshotIndex = 0;
  /** In `probe`: an append is under way, and its answer decides what comes next. */
  isProbing = false;
  /** Entries for this member are being read from the log on disk. */
  isFetching = false;
  /** It has answered since quorum was last checked. */
  isActive = false;
  /** The newest heartbeat round that it has answered. */
  round = 0;
  readonly inflights: Inflights;
  /** An append that takes longer than a heartbeat: its last entry, and the round from which it counts as lost. */
  #large: { readonly index: number; readonly lostAt: number } | undefined;

  constructor(next: number, limits: InflightLimits) {
    this.next = next;
    this.inflights = new Inflights(limits);
  }

  get isPaused(): boolean {
    switch (this.state) {
      case 'probe':
        return this.isProbing || this.isFetching;
      case 'replicate':
        return this.inflights.isFull || this.isFetching;
      case 'snapshot':
        return true;
    }
  }

  /** An append of more than the usual size has left. */
  sentLarge(index: number, lostAt: number): void {
    this.#large = { index, lostAt: Math.max(lostAt, this.#large?.lostAt ?? 0) };
  }

  /**
   * Whether a large append may still be on its way in this round. Shorter messages overtake it: that the member refuses
   * them, or has not answered, says nothing. To send it again would hold up the first one.
   */
  isUnderWay(round: number): boolean {
    return this.#large !== undefined && round < this.#large.lostAt;
  }

  /** Whether a large append had all its time, and was not answered. */
  isLost(round: number): boolean {
    const { state } = this;
    return state === 'replicate' && this.#large !== undefined && round >= this.#large.lostAt;
  }

  /** The member that refuses this entry has received it: it is not on its way. */
  isLarge(index: number): boolean {
    return this.#large?.index === index;
  }

  becomeProbe(): void {
    this.next = Math.max(this.match, this.state === 'snapshot' ? this.snapshotIndex : 0) + 1;
    this.#reset('probe');
  }

  becomeReplicate(): void {
    this.next = this.match + 1;
    this.#reset('replicate');
  }

  becomeSnapshot(index: number): void {
    this.#reset('snapshot');
    this.snapshotIndex = index;
  }

  #reset(state: ProgressState): void {
    this.state = state;
    this.isProbing = false;
    this.isFetching = false;
    this.snapshotIndex = 0;
    this.#large = undefined;
    this.inflights.reset();
  }

  /** Returns whether it has new information. */
  acknowledge(index: number): boolean {
    const isNews = index > this.match;
    if (isNews) this.match = index;
    if (this.#large !== undefined && index >= this.#large.index) this.#large = undefined;
    if (this.next <= index) this.next = index + 1;
    return isNews;
  }

  /**
   * The member rejected an append behind `rejected` and suggests `hint`. Answers false for a late
   * answer, which says nothing any more.
   */
  reject(rejected: number, hint: number): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.becomeProbe();
      this.next = Math.max(this.match, Math.min(hint, rejected - 1)) + 1;
      return true;
    }
    if (this.next - 1 !== rejected) return false;
    // It had given its replica away and has lost what it had. To count on less is always safe.
    if (rejected <= this.match) this.match = Math.min(this.match, hint);
    this.next = Math.max(this.match, Math.min(rejected - 1, hint)) + 1;
    this.isProbing = false;
    return true;
  }
}
