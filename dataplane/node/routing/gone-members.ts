import type { MemberView } from '../../membership/member-view.ts';
import { isPlacedOn } from '../../metadata/members.ts';
import { shardsOf } from '../../metadata/shards.ts';
import type { MetadataState } from '../../metadata/state.ts';
import type { Configuration } from '../../replication/replicated-group.ts';

/** Members that never come back: others get their replicas, and they leave every group and the metadata. */

/** What placement needs to know of a node. */
export type ReplicaMember = Pick<
  MemberView,
  'id' | 'name' | 'roles' | 'status' | 'isSelf' | 'isDraining'
> & { readonly ailment?: string };

/** Whether a node that is there should neither lead nor be chosen first. */
export const isUnwell = ({
  isDraining,
  ailment = '',
}: Pick<ReplicaMember, 'isDraining' | 'ailment'>): boolean => isDraining || ailment !== '';

/**
 * Removed by an order, or replaced: another node has the name, which it gets only when nobody answers under it. A node
 * that is down for a while is no such member.
 */
export function goneMembers(
  { members = {} }: Pick<MetadataState, 'members'>,
  seen: readonly ReplicaMember[],
  isRemoved: (id: string) => boolean,
): ReadonlySet<string> {
  const isReplaced = (id: string, name: string): boolean => {
    const status = seen.find((member) => member.id === id)?.status;
    const mayBeThere = status !== undefined && status !== 'dead' && status !== 'left';
    const hasSuccessor = seen.some(
      (member) =>
        member.id !== id &&
        member.name === name &&
        member.status === 'alive' &&
        member.roles.includes('data'),
    );
    return hasSuccessor && !mayBeThere;
  };
  const gone = Object.values(members).filter(
    ({ id, name }) => isRemoved(id) || isReplaced(id, name),
  );
  return new Set(gone.map(({ id }) => id));
}

/** Whether a member is in no group any more, and may leave the metadata. */
export function isWithoutReplicas(
  state: MetadataState,
  { voters, outgoing, learners }: Configuration,
  id: string,
): boolean {
  if ([...voters, ...outgoing, ...learners].includes(id)) return false;
  const shards = Object.values(state.tables).flatMap(shardsOf);
  return !shards.some((shard) => isPlacedOn(state, shard, id));
}
