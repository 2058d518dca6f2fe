import type { RaftOptions } from './options.ts';

/**
 * Counts the ticks since a leader was heard (or an election began), and says when the next election is
 * due: after `electionTicks` and as much again at random, so that few elections collide (thesis 3.4).
 */
const hastenedTicks = { margin: 2, rank: 3 } as const;

export class ElectionTimer {
  readonly #options: Pick<RaftOptions, 'electionTicks' | 'random'>;
  #elapsed = 0;
  #dueAfter = 0;
  #isHastened = false;
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
    const { electionTicks, random } = this.#options;
    this.#elapsed = 0;
    this.#dueAfter = electionTicks + Math.floor(random.next() * electionTicks);
    this.#isHastened = false;
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
    this.#dueAfter = Math.min(this.#dueAfter, this.#options.electionTicks + margin + rank * each);
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
