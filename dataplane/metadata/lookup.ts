import { madeOf, stepTo } from './changes.ts';
import type { TableChanges, Tables } from './changes.ts';
import { shardsOf } from './shards.ts';
import type { DatabaseRecord, MetadataState, ShardRecord, TableRecord } from './state.ts';

/** A shard with its table, and its place among the shards. */
export interface TableShard {
  readonly table: TableRecord;
  readonly shard: ShardRecord;
  readonly at: number;
}

/** Tables by what they are asked for. */
interface TableLookup {
  /** Of rows. */
  readonly byKeyspace: ReadonlyMap<number, TableShard>;
  readonly byGroup: ReadonlyMap<number, TableShard>;
  /** By database, then by name. */
  readonly byName: ReadonlyMap<string, ReadonlyMap<string, TableRecord>>;
}

class Lookup implements TableLookup {
  readonly byKeyspace = new Map<number, TableShard>();
  readonly byGroup = new Map<number, TableShard>();
  readonly byName = new Map<string, Map<string, TableRecord>>();

  put(table: TableRecord): void {
    for (const [at, shard] of shardsOf(table).entries()) {
      this.byKeyspace.set(shard.keyspace, { table, shard, at });
      this.byGroup.set(shard.group, { table, shard, at });
    }
    const names = this.byName.get(table.databaseId) ?? new Map<string, TableRecord>();
    this.byName.set(table.databaseId, names.set(table.name, table));
  }

  remove(table: TableRecord): void {
    for (const { keyspace, group } of shardsOf(table)) {
      this.byKeyspace.delete(keyspace);
      this.byGroup.delete(group);
    }
    const { databaseId, name } = table;
    this.byName.get(databaseId)?.delete(name);
  }

  change({ put, removed }: TableChanges, before: Tables): void {
    for (const table of removed) this.remove(table);
    for (const { id } of put) {
      const known = before[id];
      if (known !== undefined) this.remove(known);
    }
    for (const table of put) this.put(table);
  }
}

/** States are never changed, so a lookup holds for as long as its tables do. */
const lookups = new WeakMap<Tables, Lookup>();

/** The lookup of the tables before moves on with them: a later lookup of the former tables is rebuilt. */
function lookupOf(tables: Tables): TableLookup {
  const known = lookups.get(tables);
  if (known !== undefined) return known;
  const before = madeOf(tables);
  const lookup = before === undefined ? undefined : lookups.get(before);
  const step = before === undefined ? undefined : stepTo(tables, before);
  if (before === undefined || lookup === undefined || step === undefined) return made(tables);
  lookups.delete(before);
  lookup.change(step, before);
  lookups.set(tables, lookup);
  return lookup;
}

function made(tables: Tables): Lookup {
  const lookup = new Lookup();
  for (const table of Object.values(tables)) lookup.put(table);
  lookups.set(tables, lookup);
  return lookup;
}

export function databaseByName(state: MetadataState, name: string): DatabaseRecord | undefined {
  return Object.values(state.databases).find((database) => database.name === name);
}

export function tablesOf(state: MetadataState, databaseId: string): TableRecord[] {
  const tables = lookupOf(state.tables).byName.get(databaseId)?.values() ?? [];
  return [...tables].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** By the keyspace of rows. */
export function shardOfKeyspace(state: MetadataState, keyspace: number): TableShard | undefined {
  return lookupOf(state.tables).byKeyspace.get(keyspace);
}

export function shardOfGroup(state: MetadataState, group: number): TableShard | undefined {
  return lookupOf(state.tables).byGroup.get(group);
}

export function tableByName(
  state: MetadataState,
  databaseId: string,
  name: string,
): TableRecord | undefined {
  return lookupOf(state.tables).byName.get(databaseId)?.get(name);
}
