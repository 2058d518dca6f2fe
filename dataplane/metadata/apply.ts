import { unreachable } from '../common/assert.ts';
import { databaseByName, qualifiedName, tableByName, tablesOf, userIndexes } from './state.ts';
import type {
  Garbage,
  IndexRecord,
  MetadataState,
  TableRecord,
  Verifier,
  WriteHookRecord,
} from './state.ts';

/**
 * The metadata log's state machine. Identifiers come in the command (nothing here is random), numbers
 * of keyspaces are drawn from the state, and what cannot be done is a value with the sentence that
 * the client sees.
 */
export type MetadataCommand =
  | { readonly type: 'createDatabase'; readonly id: string; readonly name: string }
  | { readonly type: 'dropDatabase'; readonly name: string }
  | { readonly type: 'createTable'; readonly table: Omit<TableRecord, 'keyspace' | 'indexes'> }
  | { readonly type: 'dropTable'; readonly id: string }
  | {
      readonly type: 'createIndex';
      readonly tableId: string;
      readonly index: Omit<IndexRecord, 'keyspace' | 'ready' | 'system'>;
    }
  | {
      /** `rebuildIndex`: of an index whose entries cannot be trusted. */
      readonly type: 'indexReady' | 'rebuildIndex';
      readonly tableId: string;
      readonly keyspace: number;
    }
  | { readonly type: 'dropIndex'; readonly tableId: string; readonly name: string }
  | {
      readonly type: 'renameIndex';
      readonly tableId: string;
      readonly from: string;
      readonly to: string;
      readonly overwrite: boolean;
    }
  | { readonly type: 'setExpireAt'; readonly tableId: string; readonly field: string | undefined }
  | {
      /** Without a hook the table has none. */
      readonly type: 'setWriteHook';
      readonly tableId: string;
      readonly hook: WriteHookRecord | undefined;
    }
  | { readonly type: 'configureTable'; readonly tableId: string; readonly config: TableConfig }
  | { readonly type: 'renameDatabase'; readonly id: string; readonly name: string }
  | { readonly type: 'setVerifier'; readonly user: string; readonly verifier: Verifier }
  | { readonly type: 'cleared'; readonly keyspace: number }
  /** Takes the next keyspace for rows that come in. */
  | { readonly type: 'beginImport' }
  | {
      readonly type: 'finishImport';
      readonly keyspace: number;
      readonly table: Omit<TableRecord, 'keyspace' | 'indexes'>;
      readonly indexes: readonly Omit<IndexRecord, 'keyspace' | 'ready'>[];
    }
  | { readonly type: 'abandonImport'; readonly keyspace: number };

/** What can be changed of a table without touching its rows. */
type TableConfig = Pick<
  TableRecord,
  'name' | 'databaseId' | 'durability' | 'writeAcks' | 'shards' | 'expireAt'
>;

export interface Refused {
  readonly type: 'refused';
  readonly message: string;
}

export type MetadataResult = { readonly type: 'applied'; readonly state: MetadataState } | Refused;

const refused = (message: string): Refused => ({ type: 'refused', message });
const applied = (state: MetadataState): MetadataResult => ({ type: 'applied', state });

const without = <T>(
  record: Readonly<Record<string, T>>,
  keys: ReadonlySet<string>,
): Record<string, T> =>
  Object.fromEntries(Object.entries(record).filter(([key]) => !keys.has(key)));

function withTable(state: MetadataState, table: TableRecord): MetadataState {
  return { ...state, tables: { ...state.tables, [table.id]: table } };
}

const garbageOfIndex = ({ keyspace }: Pick<IndexRecord, 'keyspace'>): Garbage => ({
  keyspace,
  database: 'index',
});

const garbageOf = (table: TableRecord): MetadataState['garbage'] => [
  { keyspace: table.keyspace, database: 'data' },
  ...table.indexes.map(garbageOfIndex),
];

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
      return createTable(state, command.table);
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
      return changeImports(state, command);
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
    tables: without(state.tables, new Set(tables.map((table) => table.id))),
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

function createTable(
  state: MetadataState,
  table: Omit<TableRecord, 'keyspace' | 'indexes'>,
): MetadataResult {
  if (state.databases[table.databaseId] === undefined) return refused('The database was dropped.');
  if (tableByName(state, table.databaseId, table.name) !== undefined) {
    return refused(`Table \`${qualifiedName(state, table)}\` already exists.`);
  }
  const { expireAt, ...plain } = table;
  const created = { ...plain, keyspace: state.nextKeyspace, indexes: [] };
  return setExpireAt({ ...state, nextKeyspace: state.nextKeyspace + 1 }, created, expireAt);
}

/** The index over the field comes and goes with it. */
function setExpireAt(
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

type ImportCommand = Extract<
  MetadataCommand,
  { readonly type: 'beginImport' | 'finishImport' | 'abandonImport' }
>;

function changeImports(state: MetadataState, command: ImportCommand): MetadataResult {
  const { imports = [], nextKeyspace } = state;
  if (command.type === 'beginImport') {
    return applied({
      ...state,
      imports: [...imports, nextKeyspace],
      nextKeyspace: nextKeyspace + 1,
    });
  }
  const { keyspace } = command;
  if (!imports.includes(keyspace)) return refused('The import was abandoned.');
  const ended = { ...state, imports: imports.filter((each) => each !== keyspace) };
  if (command.type === 'finishImport') return finishImport(ended, command);
  return applied({ ...ended, garbage: [...state.garbage, { keyspace, database: 'data' }] });
}

/** The table appears with its rows; its indexes are built like any new ones. */
function finishImport(
  state: MetadataState,
  { keyspace, table, indexes }: Extract<ImportCommand, { readonly type: 'finishImport' }>,
): MetadataResult {
  // As a table of no rows it is refused or not.
  const created = createTable(state, table);
  if (created.type === 'refused') return created;
  const records = indexes.map((index, at) => ({
    ...index,
    keyspace: state.nextKeyspace + at,
    ready: false,
  }));
  const nextKeyspace = state.nextKeyspace + indexes.length;
  return applied(withTable({ ...state, nextKeyspace }, { ...table, keyspace, indexes: records }));
}

function dropTable(state: MetadataState, id: string): MetadataResult {
  const table = state.tables[id];
  if (table === undefined) return refused('The table was dropped.');
  return applied({
    ...state,
    tables: without(state.tables, new Set([id])),
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
      return applied(
        withTable(state, {
          ...table,
          indexes: table.indexes.map((index) =>
            index.keyspace === command.keyspace ? { ...index, ready: true } : index,
          ),
        }),
      );
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

const noIndex = (state: MetadataState, table: TableRecord, name: string): Refused =>
  refused(`Index \`${name}\` does not exist on table \`${qualifiedName(state, table)}\`.`);

const indexExists = (state: MetadataState, table: TableRecord, name: string): Refused =>
  refused(`Index \`${name}\` already exists on table \`${qualifiedName(state, table)}\`.`);

function createIndex(
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
function rebuildIndex(state: MetadataState, table: TableRecord, keyspace: number): MetadataResult {
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

function dropIndex(state: MetadataState, table: TableRecord, name: string): MetadataResult {
  const index = userIndexes(table).find((each) => each.name === name);
  if (index === undefined) return noIndex(state, table, name);
  const garbage = [...state.garbage, garbageOfIndex(index)];
  const indexes = table.indexes.filter((each) => each !== index);
  return applied(withTable({ ...state, garbage }, { ...table, indexes }));
}

function renameIndex(
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
