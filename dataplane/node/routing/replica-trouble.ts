import { replicasOf } from '../../metadata/members.ts';
import { shardsOf } from '../../metadata/shards.ts';
import { qualifiedName } from '../../metadata/state.ts';
import type { MetadataState } from '../../metadata/state.ts';
import type { ReplicatedGroup } from '../../replication/replicated-group.ts';

/**
 * Why the loss of another node could cost availability now: a group without a leader, a replica that is behind, or one
 * that is still to come. Leaders know how far the others are, so each of them reports its own groups.
 */
export interface Replicas {
  readonly state: MetadataState;
  readonly replicatedGroups: readonly GroupView[];
  replica(group: number): { readonly replicas: GroupView } | undefined;
}

export type GroupView = Pick<ReplicatedGroup, 'leader' | 'nextIndex' | 'matches' | 'configuration'>;

/** Entries that a replica may be behind its leader while writes go on. */
export const lagEntriesMax = 4_096;

/** One sentence about the first of them; undefined when there is none. */
export function replicaTrouble(node: string, database: Replicas): string | undefined {
  const leaderless = database.replicatedGroups.filter(({ leader }) => leader.node === undefined);
  if (leaderless.length > 0) {
    return `the leader of ${leaderless.length} of ${database.replicatedGroups.length} groups of replicas is not known`;
  }
  return behind(node, database) ?? incomplete(database);
}

function lagging(node: string, group: GroupView): string | undefined {
  if (!group.leader.isHere) return undefined;
  const last = group.nextIndex - 1;
  return group.configuration.voters.find(
    (id) => id !== node && last - (group.matches.get(id) ?? 0) > lagEntriesMax,
  );
}

function behind(node: string, { replicatedGroups, state }: Replicas): string | undefined {
  for (const group of replicatedGroups) {
    const late = lagging(node, group);
    if (late !== undefined) {
      return `a replica on node ${state.members?.[late]?.name ?? late} catches up with its leader`;
    }
  }
  return undefined;
}

/** Reported by the leader of the shard: the others learn of the end of a change later. */
function incomplete(database: Replicas): string | undefined {
  const { state } = database;
  for (const table of Object.values(state.tables)) {
    for (const shard of shardsOf(table)) {
      const group = database.replica(shard.group)?.replicas;
      if (group?.leader.isHere !== true) continue;
      const wanted = replicasOf(state, shard)?.wanted ?? [];
      const { voters, outgoing } = group.configuration;
      const complete = wanted.filter((id) => voters.includes(id)).length;
      if (outgoing.length > 0 || complete < wanted.length) {
        return `table \`${qualifiedName(state, table)}\` has ${complete} of ${wanted.length} replicas`;
      }
    }
  }
  return undefined;
}
