/**
 * A leader's lease (thesis 6.4.1): a member that answered a heartbeat round helps no candidate to be elected within
 * `electionMs` of having heard it, and it heard it after it was sent. Until then the leader answers
 * reads without asking. Times are of one monotonic clock of this node, which also runs while the
 * process is stopped; ticks, which do not, are no measure.
 */
export class Lease {
  readonly #lengthMs: number;
  /** When each round was sent that no quorum has answered, oldest first. */
  #sent: { readonly round: number; readonly at: number }[] = [];
  #heldUntil = Number.NEGATIVE_INFINITY;

  /** Two clocks may differ in speed by `driftMax` (0.05 is 5 %). */
  constructor(electionMs: number, driftMax: number) {
    this.#lengthMs = electionMs * (1 - driftMax) * (1 - driftMax);
  }

  /** Called before a round's heartbeats leave the node. */
  sent(round: number, now: number): void {
    this.#sent.push({ round, at: now });
  }

  /** A quorum has answered every round up to `round`. */
  acked(round: number): void {
    const count = this.#sent.findIndex((each) => each.round > round);
    const answered = this.#sent.splice(0, count === -1 ? this.#sent.length : count);
    const newest = answered.at(-1);
    if (newest !== undefined) this.#heldUntil = newest.at + this.#lengthMs;
  }

  isHeld(now: number): boolean {
    return now < this.#heldUntil;
  }

  /** Leadership is lost or handed over. */
  end(): void {
    this.#sent = [];
    this.#heldUntil = Number.NEGATIVE_INFINITY;
  }
}
