import { assert } from '../common/assert.ts';
import type { Prng } from '../common/prng.ts';
import type { Member } from './member.ts';
import type { StateSigner } from './state-signer.ts';

/** How a node takes part. Times are in ticks of the driver of the machine. */
export interface GossipOptions {
  readonly id: string;
  readonly address: string;
  /** Above every incarnation that this node has used before. */
  readonly incarnation: number;
  /** One member is probed in each period. */
  readonly probePeriodTicks: number;
  /** How long a direct probe may take before others are asked. */
  readonly probeTimeoutTicks: number;
  /** How many others probe a silent member. */
  readonly indirectProbes: number;
  /** A suspicion lasts `suspicionFactor * log10(members)` periods at least ... */
  readonly suspicionFactor: number;
  /** ... and so many times as long if no other member confirms it. */
  readonly suspicionMaxFactor: number;
  /** The worst local health; it stretches the periods of a node that is slow itself. */
  readonly awarenessMax: number;
  readonly gossipTicks: number;
  /** How many members get news at a time. */
  readonly gossipFanout: number;
  /** News are sent `retransmitFactor * log10(members + 1)` times. */
  readonly retransmitFactor: number;
  /** Anti-entropy with one member. */
  readonly syncTicks: number;
  /** Bytes of news in one datagram. */
  readonly updateBytesMax: number;
  /** How long a dead or departed member is remembered, so that old news do not bring it back. */
  readonly tombstoneTicks: number;
  /** Members that are known at most; more are not believed. */
  readonly membersMax: number;
  /** Members that this node knows at its start, at most `membersMax`. */
  readonly known?: readonly Member[];
  readonly random: Prng;
  /** Signs what this node says of itself, and verifies what others say of themselves. */
  readonly signer: StateSigner;
}

/** Contradictions that no input can cause: they end the process at its start. */
export function checkOptions(options: GossipOptions): void {
  const { probePeriodTicks, probeTimeoutTicks, suspicionMaxFactor, gossipTicks } = options;
  assert(probeTimeoutTicks > 0, 'a probe takes at least a tick');
  assert(probePeriodTicks > 2 * probeTimeoutTicks, 'indirect probes fit into a period');
  assert(suspicionMaxFactor >= 1, 'a suspicion is not longer with confirmations');
  assert(gossipTicks > 0, 'gossip takes at least a tick');
  assert(options.membersMax > 1, 'a cluster has more than one member');
  assert((options.known?.length ?? 0) < options.membersMax, 'there is room for this node itself');
}

/** Periods, time-outs and fan-outs as hashicorp/memberlist has them for a local network. */
export const localNetwork = {
  probePeriodTicks: 10,
  probeTimeoutTicks: 4,
  indirectProbes: 3,
  suspicionFactor: 4,
  suspicionMaxFactor: 6,
  awarenessMax: 8,
  gossipTicks: 2,
  gossipFanout: 3,
  retransmitFactor: 4,
  syncTicks: 100,
  /** With the envelope and the seal it fits into one packet. */
  updateBytesMax: 1_000,
  /** An hour. */
  tombstoneTicks: 36_000,
  membersMax: 4_096,
} as const satisfies Partial<GossipOptions>;
