import { assert } from '../common/assert.ts';
import type { Chance } from '../common/chance.ts';
import type { NodeId } from './configuration.ts';

/** How one member of a group behaves. Times are in ticks of the driver of the machine. */
export interface RaftOptions {
  readonly id: NodeId;
  /** An election begins after this time without a leader, plus as much again at random. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** An idle and complete group stops its heartbeats after this time; undefined: never. */
  readonly quiesceTicks: number | undefined;
  /** Of one append message; an entry that is larger goes alone. */
  readonly appendBytesMax: number;
  /** Appends on their way to one follower, in number and in bytes. */
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
  /** Proposals that are not committed; more are refused as `overloaded`. */
  readonly uncommittedBytesMax: number;
  /** Entries handed over for applying at a time. */
  readonly applyBytesMax: number;
  /** Entries kept in memory for followers that are a little behind. */
  readonly memoryBytesMax: number;
  /** A learner may become a voter when it is at most this many entries behind. */
  readonly promotionLagMax: number;
  readonly random: Pick<Chance, 'next'>;
  /** Members that are to stay out of elections where the others suffice; none without it. */
  readonly isQuarantined?: ((id: NodeId) => boolean) | undefined;
  /** Whether the machine of this member could not lead: it votes, and leaves candidature to the others for a while. */
  readonly isUnfit?: (() => boolean) | undefined;
}

/** Contradictions that no input can cause: they end the process at its start. */
export function checkOptions(options: RaftOptions): void {
  const { electionTicks, heartbeatTicks, inflightMessagesMax } = options;
  assert(heartbeatTicks > 0, 'a heartbeat takes at least a tick');
  assert(electionTicks > 2 * heartbeatTicks, 'an election waits for more than two heartbeats');
  assert(inflightMessagesMax > 0, 'at least one append can be under way');
}
