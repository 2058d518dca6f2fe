/**
 * Linearizable reads that wait for the leader to prove that it still leads: each takes the commit
 * index of its arrival and waits for a heartbeat round that began afterwards (thesis 6.4). One round
 * serves all reads that arrived before it.
 */
interface PendingRead {
  readonly id: number;
  readonly index: number;
  readonly round: number;
}

export class PendingReads {
  /** Arrived before the leader has committed an entry of its own term. */
  #early: number[] = [];
  /** In the order of rounds. */
  #waiting: PendingRead[] = [];
  #newestRound = 0;

  get isEmpty(): boolean {
    return this.#early.length === 0 && this.#waiting.length === 0;
  }

  /** Some read waits for a round that has not been sent. */
  needsRound(sent: number): boolean {
    return this.#newestRound > sent;
  }

  /** `index` is undefined as long as the leader does not know what is committed. */
  add(id: number, index: number | undefined, nextRound: number): void {
    if (index === undefined) this.#early.push(id);
    else {
      this.#waiting.push({ id, index, round: nextRound });
      this.#newestRound = nextRound;
    }
  }

  /** The leader has committed an entry of its term. */
  commitKnown(index: number, nextRound: number): void {
    const early = this.#early;
    this.#early = [];
    for (const id of early) this.add(id, index, nextRound);
  }

  /** A quorum has answered `round`. */
  release(round: number): { readonly id: number; readonly index: number }[] {
    const later = this.#waiting.findIndex((read) => read.round > round);
    const released = this.#waiting.splice(0, later === -1 ? this.#waiting.length : later);
    return released.map(({ id, index }) => ({ id, index }));
  }

  /** Leadership is lost: they cannot be answered here. */
  abandon(): number[] {
    return [...this.#early.splice(0), ...this.#waiting.splice(0).map(({ id }) => id)];
  }
}
