import { compareBytes } from '../common/bytes.ts';
import type { Datum } from '../datum/datum.ts';
import { encodeKey } from '../datum/key.ts';
import { fieldOf, isObject } from '../datum/object.ts';
import { canonicalText } from '../datum/text.ts';
import type {
  Catalog,
  DatabaseInfo,
  EncodedRange,
  Environment,
  Refusal,
  Row,
  TableAccess,
  TableInfo,
} from './environment.ts';
import { opFailed } from './failure.ts';
import { nameUuid } from './terms/name-uuid.ts';
import { tableConfig, tableStatus } from './terms/table-report.ts';
import type { Identifiers } from './terms/table-report.ts';

/**
 * The database `rethinkdb`: tables whose rows are made of the catalog when they are read. They are
 * read-only; every other environment is reached through this one unchanged.
 */
export const systemDatabase: DatabaseInfo = { id: nameUuid('rethinkdb'), name: 'rethinkdb' };

/** Appended to the id of a system table whose rows shall name others by their ids. */
export const uuidSuffix = '#uuid';

type Rows = (environment: Environment, identifiers: Identifiers) => readonly Datum[];

const userTables = ({ catalog }: Environment): TableInfo[] =>
  catalog.databases().flatMap(({ id }) => catalog.tables(id));

const rowsOf: Readonly<Record<string, Rows>> = {
  db_config: ({ catalog }) => catalog.databases().map(({ id, name }) => ({ id, name })),
  server_config: ({ server: { id, name } }) => [
    { cache_size_mb: 'auto', id, name, tags: ['default'] },
  ],
  server_status: ({ server: { id, name } }) => [{ id, name }],
  table_config: (environment, identifiers) =>
    userTables(environment).map((info) => tableConfig(info, environment.server, identifiers)),
  table_status: (environment, identifiers) =>
    userTables(environment).map((info) => tableStatus(info, environment.server, identifiers)),
};

/** Tables of RethinkDB's that this version does not have. */
const absent = new Set(
  'cluster_config current_issues jobs logs permissions stats users _debug_scratch'.split(' '),
);

const infoOf = (name: string): TableInfo => ({
  id: nameUuid(`rethinkdb.${name}`),
  name,
  database: systemDatabase,
  primaryKey: 'id',
  durability: 'hard',
  indexes: [],
  shards: 1,
  replicas: 1,
  replication: 'sync',
  partition: 'hash',
  isDamaged: false,
});

const infos: readonly TableInfo[] = Object.keys(rowsOf).map(infoOf);

export function withSystemDatabase(environment: Environment): Environment {
  const server = environment.server;
  return {
    catalog: systemCatalog(environment.catalog),
    table: (id) => systemTable(environment, id) ?? environment.table(id),
    pause: () => environment.pause(),
    now: () => environment.now(),
    uuid: () => environment.uuid(),
    random: () => environment.random(),
    server,
  };
}

function systemTable(environment: Environment, id: string): TableAccess | undefined {
  const info = infos.find((each) => each.id === id || `${each.id}${uuidSuffix}` === id);
  if (info === undefined) return undefined;
  return access(info, environment, id.endsWith(uuidSuffix) ? 'uuid' : 'name');
}

const within = (key: Uint8Array, { start, end }: EncodedRange): boolean =>
  (start === undefined || compareBytes(key, start) >= 0) &&
  (end === undefined || compareBytes(key, end) < 0);

function access(info: TableInfo, environment: Environment, identifiers: Identifiers): TableAccess {
  const rows = (): Row[] =>
    (rowsOf[info.name]?.(environment, identifiers) ?? [])
      .map((row) => ({
        key: encodeKey(isObject(row) ? (fieldOf(row, 'id') ?? null) : null),
        text: canonicalText(row),
      }))
      .sort((a, b) => compareBytes(a.key, b.key));
  const refusal = opFailed(`It's illegal to write to the \`rethinkdb.${info.name}\` table.`);
  return {
    info,
    get: (key) => Promise.resolve(rows().find((row) => compareBytes(row.key, key) === 0)),
    scan: (range, order) => {
      const found = rows().filter(({ key }) => within(key, range));
      const rest = order === 'ascending' ? found : found.reverse();
      return {
        next: ({ rows: most }) => {
          const batch = rest.splice(0, most);
          return Promise.resolve(batch.length === 0 ? undefined : batch);
        },
        close: () => void rest.splice(0),
      };
    },
    scanIndex: (name) => {
      throw opFailed(`Index \`${name}\` was not found on table \`rethinkdb.${info.name}\`.`);
    },
    count: () => Promise.resolve(rows().length),
    edit: () => Promise.reject(refusal),
    sync: () => Promise.resolve(),
  };
}

const special = (what: string): Promise<Refusal> =>
  Promise.resolve({
    type: 'refused',
    message: `Database \`rethinkdb\` is special; you can't ${what}.`,
  });

const isSystemTable = (id: string): boolean => infos.some((info) => info.id === id);

function systemCatalog(catalog: Catalog): Catalog {
  return {
    databases: () => [...catalog.databases(), systemDatabase],
    database: (name) => (name === systemDatabase.name ? systemDatabase : catalog.database(name)),
    tables: (id) => (id === systemDatabase.id ? infos : catalog.tables(id)),
    table: (id, name) => {
      if (id !== systemDatabase.id) return catalog.table(id, name);
      if (absent.has(name))
        throw opFailed(
          `The table \`rethinkdb.${name}\` is not implemented in this version of PhotonDB.`,
        );
      return infos.find((info) => info.name === name);
    },
    tableById: (id) => infos.find((info) => info.id === id) ?? catalog.tableById(id),
    createDatabase: (name) =>
      name === systemDatabase.name
        ? Promise.resolve({
            type: 'refused',
            message: `Database \`${name}\` already exists.`,
          })
        : catalog.createDatabase(name),
    dropDatabase: (name) =>
      name === systemDatabase.name ? special('delete it') : catalog.dropDatabase(name),
    createTable: (id, name, options) =>
      id === systemDatabase.id
        ? special('create new tables in it')
        : catalog.createTable(id, name, options),
    setExpireAt: (id, field) =>
      isSystemTable(id) ? special('configure the tables in it') : catalog.setExpireAt(id, field),
    setWriteHook: (id, hook) =>
      isSystemTable(id)
        ? special('set a write hook on the tables in it')
        : catalog.setWriteHook(id, hook),
    configureTable: (id, settings) => catalog.configureTable(id, settings),
    renameDatabase: (id, name) => catalog.renameDatabase(id, name),
    dropTable: (id) => (isSystemTable(id) ? special('drop tables in it') : catalog.dropTable(id)),
    createIndex: (id, index) =>
      isSystemTable(id) ? special('create indexes in it') : catalog.createIndex(id, index),
    dropIndex: (id, name) =>
      isSystemTable(id) ? special('drop indexes in it') : catalog.dropIndex(id, name),
    renameIndex: (id, names) =>
      isSystemTable(id) ? special('rename indexes in it') : catalog.renameIndex(id, names),
    ready: (id, indexes, signal) =>
      isSystemTable(id) ? Promise.resolve() : catalog.ready(id, indexes, signal),
  };
}
