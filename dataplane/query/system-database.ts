import type { TableAccess } from '../wire/table-access.ts';
import type { EditEngine } from '../wire/table-edit.ts';
import type {
  Catalog,
  DatabaseInfo,
  Environment,
  NodeEnvironment,
  Refusal,
  TableInfo,
} from './environment.ts';
import { opFailed } from './failure.ts';
import { issuesTable, jobsTable, logsTable } from './system/activity.ts';
import { databaseConfigTable, systemName } from './system/database-config.ts';
import { scratchTable } from './system/scratch.ts';
import { clusterConfigTable, serverConfigTable, serverStatusTable } from './system/servers.ts';
import { statisticsTable } from './system/statistics.ts';
import { exclusive, systemAccess } from './system/system-access.ts';
import type { SystemTable } from './system/system-table.ts';
import { tableConfigTable, tableStatusTable } from './system/table-config.ts';
import { permissionsTable, usersTable } from './system/users.ts';
import { nameUuid } from './terms/name-uuid.ts';

/**
 * The database `rethinkdb`: tables of the configuration, which change it when they are written, and of
 * what the node does. Every other table is reached through this environment unchanged.
 */
export const systemDatabase: DatabaseInfo = { id: nameUuid(systemName), name: systemName };

/** Appended to the id of a system table whose rows shall name others by their ids. */
export const uuidSuffix = '#uuid';

const readFromNode: readonly SystemTable[] = [
  clusterConfigTable,
  databaseConfigTable,
  issuesTable,
  jobsTable,
  logsTable,
  permissionsTable(systemDatabase),
  serverConfigTable,
  serverStatusTable,
  statisticsTable,
  tableConfigTable,
  tableStatusTable,
  usersTable,
];

interface Home {
  readonly table: SystemTable;
  readonly info: TableInfo;
}

const homeOf = (table: SystemTable): Home => ({
  table,
  info: {
    id: nameUuid(`${systemName}.${table.name}`),
    name: table.name,
    database: systemDatabase,
    primaryKey: 'id',
    durability: 'soft',
    indexes: [],
    shards: 1,
    replicas: 1,
    replication: 'sync',
    partition: 'hash',
    isDamaged: false,
  },
});

export function withSystemDatabase(environment: NodeEnvironment, engine: EditEngine): Environment {
  const homes = [...readFromNode, scratchTable()].map(homeOf);
  const views = viewsOf(homes);
  const turn = exclusive();
  const systemTable: Environment['table'] = (id) => {
    const found = views.get(id);
    if (found === undefined) return undefined;
    const { home, isUuid } = found;
    const view = { environment, identifiers: isUuid ? 'uuid' : 'name' } as const;
    return systemAccess(home.table, { view, turn, engine });
  };
  return withSystemTables(environment, homes, systemTable);
}

/** The same for an engine whose system tables another process makes: `systemTable` reaches them. */
export function withRemoteSystemDatabase(
  environment: Environment,
  systemTable: (id: string) => TableAccess,
): Environment {
  const homes = [...readFromNode, scratchTable()].map(homeOf);
  const views = viewsOf(homes);
  return withSystemTables(environment, homes, (id) =>
    views.has(id) ? systemTable(id) : undefined,
  );
}

interface TableView {
  readonly home: Home;
  readonly isUuid: boolean;
}

const viewsOf = (homes: readonly Home[]): ReadonlyMap<string, TableView> =>
  new Map(
    homes.flatMap((home): [string, TableView][] => [
      [home.info.id, { home, isUuid: false }],
      [`${home.info.id}${uuidSuffix}`, { home, isUuid: true }],
    ]),
  );

function withSystemTables(
  environment: Environment,
  homes: readonly Home[],
  systemTable: Environment['table'],
): Environment {
  return {
    catalog: systemCatalog(environment.catalog, homes),
    table: (id, mode) => systemTable(id) ?? environment.table(id, mode),
    pause: () => environment.pause(),
    sleep: (ms, signal) => environment.sleep(ms, signal),
    now: () => environment.now(),
    uuid: () => environment.uuid(),
    random: () => environment.random(),
    server: environment.server,
  };
}

