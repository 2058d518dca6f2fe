import type { Database } from '../../database/database.ts';
import type { MemberView } from '../../membership/member-view.ts';
import type { MetadataCommand } from '../../metadata/command.ts';
import { replicasOf } from '../../metadata/members.ts';
import { shardsOf } from '../../metadata/shards.ts';
import type { MemberRecord, MetadataState, TableRecord } from '../../metadata/state.ts';
import { grownReplicas, loadOf, metadataVoters } from '../../partition/placement.ts';
import type { Configuration, ReplicatedGroup } from '../../replication/replicated-group.ts';

/** What placement needs to know of a node. */
type ReplicaMember = Pick<MemberView, 'id' | 'name' | 'roles' | 'status' | 'isSelf' | 'isDraining'>;

/**
 * Brings members and replicas to what they are to be, a step at a time: level-triggered, and safe to repeat. The leader
 * of the metadata adds members and places shards; the leader of each shard changes the members of its group.
 */
export interface ReconcileParts {
  readonly node: string;
  readonly database: Database;
  readonly members: () => readonly ReplicaMember[];
  readonly change: (command: MetadataCommand) => Promise<unknown>;
}

export const defaultReplicas = 3;

/** Those that may have replicas. */
export const dataMembers = ({ members = {} }: MetadataState): readonly MemberRecord[] =>
  Object.values(members).filter(({ roles }) => roles.includes('data'));

/** The nodes of all shards. */
export const placedOn = (state: MetadataState): readonly (readonly string[])[] =>
  Object.values(state.tables).flatMap((table) =>
    shardsOf(table).map((shard) => replicasOf(state, shard)?.wanted ?? []),
  );

export async function reconcile(parts: ReconcileParts): Promise<void> {
  const { database } = parts;
  const metadata = database.metadataReplicas;
  if (metadata !== undefined && metadata.refusal === undefined) {
    await addMembers(parts);
    growGroup(metadata, metadataTarget(metadata, database.state));
    for (const table of Object.values(database.state.tables)) await growTable(parts, table);
  }
  for (const table of Object.values(database.state.tables)) await tendShards(parts, table);
}

async function addMembers({ database, members, change }: ReconcileParts): Promise<void> {
  for (const { id, name, roles, status } of members()) {
    const known = database.state.members?.[id];
    const isSame = known?.name === name && known.roles.join() === roles.join();
    if (status !== 'alive' || !roles.includes('data') || isSame) continue;
    await change({ type: 'putMember', format: 3, member: { id, name, roles: [...roles] } });
  }
}

interface Target {
  readonly voters: readonly string[];
  readonly learners: readonly string[];
}

function metadataTarget({ configuration }: ReplicatedGroup, state: MetadataState): Target {
  const all = dataMembers(state).map(({ id }) => id);
  const voters = metadataVoters(configuration.voters, all);
  return { voters, learners: all.filter((id) => !voters.includes(id)) };
}

const membersOf = ({ voters, learners }: Configuration): readonly string[] => [
  ...voters,
  ...learners,
];

const isSameSet = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((id) => other.includes(id));

/** New members learn first. What is refused now is asked for again by the next pass. */
function growGroup(group: ReplicatedGroup, target: Target): void {
  const { configuration } = group;
  if (configuration.outgoing.length > 0 || target.voters.length === 0) return;
  const known = membersOf(configuration);
  const missing = membersOf({ ...target, outgoing: [] }).filter((id) => !known.includes(id));
  if (missing.length > 0) {
    const learners = [...configuration.learners, ...missing];
    group.changeMembers({ voters: configuration.voters, learners });
    return;
  }
  const isSame =
    isSameSet(configuration.voters, target.voters) &&
    isSameSet(configuration.learners, target.learners);
  if (!isSame) group.changeMembers(target);
}

/** A table whose user did not say how many replicas it is to have gets more of them while nodes come. */
async function growTable({ database, change }: ReconcileParts, table: TableRecord): Promise<void> {
  if (table.growsReplicas !== true) return;
  const { state } = database;
  const load = loadOf(placedOn(state));
  for (const shard of shardsOf(table)) {
    const wanted = replicasOf(state, shard)?.wanted ?? [];
    const grown = grownReplicas(wanted, dataMembers(state), defaultReplicas, load);
    if (grown.length === wanted.length) continue;
    const { group } = shard;
    await change({ type: 'placeShard', format: 3, tableId: table.id, group, wanted: grown });
  }
}

/** The first replica of a shard leads it, so that each node leads as many; once it has everything. */
function lead(group: ReplicatedGroup, first: string): void {
  const { configuration, matches } = group;
  const last = Math.max(...matches.values());
  const isReady = configuration.voters.includes(first) && matches.get(first) === last;
  if (configuration.outgoing.length === 0 && isReady) group.transferLeadership(first);
}

/** On the leader of each shard. */
async function tendShards(
  { database, change, members }: ReconcileParts,
  table: TableRecord,
): Promise<void> {
  const isUp = (id: string): boolean =>
    members().some(
      (member) =>
        member.id === id && member.status === 'alive' && !member.isSelf && !member.isDraining,
    );
  for (const shard of shardsOf(table)) {
    const { group } = shard;
    const replicas = database.replica(group)?.replicas;
    const known = replicasOf(database.state, shard);
    if (replicas === undefined || replicas.refusal !== undefined || known === undefined) continue;
    growGroup(replicas, { voters: known.wanted, learners: [] });
    const [first] = known.wanted;
    if (first !== undefined && isUp(first)) lead(replicas, first);
    const { voters, outgoing, learners } = replicas.configuration;
    const isReported =
      outgoing.length > 0 ||
      (isSameSet(voters, known.voters) && isSameSet(learners, known.learners));
    if (isReported) continue;
    await change({
      type: 'shardMembers',
      format: 3,
      tableId: table.id,
      group,
      voters: [...voters],
      learners: [...learners],
    });
  }
}
