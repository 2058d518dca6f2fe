import type { MetadataCommand } from '../../metadata/command.ts';
import { replicasOf } from '../../metadata/members.ts';
import { shardsOf } from '../../metadata/shards.ts';
import type { MetadataState, TableRecord } from '../../metadata/state.ts';
import { balanceFirst, loadOf, placeShards, replaceShards } from '../../partition/placement.ts';
import type { PlacementLoad } from '../../partition/placement.ts';
import type { PlacementWish, Refusal, ShardPlaces } from '../../query/environment.ts';
import type { ServerName } from '../../query/node-report.ts';
import { tooManyReplicas } from '../../query/terms/placement.ts';
import { candidatesOf, leftOutOf, takesReplicas } from './candidates.ts';
import type { Candidate, ClusterView } from './candidates.ts';
import type { PlacedShards } from './shard-reports.ts';

/** Where the shards of tables are to be: what users see of it, and what they change. */

type Wanted = readonly (readonly string[])[];

const wantedOf = (state: MetadataState, table: TableRecord): Wanted =>
  shardsOf(table).map((shard) => replicasOf(state, shard)?.wanted ?? []);

/** The nodes of all shards, but for those of one table. */
export const placedOn = (state: MetadataState, but?: TableRecord): Wanted =>
  Object.values(state.tables).flatMap((table) => (table === but ? [] : wantedOf(state, table)));

interface Shown {
  readonly members: MetadataState['members'];
  readonly places: readonly ShardPlaces[];
}

/** Records never change. */
const shown = new WeakMap<TableRecord, Shown>();

const serverNamed = ({ members = {} }: Pick<MetadataState, 'members'>, id: string) => ({
  id,
  // One that is no member any more has its identifier alone.
  name: (Object.hasOwn(members, id) ? members[id]?.name : undefined) ?? id,
});

/** Undefined in a cluster without replicas. */
export function placesOf(
  state: MetadataState,
  table: TableRecord,
): readonly ShardPlaces[] | undefined {
  const { members } = state;
  if (members === undefined) return undefined;
  const known = shown.get(table);
  if (known?.members === members) return known.places;
  const places = placesBy(state, wantedOf(state, table));
  shown.set(table, { members, places });
  return places;
}

const byName = (one: ServerName, other: ServerName): number => (one.name < other.name ? -1 : 1);

/** As users see them. */
export const placesBy = (state: MetadataState, wanted: Wanted): readonly ShardPlaces[] =>
  wanted.map((nodes) => ({
    primary: serverNamed(state, nodes[0] ?? ''),
    replicas: nodes.map((id) => serverNamed(state, id)).toSorted(byName),
  }));

/** The command that makes a table, with the nodes of its shards where there are several; or why it cannot be. */
export function creationOf(
  state: MetadataState,
  { wantedReplicas, places, ...table }: NewTable,
  view: ClusterView,
): MetadataCommand | Refusal {
  const nodes = candidatesOf(state, view);
  const { shards } = table;
  const refusal = refusalOf(nodes, shards, {
    replicas: wantedReplicas,
    places,
  });
  if (refusal !== undefined) return refusal;
  const open = nodes.filter(takesReplicas).length;
  const replicas = wantedReplicas ?? Math.min(defaultReplicas, open);
  const placed = places ?? placeShards(nodes, { shards, replicas }, loadOf(placedOn(state)));
  const growsReplicas = wantedReplicas === undefined && places === undefined;
  return {
    type: 'createTable',
    format: 3,
    table: { ...table, replicas, growsReplicas },
    replicas: placed,
  };
}

type NewTable = Extract<MetadataCommand, { readonly type: 'createTable' }>['table'] &
  Pick<PlacementWish, 'places'> & {
    readonly wantedReplicas?: number | undefined;
  };

export const defaultReplicas = 3;

export interface Planned {
  readonly type: 'planned';
  readonly wanted: Wanted;
  readonly growsReplicas: boolean;
  /** Whether it is so already. */
  readonly isSame: boolean;
}

/** Where the shards of a table would be. */
export function plannedPlaces(
  state: MetadataState,
  table: TableRecord,
  wish: PlacementWish,
  view: ClusterView,
): Planned | Refusal {
  const nodes = candidatesOf(state, view);
  const current = wantedOf(state, table);
  const shards = wish.shards ?? current.length;
  const refusal = refusalOf(nodes, shards, { ...wish, current });
  if (refusal !== undefined) return refusal;
  const load = loadOf(placedOn(state, table));
  const wanted = wish.places ?? chosen(current, { ...wish, shards }, { nodes, load });
  const growsReplicas =
    table.growsReplicas === true && wish.replicas === undefined && wish.places === undefined;
  const isSame =
    growsReplicas === (table.growsReplicas === true) &&
    JSON.stringify(wanted) === JSON.stringify(current);
  return { type: 'planned', wanted, growsReplicas, isSame };
}

interface Choice {
  readonly nodes: readonly Candidate[];
  readonly load: PlacementLoad;
}

function chosen(
  current: Wanted,
  { shards, replicas, isBalanced }: PlacementWish & { readonly shards: number },
  { nodes, load }: Choice,
): Wanted {
  const most = Math.max(...current.map(({ length }) => length));
  if (shards !== current.length)
    return placeShards(nodes, { shards, replicas: replicas ?? most }, load);
  if (replicas !== undefined) return replaceShards(current, nodes, replicas, load);
  return isBalanced === true ? balanceFirst(current, load, nodes) : current;
}

const unplaced = (message: string): Refusal => ({ type: 'refused', message });

interface Placing extends Pick<PlacementWish, 'replicas' | 'places'> {
  readonly current?: Wanted;
}

function refusalOf(
  nodes: readonly Candidate[],
  shards: number,
  { replicas, places, current = [] }: Placing,
): Refusal | undefined {
  const open = nodes.filter(takesReplicas).length;
  if (replicas !== undefined && replicas > open)
    return unplaced(`${tooManyReplicas(replicas, open)}${leftOutOf(nodes)}`);
  if (places === undefined) return undefined;
  if (places.length !== shards)
    return unplaced(`The table has ${shards} shards, and there are places for ${places.length}.`);
  const other = places.flat().find((id) => !nodes.some((node) => node.id === id));
  if (other !== undefined) return unplaced(`There is no server with UUID \`${other}\`.`);
  const isNew = (id: string): boolean =>
    places.some((ids, at) => ids.includes(id) && current[at]?.includes(id) !== true);
  const closed = nodes.find((node) => !takesReplicas(node) && isNew(node.id));
  return closed === undefined
    ? undefined
    : unplaced(
        `Can't put new replicas on server \`${closed.name}\` because it is ${closed.refusal}.`,
      );
}

/** Of all tables; none in a cluster without replicas. */
export const placedShards = ({ state }: { readonly state: MetadataState }): PlacedShards[] =>
  Object.values(state.tables).flatMap((table) => {
    const places = placesOf(state, table);
    const voters = shardsOf(table).map((shard) => replicasOf(state, shard)?.voters ?? []);
    return places === undefined ? [] : [{ id: table.id, places, voters }];
  });
