import type { RaftOptions } from './options.ts';

/**
 * Counts the ticks since a leader was heard (or an election began), and says when the next election is
 * due: after `electionTicks` and as much again at random, so that few elections collide (thesis 3.4). Both are longer by
 * the time that a round of votes takes, as this member has measured it: over slow links a candidate waits for the answers
 * before it stands once more. Guarded invariant: the promise to a leader lasts `electionTicks`, whatever was measured.
 */
const hastenedTicks = { margin: 2, rank: 3 } as const;

/** Of a round of votes, in election times; what takes longer counts as this. */
const roundMax = 4;

export class ElectionTimer {
  readonly #options: Pick<RaftOptions, 'electionTicks' | 'random'>;
  #elapsed = 0;
  #dueAfter = 0;
  #isHastened = false;
  /** Ticks of a round of votes. */
  #round = 0;
  /** A node that starts may have promised a leader not to vote: it keeps the promise (thesis 6.4.1). */
  #mayHavePromised: boolean;

  /** `isNew`: it never answered a leader. */
  constructor(options: Pick<RaftOptions, 'electionTicks' | 'random'>, isNew: boolean) {
    this.#options = options;
    this.#mayHavePromised = !isNew;
    this.restart();
  }

  tick(): void {
    this.#elapsed += 1;
    if (this.#isOver) this.#mayHavePromised = false;
  }

  /** A new random time begins. */
  restart(): void {
    const { random } = this.#options;
    const least = this.quorumTicks;
    this.#elapsed = 0;
    this.#dueAfter = least + Math.floor(random.next() * least);
    this.#isHastened = false;
  }

  /** A leader that no quorum has answered for this time leads no longer. */
  get quorumTicks(): number {
    return this.#options.electionTicks + this.#round;
  }

  /** A quorum has granted what was asked for when the time began. */
  answered(): void {
    this.#measured(Math.floor((this.#round + this.#elapsed) / 2));
  }

  /** The time was too short for a quorum to answer, though it had answered whether it would. */
  unanswered(): void {
    this.#measured(this.#round);
  }

  #measured(least: number): void {
    const most = roundMax * this.#options.electionTicks;
    this.#round = Math.min(most, Math.max(least, this.#elapsed));
  }

  /** The leader was heard: the same time begins once more, unless it was shortened. */
  reset(): void {
    if (this.#isHastened) this.restart();
    else this.#elapsed = 0;
  }

  /**
   * The leader seems dead: the election begins as soon as the promises to it are over for all, in the order of `rank`,
   * so that the members do not collide. A little later, because they did not hear it last at the same moment.
   */
  hasten(rank: number): void {
    const { margin, rank: each } = hastenedTicks;
    const behind = margin + rank * Math.max(each, this.#round);
    this.#dueAfter = Math.min(this.#dueAfter, this.#options.electionTicks + behind);
    this.#isHastened = true;
  }

  get isDue(): boolean {
    return this.#elapsed >= this.#dueAfter;
  }

  get #isOver(): boolean {
    return this.#elapsed >= this.#options.electionTicks;
  }

  /** A leader has been heard so recently that this node must not help to depose it. */
  isSticky(knowsLeader: boolean): boolean {
    return !this.#isOver && (knowsLeader || this.#mayHavePromised);
  }
}
