import { readAppliedPosition, readMembers } from '../apply/applied-position.ts';
import { isPlacedOn, replicasOf } from '../metadata/members.ts';
import type { MetadataState, ShardRecord, ShardReplicas } from '../metadata/state.ts';
import { metadataGroup } from '../replication/entry-kind.ts';
import type {
  Configuration,
  GroupStart,
  ReplicationSource,
} from '../replication/replicated-group.ts';
import type { DatabaseOptions } from './options.ts';
import type { DatabaseSnapshots } from './snapshots.ts';

/** With whom a node starts its groups. */

/** Of a member that was not there when its group began: the log or a snapshot says who the members are. */
const nobody: Configuration = { voters: [], outgoing: [], learners: [] };

const foundedBy = (voters: readonly string[]): Configuration => ({ ...nobody, voters });

/** Before the metadata has members, the node that founded the cluster has every shard. */
export function isPlacedHere(
  state: MetadataState,
  shard: ShardRecord,
  { node, founders }: Pick<ReplicationSource, 'node' | 'founders'>,
): boolean {
  const isKnown = replicasOf(state, shard) !== undefined;
  return isKnown ? isPlacedOn(state, shard, node) : founders.includes(node);
}

interface MembershipParts {
  readonly options: Pick<DatabaseOptions, 'store' | 'replicate'>;
  readonly snapshots: DatabaseSnapshots;
}

/** Of the group of a shard; nothing for a group without others. */
export function membershipOf(
  state: MetadataState,
  shard: ShardRecord,
  { options: { store, replicate }, snapshots }: MembershipParts,
): { readonly membership?: Omit<GroupStart, 'applied'> } {
  if (replicate === undefined) return {};
  const { group } = shard;
  const stored = store.read((view) => readMembers(view, group));
  const { founders, departed = [] }: Pick<ShardReplicas, 'founders' | 'departed'> =
    replicasOf(state, shard) ?? replicate;
  const first = foundedBy(founders);
  // One that has given its replica away lost what it knew of the group.
  const isFounder = founders.includes(replicate.node) && !departed.includes(replicate.node);
  const own = isFounder ? first : nobody;
  const configuration = stored === undefined ? own : replicate.configurationOf(stored);
  return { membership: { configuration, snapshots: snapshots.of(group, first) } };
}

/** Where the group of a shard continues. */
export function shardStart(
  { state, shard }: { readonly state: MetadataState; readonly shard: ShardRecord },
  parts: MembershipParts,
): GroupStart {
  const applied = parts.options.store.read((view) => readAppliedPosition(view, shard.group));
  return { applied, ...membershipOf(state, shard, parts).membership };
}

/** Where the group of the metadata continues. */
export function metadataStart({
  options: { store, replicate },
  snapshots,
}: MembershipParts): GroupStart {
  const applied = store.read((view) => readAppliedPosition(view, metadataGroup));
  if (replicate === undefined) return { applied };
  const stored = store.read((view) => readMembers(view, metadataGroup));
  const first = foundedBy(replicate.founders);
  const configuration = stored === undefined ? first : replicate.configurationOf(stored);
  return { applied, configuration, snapshots: snapshots.of(metadataGroup, first) };
}
