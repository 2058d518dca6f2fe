import { tablesWith } from './changes.ts';
import { applied, refused } from './command.ts';
import type { MetadataResult, Refused } from './command.ts';
import { drawIndex, garbageOfIndex, keyspacesOf, withParts } from './shards.ts';
import { qualifiedName, userIndexes } from './state.ts';
import type { IndexRecord, MetadataState, TableRecord } from './state.ts';

/** Changes of the indexes of a table: those of users, and that over the field of a TTL. */
export function withTable(state: MetadataState, table: TableRecord): MetadataState {
  return { ...state, tables: tablesWith(state.tables, table) };
}

/** The index over the field comes and goes with it. */
export function setExpireAt(
  state: MetadataState,
  before: TableRecord,
  field: string | undefined,
): MetadataResult {
  if (field === before.expireAt) return applied(withTable(state, before));
  const { expireAt: _before, ...table } = before;
  const indexes = userIndexes(table);
  const old = table.indexes.filter(({ system }) => system !== undefined);
  const garbage = [...state.garbage, ...old.flatMap(garbageOfIndex)];
  if (field === undefined) return applied(withTable({ ...state, garbage }, { ...table, indexes }));
  const drawn = drawIndex(state, table);
  const index: IndexRecord = {
    name: field,
    multi: false,
    geo: false,
    definition: JSON.stringify(field),
    ...drawn.index,
    system: 'expiry',
  };
  const next = { ...state, garbage, nextKeyspace: drawn.nextKeyspace };
  return applied(withTable(next, { ...table, expireAt: field, indexes: [...indexes, index] }));
}

const noIndex = (state: MetadataState, table: TableRecord, name: string): Refused =>
  refused(`Index \`${name}\` does not exist on table \`${qualifiedName(state, table)}\`.`);

const indexExists = (state: MetadataState, table: TableRecord, name: string): Refused =>
  refused(`Index \`${name}\` already exists on table \`${qualifiedName(state, table)}\`.`);

export function createIndex(
  state: MetadataState,
  table: TableRecord,
  index: Omit<IndexRecord, 'keyspace' | 'ready' | 'system'>,
): MetadataResult {
  if (userIndexes(table).some(({ name }) => name === index.name)) {
    return indexExists(state, table, index.name);
  }
  const drawn = drawIndex(state, table);
  const created = { ...index, ...drawn.index };
  return applied(
    withTable(
      { ...state, nextKeyspace: drawn.nextKeyspace },
      { ...table, indexes: [...table.indexes, created] },
    ),
  );
}

/** Of one part. The new entries stand beside the old ones, which go as those of a dropped index. */
export function rebuildIndex(
  state: MetadataState,
  table: TableRecord,
  keyspace: number,
): MetadataResult {
  if (!table.indexes.some((index) => keyspacesOf(index).includes(keyspace))) {
    return refused('The index was dropped.');
  }
  const fresh = { keyspace: state.nextKeyspace, ready: false };
  const indexes = table.indexes.map((index) =>
    keyspacesOf(index).includes(keyspace)
      ? withParts(index, (part) => (part.keyspace === keyspace ? fresh : part))
      : index,
  );
  const garbage = [...state.garbage, { keyspace, database: 'index' } as const];
  const nextKeyspace = state.nextKeyspace + 1;
  return applied(withTable({ ...state, garbage, nextKeyspace }, { ...table, indexes }));
}

export function dropIndex(state: MetadataState, table: TableRecord, name: string): MetadataResult {
  const index = userIndexes(table).find((each) => each.name === name);
  if (index === undefined) return noIndex(state, table, name);
  const garbage = [...state.garbage, ...garbageOfIndex(index)];
  const indexes = table.indexes.filter((each) => each !== index);
  return applied(withTable({ ...state, garbage }, { ...table, indexes }));
}

export function renameIndex(
  state: MetadataState,
  table: TableRecord,
  {
    from,
    to,
    overwrite,
  }: { readonly from: string; readonly to: string; readonly overwrite: boolean },
): MetadataResult {
  const index = userIndexes(table).find((each) => each.name === from);
  const impossible = refused(
    `Index \`${from}\` does not exist or index \`${to}\` already exists on table \`${qualifiedName(state, table)}\`.`,
  );
  if (index === undefined) return overwrite ? noIndex(state, table, from) : impossible;
  if (from === to) return applied(state);
  const target = userIndexes(table).find((each) => each.name === to);
  if (target !== undefined && !overwrite) return impossible;
  const garbage =
    target === undefined ? state.garbage : [...state.garbage, ...garbageOfIndex(target)];
  const indexes = table.indexes
    .filter((each) => each !== target)
    .map((each) => (each === index ? { ...each, name: to } : each));
  return applied(withTable({ ...state, garbage }, { ...table, indexes }));
}

/** All entries of a part are there. */
export function indexReady(
  state: MetadataState,
  table: TableRecord,
  keyspace: number,
): MetadataResult {
  const ready = { keyspace, ready: true };
  const indexes = table.indexes.map((index) =>
    keyspacesOf(index).includes(keyspace)
      ? withParts(index, (part) => (part.keyspace === keyspace ? ready : part))
      : index,
  );
  return applied(withTable(state, { ...table, indexes }));
}
