import { tablesWith } from './changes.ts';
import { applied, refused } from './command.ts';
import type { MetadataResult, Refused } from './command.ts';
import { qualifiedName, userIndexes } from './state.ts';
import type { Garbage, IndexRecord, MetadataState, TableRecord } from './state.ts';

/** Changes of the indexes of a table: those of users, and that over the field of a TTL. */
export function withTable(state: MetadataState, table: TableRecord): MetadataState {
  return { ...state, tables: tablesWith(state.tables, table) };
}

export const garbageOfIndex = ({ keyspace }: Pick<IndexRecord, 'keyspace'>): Garbage => ({
  keyspace,
  database: 'index',
});

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
  const garbage = [...state.garbage, ...old.map(garbageOfIndex)];
  if (field === undefined) return applied(withTable({ ...state, garbage }, { ...table, indexes }));
  const index: IndexRecord = {
    name: field,
    multi: false,
    geo: false,
    definition: JSON.stringify(field),
    keyspace: state.nextKeyspace,
    ready: false,
    system: 'expiry',
  };
  const next = { ...state, garbage, nextKeyspace: state.nextKeyspace + 1 };
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
  const created = { ...index, keyspace: state.nextKeyspace, ready: false };
  return applied(
    withTable(
      { ...state, nextKeyspace: state.nextKeyspace + 1 },
      { ...table, indexes: [...table.indexes, created] },
    ),
  );
}

/** The new entries stand beside the old ones, which go as those of a dropped index. */
export function rebuildIndex(
  state: MetadataState,
  table: TableRecord,
  keyspace: number,
): MetadataResult {
  if (!table.indexes.some((index) => index.keyspace === keyspace)) {
    return refused('The index was dropped.');
  }
  const indexes = table.indexes.map((index) =>
    index.keyspace === keyspace ? { ...index, keyspace: state.nextKeyspace, ready: false } : index,
  );
  const garbage = [...state.garbage, garbageOfIndex({ keyspace })];
  const nextKeyspace = state.nextKeyspace + 1;
  return applied(withTable({ ...state, garbage, nextKeyspace }, { ...table, indexes }));
}

export function dropIndex(state: MetadataState, table: TableRecord, name: string): MetadataResult {
  const index = userIndexes(table).find((each) => each.name === name);
  if (index === undefined) return noIndex(state, table, name);
  const garbage = [...state.garbage, garbageOfIndex(index)];
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
  const garbage = target === undefined ? state.garbage : [...state.garbage, garbageOfIndex(target)];
  const indexes = table.indexes
    .filter((each) => each !== target)
    .map((each) => (each === index ? { ...each, name: to } : each));
  return applied(withTable({ ...state, garbage }, { ...table, indexes }));
}
