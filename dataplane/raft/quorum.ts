import type { Configuration, NodeId } from './configuration.ts';

/** Majorities of one configuration or of both halves of a joint one (thesis 4.3). */

export type VoteOutcome = 'won' | 'lost' | 'pending';

const majority = (voters: readonly NodeId[]): number => Math.floor(voters.length / 2) + 1;

/** The greatest value that a majority of `voters` has reached. */
function reachedBy(voters: readonly NodeId[], of: (id: NodeId) => number): number {
  const values = voters.map(of).sort((left, right) => right - left);
  return values[majority(voters) - 1] ?? 0;
}

/** The greatest value (an index, a heartbeat round) that every needed majority has reached. */
export function quorumValue(
  { voters, outgoing }: Configuration,
  of: (id: NodeId) => number,
): number {
  const value = reachedBy(voters, of);
  return outgoing.length === 0 ? value : Math.min(value, reachedBy(outgoing, of));
}

function outcomeOf(voters: readonly NodeId[], votes: ReadonlyMap<NodeId, boolean>): VoteOutcome {
  const granted = voters.filter((id) => votes.get(id) === true).length;
  if (granted >= majority(voters)) return 'won';
  const open = voters.filter((id) => !votes.has(id)).length;
  return granted + open >= majority(voters) ? 'pending' : 'lost';
}

/** The state of an election: who has not answered may still decide it. */
export function voteOutcome(
  { voters, outgoing }: Configuration,
  votes: ReadonlyMap<NodeId, boolean>,
): VoteOutcome {
  const incoming = outcomeOf(voters, votes);
  if (outgoing.length === 0) return incoming;
  const other = outcomeOf(outgoing, votes);
  if (incoming === 'lost' || other === 'lost') return 'lost';
  return incoming === 'won' && other === 'won' ? 'won' : 'pending';
}

/** Whether the voters that `has` holds for are every needed majority. */
export function hasMajority(
  { voters, outgoing }: Configuration,
  has: (id: NodeId) => boolean,
): boolean {
  const isEnough = (half: readonly NodeId[]): boolean =>
    half.length === 0 || half.filter(has).length >= majority(half);
  return isEnough(voters) && isEnough(outgoing);
}
