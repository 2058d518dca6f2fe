/** The UUID of a data directory (never a pod's name or an address). */
export type NodeId = string;

/**
 * Who belongs to a group. While `outgoing` is not empty the configuration is joint: elections and
 * commitment need a majority of `voters` and a majority of `outgoing` (thesis 4.3). A server uses the
 * newest configuration of its log, whether it is committed or not.
 */
export interface Configuration {
  readonly voters: readonly NodeId[];
  /** Voters of the configuration that a joint one replaces; else empty. */
  readonly outgoing: readonly NodeId[];
  /** Receive the log and neither vote nor count. */
  readonly learners: readonly NodeId[];
}

/** What an administrator or the placement asks for. */
export interface MembershipTarget {
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
}

export const isJoint = ({ outgoing }: Configuration): boolean => outgoing.length > 0;

export const isVoter = ({ voters, outgoing }: Configuration, id: NodeId): boolean =>
  voters.includes(id) || outgoing.includes(id);

/** Everybody who receives the log, each once. */
export const membersOf = ({ voters, outgoing, learners }: Configuration): readonly NodeId[] => [
  ...new Set([...voters, ...outgoing, ...learners]),
];

const sorted = (ids: readonly NodeId[]): readonly NodeId[] => [...new Set(ids)].sort();

const same = (left: readonly NodeId[], right: readonly NodeId[]): boolean =>
  left.length === right.length && left.every((id, position) => id === right[position]);

/** Refused: without a voter the group could never be changed again. */
export const isValid = ({ voters, outgoing, learners }: Configuration): boolean =>
  voters.length > 0 &&
  learners.every((id) => !voters.includes(id)) &&
  [voters, outgoing, learners].every((ids) => new Set(ids).size === ids.length);

/** Both configurations hold the same members in the same parts. */
export const isSame = (left: Configuration, right: Configuration): boolean =>
  same(sorted(left.voters), sorted(right.voters)) &&
  same(sorted(left.outgoing), sorted(right.outgoing)) &&
  same(sorted(left.learners), sorted(right.learners));

/**
 * The first step towards `target`: joint when the voters change, direct when only learners do. A
 * voter that leaves keeps its log in the joint phase through `outgoing`.
 */
export function towards(current: Configuration, target: MembershipTarget): Configuration {
  const voters = sorted(target.voters);
  const learners = sorted(target.learners);
  const outgoing = same(voters, sorted(current.voters)) ? [] : sorted(current.voters);
  return { voters, outgoing, learners };
}

/** The second step: the joint configuration is committed, its old half goes. */
export const leaveJoint = ({ voters, learners }: Configuration): Configuration => ({
  voters,
  outgoing: [],
  learners,
});
