import type { Member, NodeId } from './member.ts';

/** Answered in time, answered after others were asked, or not answered. */
export type ProbeOutcome = 'direct' | 'indirect' | 'failed';

/** One probe of one member: direct, then through others, until the end of the period (SWIM, section 3.1). */
export class Probe {
  readonly target: Member;
  readonly sequence: number;
  readonly #timeoutTicks: number;
  #age = 0;
  #asked: number | undefined;
  readonly #refusals = new Set<NodeId>();
  isAnswered = false;

  constructor(target: Member, sequence: number, timeoutTicks: number) {
    this.target = target;
    this.sequence = sequence;
    this.#timeoutTicks = timeoutTicks;
  }

  tick(): void {
    this.#age += 1;
  }

  /** Once: the time for a direct answer is over, others are to be asked. */
  get isTimedOut(): boolean {
    return !this.isAnswered && this.#asked === undefined && this.#age >= this.#timeoutTicks;
  }

  askedOthers(count: number): void {
    this.#asked = count;
  }

  /** How it ended, once its time is over. */
  get outcome(): ProbeOutcome {
    if (!this.isAnswered) return 'failed';
    return this.#asked === undefined ? 'direct' : 'indirect';
  }

  answered(): void {
    this.isAnswered = true;
  }

  /** Somebody who was asked says that the target does not answer it either. */
  refused(from: NodeId): void {
    this.#refusals.add(from);
  }

  /**
   * How the local health changes: better with an answer; worse when those who were asked did not even
   * refuse, for then this node seems to be the one that is cut off.
   */
  get healthDelta(): number {
    if (this.isAnswered) return -1;
    const silent = (this.#asked ?? 0) - this.#refusals.size;
    return this.#asked === undefined || this.#asked === 0 ? 1 : Math.max(0, silent);
  }
}
