import type { Clock } from '../../common/clock.ts';
import type { ReplicatedGroup } from '../../replication/replicated-group.ts';
import { isUnwell } from './gone-members.ts';
import type { ReplicaMember } from './gone-members.ts';

/** Gives leadership away: before a node stops, and while it drains or is quarantined. */
export interface HandOverParts {
  readonly node: string;
  readonly groups: () => readonly LedGroup[];
  readonly members: () => readonly Candidate[];
}

export type LedGroup = Pick<
  ReplicatedGroup,
  'refusal' | 'configuration' | 'matches' | 'transferLeadership'
>;
export type Candidate = Pick<ReplicaMember, 'id' | 'status' | 'isDraining' | 'ailment'>;

const turnsMax = 30;
const turnMs = 100;

/** Voters that may lead instead of this node; the one with most of the log first. */
function successor(
  { configuration, matches }: LedGroup,
  { node, members }: HandOverParts,
): string | undefined {
  const able = new Set(
    members()
      .filter((member) => member.status === 'alive' && !isUnwell(member))
      .map(({ id }) => id),
  );
  const [first] = configuration.voters
    .filter((id) => id !== node && able.has(id))
    .toSorted((one, other) => (matches.get(other) ?? 0) - (matches.get(one) ?? 0));
  return first;
}

/** Begins the hand-over of each group that another node can lead; answers how many there were. */
export function beginHandOver(parts: HandOverParts): number {
  let count = 0;
  for (const group of parts.groups()) {
    if (group.refusal !== undefined) continue;
    const to = successor(group, parts);
    if (to === undefined) continue;
    count += 1;
    group.transferLeadership(to);
  }
  return count;
}

/** Until this node leads nothing that another one can lead, as far as that is possible in a bounded time. */
export async function handOver(
  parts: HandOverParts,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
): Promise<void> {
  for (let turn = 0; turn < turnsMax && beginHandOver(parts) > 0; turn += 1) {
    await clock.sleep(turnMs, signal);
  }
}
