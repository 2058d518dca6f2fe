import { applied, refused } from './command.ts';
import type { MetadataCommand, MetadataResult, Refused } from './command.ts';
import { givenUpSentence, isGivenUp } from './given-up.ts';
import { withTable } from './indexes.ts';
import { foundedBy, holdersOf, placementOf, shardsOf } from './shards.ts';
import { qualifiedName } from './state.ts';
import type { MetadataState, ShardRecord, ShardReplicas, TableRecord } from './state.ts';

/** The members of the cluster, and which of them replicate a shard. */
export type MemberCommand = Extract<
  MetadataCommand,
  { readonly type: 'putMember' | 'removeMember' | 'placeShard' | 'shardMembers' }
>;

/** Undefined while the cluster has no members: then the node that has the metadata has all shards. */
export function replicasOf(
  { founder }: Pick<MetadataState, 'founder'>,
  { replicas }: Pick<ShardRecord, 'replicas'>,
): ShardReplicas | undefined {
  return replicas ?? (founder === undefined ? undefined : foundedBy([founder]));
}

/** Whether a node has, or is to have, a replica. */
export function isPlacedOn(
  state: Pick<MetadataState, 'founder'>,
  shard: Pick<ShardRecord, 'replicas'>,
  node: string,
): boolean {
  const replicas = replicasOf(state, shard);
  if (replicas === undefined) return true;
  return holdersOf(replicas).includes(node);
}

/** Whether rows may be on other nodes than the one that is asked. */
export const hasOthers = ({ members = {} }: Pick<MetadataState, 'members'>): boolean =>
  Object.keys(members).length > 1;

/** Of a state whose tables have placements. */
export const formatOf = ({ members }: MetadataState): 2 | 3 => (members === undefined ? 2 : 3);

/** Why shards cannot be placed so, if they cannot. */
export function unknownReplica(
  { members = {} }: MetadataState,
  shards: number,
  replicas: readonly (readonly string[])[] | undefined,
): Refused | undefined {
  if (replicas === undefined) return undefined;
  if (replicas.length !== shards) {
    return refused(`${shards} shards cannot be placed by ${replicas.length} lists of replicas.`);
  }
  const unknown = replicas.flat().find((id) => !Object.hasOwn(members, id));
  return unknown === undefined ? undefined : notMember(unknown);
}

const notMember = (id: string): Refused => refused(`Node ${id} is not a member of the cluster.`);

/** A cluster of one node had one replica of everything, because it had no choice. */
const growingTables = ({ tables }: MetadataState): MetadataState['tables'] =>
  Object.fromEntries(
    Object.entries(tables).map(([id, table]) => [id, { ...table, growsReplicas: true }]),
  );

export function changeMembers(
  state: MetadataState,
  command: Extract<MemberCommand, { readonly type: 'putMember' | 'removeMember' }>,
): MetadataResult {
  const members = state.members ?? {};
  if (command.type === 'putMember') {
    const { member } = command;
    if (isGivenUp(state, member.id)) return refused(givenUpSentence(member.id));
    const founder = state.founder ?? member.id;
    return applied({
      ...state,
      tables: state.founder === undefined ? growingTables(state) : state.tables,
      format: 3,
      founder,
      members: { ...members, [member.id]: member },
    });
  }
  const member = Object.hasOwn(members, command.id) ? members[command.id] : undefined;
  if (member === undefined) return refused('The node is not a member of the cluster.');
  for (const table of Object.values(state.tables)) {
    if (!shardsOf(table).some((shard) => isPlacedOn(state, shard, command.id))) continue;
    return refused(
      `Node \`${member.name}\` has a replica of table \`${qualifiedName(state, table)}\`: move its replicas to other nodes first.`,
    );
  }
  const others = Object.entries(members).filter(([id]) => id !== command.id);
  return applied({ ...state, members: Object.fromEntries(others) });
}

/** Whoever serves a shard has its map by the epoch, so each change of it raises that. */
export function changePlacement(
  state: MetadataState,
  table: TableRecord,
  command: Extract<MemberCommand, { readonly type: 'placeShard' | 'shardMembers' }>,
): MetadataResult {
  const { epoch, shards } = placementOf(table);
  const shard = shards.find(({ group }) => group === command.group);
  const before = shard === undefined ? undefined : replicasOf(state, shard);
  if (shard === undefined || before === undefined) return refused('The shard was dropped.');
  const unknown = nodesOf(command).find((id) => !Object.hasOwn(state.members ?? {}, id));
  if (unknown !== undefined) return notMember(unknown);
  const next =
    command.type === 'placeShard'
      ? wantedBy(before, command.wanted, epoch + 1)
      : reportedBy(before, command);
  const replicas = withDeparted(next);
  const placed = shards.map((each) => (each === shard ? { ...shard, replicas } : each));
  const placement = { epoch: epoch + 1, shards: placed };
  return applied(withTable({ ...state, format: 3 }, { ...table, placement }));
}

/** A node that is not wanted any more may be a member by now, which nobody has reported. */
function wantedBy(before: ShardReplicas, wanted: readonly string[], epoch: number): ShardReplicas {
  const dropped = before.wanted.map((id) => [id, epoch] as const);
  const leaving = { ...before.leaving, ...Object.fromEntries(dropped) };
  return withLeaving({ ...before, wanted }, leaving);
}

/** What the leader reports without knowing that a node is to leave says nothing of that node. */
function reportedBy(
  before: ShardReplicas,
  { voters, learners, epoch = 0 }: Extract<MemberCommand, { readonly type: 'shardMembers' }>,
): ShardReplicas {
  const left = Object.entries(before.leaving ?? {}).filter(([, since]) => since > epoch);
  return withLeaving({ ...before, voters, learners }, Object.fromEntries(left));
}

function withLeaving(
  { leaving: _before, ...replicas }: ShardReplicas,
  all: Readonly<Record<string, number>>,
): ShardReplicas {
  const left = Object.entries(all).filter(([id]) => !replicas.wanted.includes(id));
  return left.length === 0 ? replicas : { ...replicas, leaving: Object.fromEntries(left) };
}

function withDeparted(replicas: ShardReplicas): ShardReplicas {
  const { founders, departed = [] } = replicas;
  const here = new Set(holdersOf(replicas));
  const gone = founders.filter((id) => departed.includes(id) || !here.has(id));
  return gone.length === 0 ? replicas : { ...replicas, departed: gone };
}

export function placeTable(
  state: MetadataState,
  table: TableRecord,
  { wanted, growsReplicas }: Extract<MetadataCommand, { readonly type: 'placeTable' }>,
): MetadataResult {
  const { epoch, shards } = placementOf(table);
  const unknown = unknownReplica(state, shards.length, wanted);
  if (unknown !== undefined) return unknown;
  const placed: ShardRecord[] = [];
  for (const [at, shard] of shards.entries()) {
    const before = replicasOf(state, shard);
    if (before === undefined) return refused('The cluster has no members yet.');
    const replicas = withDeparted(wantedBy(before, wanted[at] ?? before.wanted, epoch + 1));
    placed.push({ ...shard, replicas });
  }
  const placement = { epoch: epoch + 1, shards: placed };
  const replicas = Math.max(...wanted.map((nodes) => nodes.length));
  const next = { ...table, placement, replicas, growsReplicas };
  return applied(withTable({ ...state, format: 3 }, next));
}

const nodesOf = (
  command: Extract<MemberCommand, { readonly type: 'placeShard' | 'shardMembers' }>,
): readonly string[] =>
  command.type === 'placeShard' ? command.wanted : [...command.voters, ...command.learners];
