import type { Configuration, NodeId } from './configuration.ts';
import type { RaftOptions } from './options.ts';
import type { VoteRequest } from './message.ts';
import { hasMajority } from './quorum.ts';

/** Times without a leader, in shortest election timeouts. */
export const withheldTimeouts = { vote: 4, candidature: 8 } as const;

type Options = Pick<RaftOptions, 'id' | 'electionTicks' | 'isQuarantined' | 'isUnfit'>;

/**
 * Keeps quarantined members out of elections as long as the group can do without them. A quarantined voter does not
 * stand for election and grants no vote, and nobody votes for it, while the group has a leader and for a time
 * afterwards, in which the other voters elect one. Without a majority of other voters, or when that time is over, the
 * rules of Raft apply alone: a quarantine costs a group time, and never its quorum. It only withholds votes, so that
 * it is safe whatever the members believe.
 */
export class Restraint {
  readonly #options: Options;
  #ticks = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  tick(): void {
    this.#ticks += 1;
  }

  /** The group has a leader. */
  reset(): void {
    this.#ticks = 0;
  }

  mayStand(configuration: Configuration): boolean {
    const { id, electionTicks, isUnfit } = this.#options;
    const isPatient = this.#ticks < withheldTimeouts.candidature * electionTicks;
    const hasOthers = configuration.voters.some((voter) => voter !== id);
    if (isPatient && hasOthers && isUnfit?.() === true) return false;
    return !this.#isHeld(configuration, id, withheldTimeouts.candidature);
  }

  mayVoteFor({ from, isTransfer }: VoteRequest, configuration: Configuration): boolean {
    // The leader has chosen.
    if (isTransfer) return true;
    const { vote, candidature } = withheldTimeouts;
    const { id } = this.#options;
    const isHeld =
      this.#isHeld(configuration, id, vote) || this.#isHeld(configuration, from, candidature);
    return !isHeld;
  }

  #isHeld(configuration: Configuration, id: NodeId, timeouts: number): boolean {
    const { electionTicks, isQuarantined } = this.#options;
    if (isQuarantined?.(id) !== true || this.#ticks >= timeouts * electionTicks) return false;
    return hasMajority(configuration, (voter) => !isQuarantined(voter));
  }
}