const special = (what: string): Promise<Refusal> =>
  Promise.resolve({
    type: 'refused',
    message: `Database \`${systemName}\` is special; ${what}.`,
  });

/** Of tables that have no settings: throws for those of the system. */
export function refuseSystem(
  { database: { id } }: Pick<TableInfo, 'database'>,
  what: string,
): void {
  if (id === systemDatabase.id) throw opFailed(`Database \`${systemName}\` is special; ${what}.`);
}

function systemCatalog(catalog: Catalog, homes: readonly Home[]): Catalog {
  const infos = homes.map(({ info }) => info);
  const isSystem = (id: string): boolean => infos.some((info) => info.id === id);
  const noIndex = (id: string, name: string): Promise<Refusal> => {
    const table = infos.find((info) => info.id === id)?.name ?? '';
    const message = `Index \`${name}\` does not exist on table \`${systemName}.${table}\`.`;
    return Promise.resolve({ type: 'refused', message });
  };
  const noSettings = "you can't configure the tables in it";
  return {
    ...systemDatabases(catalog),
    tables: (id) =>
      id === systemDatabase.id
        ? homes.flatMap(({ table, info }) => (table.isHidden === true ? [] : [info]))
        : catalog.tables(id),
    table: (id, name) =>
      id === systemDatabase.id ? infos.find((info) => info.name === name) : catalog.table(id, name),
    tableById: (id) => infos.find((info) => info.id === id) ?? catalog.tableById(id),
    refresh: async () => catalog.refresh?.(),
    createTable: (id, name, options, tableId) =>
      id === systemDatabase.id
        ? special("you can't create new tables in it")
        : catalog.createTable(id, name, options, tableId),
    setExpireAt: (id, field) =>
      isSystem(id) ? special(noSettings) : catalog.setExpireAt(id, field),
    setWriteHook: (id, hook) =>
      isSystem(id)
        ? special("you can't set a write hook on the tables in it")
        : catalog.setWriteHook(id, hook),
    configureTable: (id, settings) =>
      isSystem(id) ? special(noSettings) : catalog.configureTable(id, settings),
    placeReplicas: (id, wish) =>
      isSystem(id) ? special(noSettings) : catalog.placeReplicas(id, wish),
    dropTable: (id) =>
      isSystem(id) ? special("you can't drop tables in it") : catalog.dropTable(id),
    createIndex: (id, index) =>
      isSystem(id)
        ? special("you can't create secondary indexes on the tables in it")
        : catalog.createIndex(id, index),
    dropIndex: (id, name) => (isSystem(id) ? noIndex(id, name) : catalog.dropIndex(id, name)),
    renameIndex: (id, names) =>
      isSystem(id) ? noIndex(id, names.from) : catalog.renameIndex(id, names),
    ready: (id, indexes, signal) =>
      isSystem(id) ? Promise.resolve() : catalog.ready(id, indexes, signal),
  };
}

type Databases = Pick<
  Catalog,
  'databases' | 'database' | 'createDatabase' | 'dropDatabase' | 'renameDatabase'
>;

function systemDatabases(catalog: Catalog): Databases {
  return {
    databases: () => [...catalog.databases(), systemDatabase],
    database: (name) => (name === systemName ? systemDatabase : catalog.database(name)),
    createDatabase: (name, id) =>
      name === systemName
        ? Promise.resolve({ type: 'refused', message: `Database \`${name}\` already exists.` })
        : catalog.createDatabase(name, id),
    dropDatabase: (name) =>
      name === systemName ? special("you can't delete it") : catalog.dropDatabase(name),
    renameDatabase: (id, name) => catalog.renameDatabase(id, name),
  };
}
