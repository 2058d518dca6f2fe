import { evenSlots } from '../partition/hash-slots.ts';
import type {
  Garbage,
  IndexPart,
  IndexRecord,
  MetadataState,
  Placement,
  ShardRecord,
  ShardReplicas,
  TableRecord,
} from './state.ts';

const none: readonly string[] = [];

/** The replicas of a new group. */
export const foundedBy = (founders: readonly string[]): ShardReplicas => ({
  founders,
  voters: founders,
  learners: none,
  wanted: founders,
});

/** Nodes that have, may have, or are to have a replica. */
export const holdersOf = ({ voters, learners, wanted, leaving = {} }: ShardReplicas): string[] => [
  ...voters,
  ...learners,
  ...wanted,
  ...Object.keys(leaving),
];

/** Of a table that was made before tables had shards: its group has the number of its keyspace. */
const wholePlacement = (keyspace: number): Placement => ({
  epoch: 0,
  shards: [{ group: keyspace, keyspace, slots: [evenSlots(0, 1)] }],
});

const wholePlacements = new WeakMap<TableRecord, Placement>();

export function placementOf(table: TableRecord): Placement {
  if (table.placement !== undefined) return table.placement;
  const known = wholePlacements.get(table) ?? wholePlacement(table.keyspace);
  wholePlacements.set(table, known);
  return known;
}

export const shardsOf = (table: TableRecord): readonly ShardRecord[] => placementOf(table).shards;

/** The parts of an index, in the order of the table's shards. */
export const partsOf = (
  index: Pick<IndexRecord, 'keyspace' | 'ready' | 'parts'>,
): readonly IndexPart[] => index.parts ?? [{ keyspace: index.keyspace, ready: index.ready }];

export const keyspacesOf = (index: IndexRecord): readonly number[] =>
  partsOf(index).map(({ keyspace }) => keyspace);

/** Rows that come in and belong to no table yet. */
export const importsOf = (
  state: MetadataState,
): readonly { readonly shards: readonly ShardRecord[] }[] => [
  ...(state.imports ?? []).map((keyspace) => wholePlacement(keyspace)),
  ...(state.importing ?? []),
];

/** The groups of the log that a state of the metadata needs, but for its own. */
export const groupsOf = (state: MetadataState): number[] =>
  Object.values(state.tables).flatMap((table) => shardsOf(table).map(({ group }) => group));

type Numbers = Pick<MetadataState, 'nextKeyspace'>;

/** Takes the numbers of new shards. A group never has the number of a keyspace, so that none passes for the other. */
export function drawShards(
  { nextKeyspace }: Numbers,
  count: number,
  /** Founders of each shard; without them nobody is named. */
  founders?: readonly (readonly string[])[],
): Numbers & { readonly shards: readonly [ShardRecord, ...ShardRecord[]] } {
  const shard = (at: number): ShardRecord => {
    const replicas = founders?.[at];
    return {
      keyspace: nextKeyspace + at,
      group: nextKeyspace + count + at,
      slots: [evenSlots(at, count)],
      ...(replicas === undefined ? {} : { replicas: foundedBy(replicas) }),
    };
  };
  const others = Array.from({ length: count - 1 }, (_, at) => shard(at + 1));
  return { shards: [shard(0), ...others], nextKeyspace: nextKeyspace + 2 * count };
}

/** Takes the numbers of an index that is to be built. */
export function drawIndex(
  { nextKeyspace }: Numbers,
  table: TableRecord,
): Numbers & { readonly index: Pick<IndexRecord, 'keyspace' | 'ready' | 'parts'> } {
  const count = shardsOf(table).length;
  const parts = Array.from({ length: count }, (_, at) => ({
    keyspace: nextKeyspace + at,
    ready: false,
  }));
  return {
    index: { keyspace: nextKeyspace, ready: false, ...(count === 1 ? {} : { parts }) },
    nextKeyspace: nextKeyspace + count,
  };
}

/** An index with parts that have changed. */
export function withParts<T extends IndexRecord>(
  index: T,
  change: (part: IndexPart) => IndexPart,
): T {
  const parts = partsOf(index).map(change);
  const keyspace = parts[0]?.keyspace ?? index.keyspace;
  const ready = parts.every((part) => part.ready);
  return { ...index, keyspace, ready, ...(index.parts === undefined ? {} : { parts }) };
}

export const garbageOfIndex = (index: IndexRecord): Garbage[] =>
  keyspacesOf(index).map((keyspace) => ({ keyspace, database: 'index' }));

export const garbageOfShards = (shards: readonly ShardRecord[]): Garbage[] =>
  shards.map(({ keyspace, group }) => ({
    keyspace,
    database: 'data',
    ...(group === keyspace ? {} : { group }),
  }));
