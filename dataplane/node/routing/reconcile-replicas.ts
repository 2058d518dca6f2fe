import type { Database } from '../../database/database.ts';
import type { MetadataCommand } from '../../metadata/command.ts';
import { isGivenUp } from '../../metadata/given-up.ts';
import { replicasOf } from '../../metadata/members.ts';
import { placementOf, shardsOf } from '../../metadata/shards.ts';
import type { TableRecord } from '../../metadata/state.ts';
import { grownReplicas, loadOf, metadataVoters } from '../../partition/placement.ts';
import type { Configuration, ReplicatedGroup } from '../../replication/replicated-group.ts';
import { goneMembers, isUnwell, isWithoutReplicas } from './gone-members.ts';
import type { ReplicaMember } from './gone-members.ts';
import { candidatesOf, takesReplicas } from './candidates.ts';
import type { Candidate } from './candidates.ts';
import { defaultReplicas, placedOn } from './table-places.ts';

/**
 * Brings members and replicas to what they are to be, a step at a time: level-triggered, and safe to repeat. The leader
 * of the metadata adds members and places shards; the leader of each shard changes the members of its group.
 */
export interface ReconcileParts {
  readonly node: string;
  readonly database: Database;
  readonly members: () => readonly ReplicaMember[];
  /** Whether an order says that a node never comes back. */
  readonly isRemoved: (id: string) => boolean;
  readonly change: (command: MetadataCommand) => Promise<unknown>;
}

export async function reconcile(parts: ReconcileParts): Promise<void> {
  const { database } = parts;
  const metadata = database.metadataReplicas;
  if (metadata !== undefined && metadata.refusal === undefined) {
    await addMembers(parts);
    const gone = goneMembers(database.state, parts.members(), parts.isRemoved);
    const staying = stayingMembers(parts, gone);
    growGroup(metadata, metadataTarget(metadata, staying));
    for (const table of Object.values(database.state.tables))
      await placeTable(parts, table, { gone, staying });
    await removeMembers(parts, metadata, gone);
  }
  const members = parts.members();
  for (const table of Object.values(database.state.tables)) await tendShards(parts, table, members);
}

/** Those that may have replicas, and are expected back when they are away. */
const stayingMembers = (
  { database, members, isRemoved }: ReconcileParts,
  gone: ReadonlySet<string>,
): readonly Candidate[] =>
  candidatesOf(database.state, { members: members(), isRemoved }).filter(({ id }) => !gone.has(id));

async function addMembers(parts: ReconcileParts): Promise<void> {
  const { database, members, change, isRemoved } = parts;
  for (const { id, name, roles, status } of members()) {
    const known = database.state.members?.[id];
    const isSame = known?.name === name && known.roles.join() === roles.join();
    if (status !== 'alive' || !roles.includes('data') || isSame || isRemoved(id)) continue;
    if (isGivenUp(database.state, id)) continue;
    await change({ type: 'putMember', format: 3, member: { id, name, roles: [...roles] } });
  }
}

interface Target {
  readonly voters: readonly string[];
  readonly learners: readonly string[];
}

/** When nothing is left on them. */
async function removeMembers(
  { database, change }: ReconcileParts,
  { configuration }: ReplicatedGroup,
  gone: ReadonlySet<string>,
): Promise<void> {
  for (const id of gone) {
    if (!isWithoutReplicas(database.state, configuration, id)) continue;
    await change({ type: 'removeMember', format: 3, id });
  }
}

function metadataTarget({ configuration }: ReplicatedGroup, members: readonly Candidate[]): Target {
  const known = membersOf(configuration);
  // A node that is away stays, and does not come in.
  const present = members.filter((member) => takesReplicas(member) || known.includes(member.id));
  const all = present.map(({ id }) => id);
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

interface Nodes {
  readonly gone: ReadonlySet<string>;
  readonly staying: readonly Candidate[];
}

/**
 * Others get the replicas of members that are gone. A table whose user did not say how many replicas it is to have gets
 * more of them while nodes come. A shard that had no other replica stays where it was: nobody else has its documents.
 */
async function placeTable(
  { database, change }: ReconcileParts,
  table: TableRecord,
  { gone, staying }: Nodes,
): Promise<void> {
  const { state } = database;
  const grows = table.growsReplicas === true;
  const least = grows ? Math.min(defaultReplicas, staying.length) : 0;
  for (const shard of shardsOf(table)) {
    const wanted = replicasOf(state, shard)?.wanted ?? [];
    const kept = wanted.filter((id) => !gone.has(id));
    const isShort = kept.length < least || kept.length < wanted.length;
    if (kept.length === 0 || !isShort) continue;
    // It takes all tables together: only for those that need it.
    const load = loadOf(placedOn(state));
    const target = grows ? defaultReplicas : table.replicas;
    const placed = grownReplicas(kept, staying, target, load);
    if (isSameSet(placed, wanted)) continue;
    const { group } = shard;
    await change({ type: 'placeShard', format: 3, tableId: table.id, group, wanted: placed });
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
  { node, database, change }: ReconcileParts,
  table: TableRecord,
  members: readonly ReplicaMember[],
): Promise<void> {
  const isUp = (id: string): boolean =>
    members.some(
      (member) =>
        member.id === id && member.status === 'alive' && !member.isSelf && !isUnwell(member),
    );
  for (const shard of shardsOf(table)) {
    const { group } = shard;
    const replicas = database.replica(group)?.replicas;
    const known = replicasOf(database.state, shard);
    if (replicas?.leader.isHere !== true || replicas.refusal !== undefined) continue;
    if (known === undefined) continue;
    const { wanted } = known;
    const isLeaving = !wanted.includes(node);
    // A leader that is to go stays until another one leads, so that nobody waits for an election.
    growGroup(replicas, {
      voters: isLeaving ? [...wanted, node] : wanted,
      learners: [],
    });
    const [first] = isLeaving ? wanted.filter(isUp) : wanted;
    if (first !== undefined && isUp(first)) lead(replicas, first);
    const { voters, outgoing, learners } = replicas.configuration;
    const isReported =
      outgoing.length > 0 ||
      (isSameSet(voters, known.voters) &&
        isSameSet(learners, known.learners) &&
        known.leaving === undefined);
    if (isReported) continue;
    await change({
      type: 'shardMembers',
      format: 3,
      tableId: table.id,
      group,
      epoch: placementOf(table).epoch,
      voters: [...voters],
      learners: [...learners],
    });
  }
}
