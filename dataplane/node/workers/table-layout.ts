import type { Database } from '../../database/database.ts';
import { keyspacesOf, placementOf, shardsOf } from '../../metadata/shards.ts';
import { userIndexes } from '../../metadata/state.ts';
import type { TableRecord } from '../../metadata/state.ts';
import { evenSlots, SlotMap } from '../../partition/hash-slots.ts';
import type { SlotRange } from '../../partition/hash-slots.ts';
import type { TableInfo } from '../../query/environment.ts';

/** Where the store has the rows of a table and the entries of its indexes. Plain data. */
export interface TableLayout {
  readonly epoch: number;
  readonly shards: readonly ShardLayout[];
  readonly indexes: readonly { readonly name: string; readonly keyspaces: readonly number[] }[];
}

export interface ShardLayout {
  readonly group: number;
  readonly keyspace: number;
  readonly slots: readonly SlotRange[];
  /** Of what the core publishes of the shard: with another one, this layout holds no more. 0: it is not read directly. */
  readonly version: number;
}

export function layoutOf(
  database: Pick<Database, 'directVersionOf'>,
  table: TableRecord,
  { indexes }: Pick<TableInfo, 'indexes'>,
): TableLayout {
  const { epoch, shards } = placementOf(table);
  const ready = new Set(
    indexes.flatMap((index) => (index.ready && index.failure === undefined ? [index.name] : [])),
  );
  return {
    epoch,
    shards: shards.map(({ group, keyspace, slots }) => {
      return { group, keyspace, slots, version: database.directVersionOf(group) };
    }),
    indexes: userIndexes(table)
      .filter(({ name }) => ready.has(name))
      .map((index) => ({ name: index.name, keyspaces: keyspacesOf(index) })),
  };
}

/** What the catalogue says of a table beside its record, as a text. */
export function besideRecord(
  database: Pick<Database, 'corruption' | 'directVersionOf' | 'indexStates'>,
  table: TableRecord,
  isReadDirectly: boolean,
): string {
  const isDamaged = database.corruption.damagesOf(table).length > 0;
  const versions = isReadDirectly
    ? shardsOf(table).map(({ group }) => database.directVersionOf(group))
    : [];
  const indexes = table.indexes.length === 0 ? [] : database.indexStates(table);
  return `${isDamaged} ${versions.join()} ${indexes.length === 0 ? '' : JSON.stringify(indexes)}`;
}

/** Of a table that nobody reads directly. */
export const nowhere: TableLayout = {
  epoch: 0,
  shards: [{ group: 0, keyspace: 0, slots: [evenSlots(0, 1)], version: 0 }],
  indexes: [],
};

/** A layout, to be looked things up in. */
export class LocatedTable {
  readonly id: string;
  readonly shards: readonly ShardLayout[];
  readonly #map: SlotMap;
  readonly #indexes: ReadonlyMap<string, readonly number[]>;

  constructor(id: string, { epoch, shards, indexes }: TableLayout) {
    this.id = id;
    this.shards = shards;
    this.#map = new SlotMap(
      epoch,
      shards.map(({ slots }) => slots),
    );
    this.#indexes = new Map(indexes.map(({ name, keyspaces }) => [name, keyspaces]));
  }

  /** Of an encoded primary key. */
  shardOf(key: Uint8Array): ShardLayout | undefined {
    return this.shards[this.#map.shardOf(key)];
  }

  /** The keyspaces of an index that can be read, in the order of the shards. */
  index(name: string): readonly number[] | undefined {
    return this.#indexes.get(name);
  }
}
