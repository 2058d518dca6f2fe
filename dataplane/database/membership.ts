import { readAppliedPosition, readMembers } from '../apply/applied-position.ts';
import { isPlacedOn, replicasOf } from '../metadata/members.ts';
import type { MetadataState, ShardRecord } from '../metadata/state.ts';
import { metadataGroup } from '../replication/entry-kind.ts';
import type {
  Configuration,
  GroupStart,
  ReplicationSource,
} from '../replication/replicated-group.ts';
import type { DatabaseOptions } from './options.ts';

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

/** Of the group of a shard; nothing for a group without others. */
export function membershipOf(
  state: MetadataState,
  shard: ShardRecord,
  { store, replicate }: Pick<DatabaseOptions, 'store' | 'replicate'>,
): { readonly membership?: Omit<GroupStart, 'applied'> } {
  if (replicate === undefined) return {};
  const stored = store.read((view) => readMembers(view, shard.group));
  if (stored !== undefined)
    return { membership: { configuration: replicate.configurationOf(stored) } };
  const { node } = replicate;
  const founders = replicasOf(state, shard)?.founders ?? replicate.founders;
  return { membership: { configuration: founders.includes(node) ? foundedBy(founders) : nobody } };
}

/** Where the group of the metadata continues. */
export function metadataStart({
  store,
  replicate,
}: Pick<DatabaseOptions, 'store' | 'replicate'>): GroupStart {
  const applied = store.read((view) => readAppliedPosition(view, metadataGroup));
  if (replicate === undefined) return { applied };
  const stored = store.read((view) => readMembers(view, metadataGroup));
  const { founders } = replicate;
  const configuration =
    stored === undefined ? foundedBy(founders) : replicate.configurationOf(stored);
  return { applied, configuration };
}
