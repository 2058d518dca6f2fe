import type { ReplicaState, ServerName, ShardReport } from '../../query/node-report.ts';
import type { ShardPlaces } from '../../query/environment.ts';
import { codec, list, text } from '../../membership/messages.ts';
import { shardsOf } from '../../metadata/shards.ts';
import { lagEntriesMax } from './replica-trouble.ts';
import type { GroupView, Replicas } from './replica-trouble.ts';

/**
 * How the replicas of each shard are. Its leader knows who the members are and how far they have come, so each node
 * reports the shards that it leads, and whoever is asked joins the reports of all nodes.
 */
export interface LedShard {
  readonly table: string;
  readonly shard: number;
  readonly members: readonly Member[];
  readonly voters: readonly string[];
  /** Those of before, while the members change. */
  readonly outgoing: readonly string[];
}

interface Member {
  readonly id: string;
  readonly state: 'ready' | 'backfilling';
}

const fields = (properties: object) =>
  ({ type: 'object', required: Object.keys(properties), properties }) as const;
const member = fields({
  id: text(64),
  state: { enum: ['ready', 'backfilling'] },
});
const shard = fields({
  table: text(64),
  shard: { type: 'integer', minimum: 0 },
  members: list(member, 256),
  voters: list(text(64), 256),
  outgoing: list(text(64), 256),
});

export interface LedShards {
  readonly shards: readonly LedShard[];
  /** How far the metadata is: of the node that leads it for certain. */
  readonly metadata?: number | undefined;
}

export const ledShardsCodec = codec<LedShards>(
  'replicas',
  { shards: list(shard, 1_000_000), metadata: { type: 'integer', minimum: 0 } },
  ['metadata'],
);

type Led = Pick<Replicas, 'state'> & {
  replica(group: number): { readonly replicas: LedGroup } | undefined;
};
type LedGroup = GroupView & { readonly refusal: Error | undefined };

/** Of this node. */
export function ledShards(node: string, database: Led): LedShard[] {
  return Object.values(database.state.tables).flatMap((table) =>
    shardsOf(table).flatMap(({ group }, at) => {
      const replicas = database.replica(group)?.replicas;
      if (replicas === undefined || replicas.refusal !== undefined) return [];
      const { voters, outgoing } = replicas.configuration;
      const members = membersOf(node, replicas);
      return [
        { table: table.id, shard: at, members, voters: [...voters], outgoing: [...outgoing] },
      ];
    }),
  );
}

function membersOf(node: string, group: LedGroup): Member[] {
  const { voters, outgoing, learners } = group.configuration;
  const last = group.nextIndex - 1;
  const isBehind = (id: string): boolean =>
    id !== node && last - (group.matches.get(id) ?? 0) > lagEntriesMax;
  const ids = new Set([...voters, ...outgoing, ...learners]);
  return [...ids].map((id) => ({
    id,
    state: learners.includes(id) || isBehind(id) ? 'backfilling' : 'ready',
  }));
}

/** A table as the metadata has it. */
export interface PlacedShards {
  readonly id: string;
  readonly places: readonly ShardPlaces[];
  /** Of each shard, as its leader last said. */
  readonly voters: readonly (readonly string[])[];
}

export interface Reports {
  /** Of each node that answered. */
  readonly led: ReadonlyMap<string, readonly LedShard[]>;
  readonly named: (id: string) => ServerName;
  /** Whether the places are those of now: others may have changed them otherwise, and nothing is certain to be ready. */
  readonly isCurrent: boolean;
}

/** The shards of tables, by the tables' identifiers. */
export function joinReports(
  tables: readonly PlacedShards[],
  { led, named, isCurrent }: Reports,
): ReadonlyMap<string, readonly ShardReport[]> {
  const leaders = new Map<string, { readonly node: string; readonly members: readonly Member[] }>();
  for (const [node, shards] of led)
    for (const each of shards)
      leaders.set(`${each.table} ${each.shard}`, {
        node,
        members: each.members,
      });
  return new Map(
    tables.map(({ id, places, voters }) => [
      id,
      places.map((place, at) =>
        reportOf(place, {
          leader: leaders.get(`${id} ${at}`),
          voters: voters[at] ?? [],
          isUp: (node) => led.has(node),
          named,
          isCurrent,
        }),
      ),
    ]),
  );
}

interface Facts {
  readonly leader: { readonly node: string; readonly members: readonly Member[] } | undefined;
  readonly voters: readonly string[];
  readonly isUp: (node: string) => boolean;
  readonly named: Reports['named'];
  readonly isCurrent: boolean;
}

function reportOf(place: ShardPlaces, facts: Facts): ShardReport {
  const { leader, voters, named } = facts;
  const members = leader === undefined ? voters : leader.members.map(({ id }) => id);
  const ids = new Set([...place.replicas.map(({ id }) => id), ...members]);
  return {
    primary: leader === undefined ? undefined : named(leader.node),
    replicas: [...ids]
      .map((id) => ({ server: named(id), state: stateOf(id, place, facts) }))
      .toSorted((one, other) => (one.server.name < other.server.name ? -1 : 1)),
  };
}

function stateOf(id: string, place: ShardPlaces, facts: Facts): ReplicaState {
  const { leader, voters, isUp, isCurrent } = facts;
  if (!isUp(id)) return 'disconnected';
  if (leader === undefined)
    return voters.filter(isUp).length * 2 > voters.length
      ? 'waiting_for_primary'
      : 'waiting_for_quorum';
  const isWanted = place.replicas.some((server) => server.id === id);
  const known = leader.members.find((each) => each.id === id)?.state;
  if (!isWanted || known === undefined) return 'transitioning';
  return isCurrent || known !== 'ready' ? known : 'transitioning';
}
