import { unreachable } from '../common/assert.ts';
import { tablesWithout } from './changes.ts';
import { applied, refused } from './command.ts';
import type { MetadataCommand, MetadataResult, TableConfig } from './command.ts';
import { giveUpMembers } from './given-up.ts';
import { changeImports } from './imports.ts';
import {
  createIndex,
  dropIndex,
  indexReady,
  rebuildIndex,
  renameIndex,
  setExpireAt,
  withTable,
} from './indexes.ts';
import { databaseByName, tableByName, tablesOf } from './lookup.ts';
import { changeMembers, changePlacement, formatOf, placeTable, unknownReplica } from './members.ts';
import { reshard } from './reshard.ts';
import { drawShards, garbageOfIndex, garbageOfShards, shardsOf } from './shards.ts';
import { qualifiedName } from './state.ts';
import type { MetadataState, TableRecord } from './state.ts';

const without = <T>(
  record: Readonly<Record<string, T>>,
  keys: ReadonlySet<string>,
): Record<string, T> =>
  Object.fromEntries(Object.entries(record).filter(([key]) => !keys.has(key)));

const garbageOf = (table: TableRecord): MetadataState['garbage'] => [
  ...garbageOfShards(shardsOf(table)),
  ...table.indexes.flatMap(garbageOfIndex),
];

/**
 * The metadata log's state machine. Identifiers come in the command (nothing here is random), numbers
 * of keyspaces are drawn from the state, and what cannot be done is a value with the sentence that
 * the client sees.
 */
export function applyMetadata(state: MetadataState, command: MetadataCommand): MetadataResult {
  if ('tableId' in command) return changeTable(state, command);
  switch (command.type) {
    case 'createDatabase':
      return createDatabase(state, command);
    case 'dropDatabase':
      return dropDatabase(state, command.name);
    case 'renameDatabase':
      return renameDatabase(state, command);
    case 'createTable':
      return createTable(state, command);
    case 'dropTable':
      return dropTable(state, command.id);
    case 'setVerifier':
      return applied({ ...state, users: { ...state.users, [command.user]: command.verifier } });
    case 'cleared':
      return applied({
        ...state,
        garbage: state.garbage.filter(({ keyspace }) => keyspace !== command.keyspace),
      });
    case 'beginImport':
    case 'finishImport':
    case 'abandonImport':
      return changeImports(state, command, createTable);
    case 'putMember':
    case 'removeMember':
      return changeMembers(state, command);
    case 'giveUpMembers':
      return giveUpMembers(state, command.survivor);
    default:
      return unreachable(command);
  }
}

function createDatabase(
  state: MetadataState,
  { id, name }: { readonly id: string; readonly name: string },
): MetadataResult {
  if (databaseByName(state, name) !== undefined) {
    return refused(`Database \`${name}\` already exists.`);
  }
  return applied({ ...state, databases: { ...state.databases, [id]: { id, name } } });
}

function dropDatabase(state: MetadataState, name: string): MetadataResult {
  const database = databaseByName(state, name);
  if (database === undefined) return refused(`Database \`${name}\` does not exist.`);
  const tables = tablesOf(state, database.id);
  return applied({
    ...state,
    databases: without(state.databases, new Set([database.id])),
    tables: tablesWithout(state.tables, new Set(tables.map((table) => table.id))),
    garbage: [...state.garbage, ...tables.flatMap(garbageOf)],
  });
}

function renameDatabase(
  state: MetadataState,
  { id, name }: { readonly id: string; readonly name: string },
): MetadataResult {
  const database = state.databases[id];
  if (database === undefined) return refused('The database was dropped.');
  if (database.name === name) return applied(state);
  if (databaseByName(state, name) !== undefined) {
    return refused(
      `Cannot rename database \`${database.name}\` to \`${name}\` because database \`${name}\` already exists.`,
    );
  }
  return applied({ ...state, databases: { ...state.databases, [id]: { id, name } } });
}

/** Without a format, from releases before tables had shards: one, whose group has the number of its keyspace. */
function createTable(
  state: MetadataState,
  {
    table,
    format,
    replicas,
  }: Omit<Extract<MetadataCommand, { readonly type: 'createTable' }>, 'type'>,
): MetadataResult {
  if (state.databases[table.databaseId] === undefined) return refused('The database was dropped.');
  if (tableByName(state, table.databaseId, table.name) !== undefined) {
    return refused(`Table \`${qualifiedName(state, table)}\` already exists.`);
  }
  const { expireAt, ...plain } = table;
  if (format === undefined) {
    const created = { ...plain, keyspace: state.nextKeyspace, indexes: [] };
    return setExpireAt({ ...state, nextKeyspace: state.nextKeyspace + 1 }, created, expireAt);
  }
  const unknown = unknownReplica(state, table.shards, replicas);
  if (unknown !== undefined) return unknown;
  const { shards, nextKeyspace } = drawShards(state, table.shards, replicas);
  const { keyspace } = shards[0];
  const created = { ...plain, keyspace, placement: { epoch: 1, shards }, indexes: [] };
  return setExpireAt({ ...state, format: formatOf(state), nextKeyspace }, created, expireAt);
}

function dropTable(state: MetadataState, id: string): MetadataResult {
  const table = state.tables[id];
  if (table === undefined) return refused('The table was dropped.');
  return applied({
    ...state,
    tables: tablesWithout(state.tables, new Set([id])),
    garbage: [...state.garbage, ...garbageOf(table)],
  });
}

type TableCommand = Extract<MetadataCommand, { readonly tableId: string }>;

function changeTable(state: MetadataState, command: TableCommand): MetadataResult {
  const table = state.tables[command.tableId];
  if (table === undefined) return refused('The table was dropped.');
  switch (command.type) {
    case 'createIndex':
      return createIndex(state, table, command.index);
    case 'indexReady':
      return indexReady(state, table, command.keyspace);
    case 'reshardTable':
      return reshard(state, table, command);
    case 'placeShard':
    case 'shardMembers':
      return changePlacement(state, table, command);
    case 'placeTable':
      return placeTable(state, table, command);
    case 'rebuildIndex':
      return rebuildIndex(state, table, command.keyspace);
    case 'setExpireAt':
      return setExpireAt(state, table, command.field);
    case 'setWriteHook': {
      const { writeHook: _before, ...plain } = table;
      const { hook } = command;
      return applied(withTable(state, hook === undefined ? plain : { ...plain, writeHook: hook }));
    }
    case 'configureTable':
      return configureTable(state, table, command.config);
    case 'dropIndex':
      return dropIndex(state, table, command.name);
    case 'renameIndex':
      return renameIndex(state, table, command);
    default:
      return unreachable(command);
  }
}

/** Renames a table, moves it to another database, changes its settings. */
function configureTable(
  state: MetadataState,
  before: TableRecord,
  { expireAt, ...config }: TableConfig,
): MetadataResult {
  if (state.databases[config.databaseId] === undefined) return refused('The database was dropped.');
  const there = tableByName(state, config.databaseId, config.name);
  if (there !== undefined && there.id !== before.id) {
    const [from, to] = [qualifiedName(state, before), qualifiedName(state, config)];
    return refused(
      `Can't rename table \`${from}\` to \`${to}\` because table \`${to}\` already exists.`,
    );
  }
  return setExpireAt(state, { ...before, ...config }, expireAt);
}
