import type { MemberRecord, MetadataState } from '../../metadata/state.ts';
import type { PlacementNode } from '../../partition/placement.ts';
import { isUnwell } from './gone-members.ts';
import type { ReplicaMember } from './gone-members.ts';

/** Which members may get replicas now, as far as this node sees them. */
export interface ClusterView {
  readonly members: readonly Pick<ReplicaMember, 'id' | 'status' | 'isDraining' | 'ailment'>[];
  /** Whether an order says that a node never comes back. */
  isRemoved(id: string): boolean;
}

type Admission = NonNullable<PlacementNode['admits']>;

export interface Candidate extends MemberRecord, PlacementNode {
  readonly admits: Admission;
  /** Why nothing is placed on it; undefined for one that takes replicas. */
  readonly refusal?: string;
}

/** Those that may have replicas at all. */
const dataMembers = ({ members = {} }: MetadataState): readonly MemberRecord[] =>
  Object.values(members).filter(({ roles }) => roles.includes('data'));

/**
 * The members with data. A node that drains, is suspected or has a full or slow disk stays a member, and is chosen last; one that is dead, has
 * left, is quarantined, removed or was never seen keeps what it has, and gets nothing.
 */
export const candidatesOf = (state: MetadataState, view: ClusterView): Candidate[] =>
  dataMembers(state).map((member) => ({ ...member, ...admissionOf(member.id, view) }));

function admissionOf(id: string, view: ClusterView) {
  if (view.isRemoved(id)) return { admits: 'never', refusal: 'removed' } as const;
  const seen = view.members.find((member) => member.id === id);
  const status = seen?.status ?? 'not connected';
  if (seen?.status === 'alive') return { admits: isUnwell(seen) ? 'last' : 'freely' } as const;
  if (status === 'suspect') return { admits: 'last' } as const;
  return { admits: 'never', refusal: status } as const;
}

export const takesReplicas = ({ admits }: Pick<Candidate, 'admits'>): boolean => admits !== 'never';

/** Why there are fewer servers than members. */
export function leftOutOf(candidates: readonly Candidate[]): string {
  const names = candidates.flatMap(({ name, refusal }) =>
    refusal === undefined ? [] : [`\`${name}\` (${refusal})`],
  );
  return names.length === 0 ? '' : ` Not counted: ${names.join(', ')}.`;
}
