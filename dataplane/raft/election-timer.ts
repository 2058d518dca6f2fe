import type { RaftOptions } from './options.ts';

/**
 * Counts the ticks since a leader was heard (or an election began), and says when the next election is
 * due: after `electionTicks` and as much again at random, so that few elections collide (thesis 3.4).
 */
export class ElectionTimer {
  readonly #options: Pick<RaftOptions, 'electionTicks' | 'random'>;
  #elapsed = 0;
  #dueAfter = 0;
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
  }

  /** The leader was heard: the same time begins once more. */
  reset(): void {
    this.#elapsed = 0;
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
