import type { Chance } from '../common/chance.ts';
import type { Clock } from '../common/clock.ts';
import type { Database } from '../database/database.ts';
import { readMetadataCommand } from '../metadata/command-format.ts';
import type { MetadataCommand, Refused } from '../metadata/command.ts';
import { databaseByName, tableByName, tablesOf } from '../metadata/lookup.ts';
import { shardsOf } from '../metadata/shards.ts';
import type { MetadataState, TableRecord } from '../metadata/state.ts';
import type {
  Catalog,
  NodeEnvironment,
  PlacementWish,
  Refusal,
  TableInfo,
} from '../query/environment.ts';
import { errorType, RuntimeError } from '../query/errors.ts';
import { tooManyReplicas } from '../query/terms/placement.ts';
import { failedIndex } from '../query/terms/index-access.ts';
import type { DiskGate } from './disk-gate.ts';
import { infoOf, shown, tableAccess } from './served-table.ts';
import type { RequireRoom } from './served-table.ts';
import type { ClusterView } from './routing/candidates.ts';
import { creationOf, placesBy, plannedPlaces } from './routing/table-places.ts';
import type { Planned } from './routing/table-places.ts';

export interface EnvironmentParts extends Pick<NodeEnvironment, 'server' | 'report'> {
  readonly database: Database;
  readonly disk: Pick<DiskGate, 'refusal'>;
  readonly clock: Clock;
  readonly chance: Chance;
  /** The nodes among which replicas are placed; undefined where the data is here alone. */
  readonly cluster?: ClusterView | undefined;
}

/** Asked before everything that makes the data grow, and before what needs some room to make more. */
export const roomOn =
  (disk: EnvironmentParts['disk']): RequireRoom =>
  (kind = 'write') => {
    const refusal = disk.refusal(kind);
    if (refusal !== undefined) throw new RuntimeError(errorType.opFailed, refusal, []);
  };

/** Joins the query engine's needs to the database: the catalog over the metadata, tables over groups. */
export function createEnvironment(parts: EnvironmentParts): NodeEnvironment {
  const { database, disk, clock, chance, server, report } = parts;
  const requireRoom = roomOn(disk);
  return {
    catalog: catalogOf(parts, requireRoom),
    table: (id) => tableAccess(database, id, requireRoom),
    pause: () => clock.yield(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    now: () => clock.timeOfDay(),
    uuid: () => chance.uuid(),
    random: () => chance.next(),
    server,
    report,
  };
}

/** Arguments may come from another process: only valid commands enter the log. */
const checked = (command: MetadataCommand): MetadataCommand =>
  readMetadataCommand(JSON.stringify(command));

const infoIn = (database: Database, table: TableRecord | undefined): TableInfo | undefined =>
  table === undefined ? undefined : infoOf(database, table);

const readsOf = (
  database: Database,
): Pick<Catalog, 'databases' | 'database' | 'tables' | 'table' | 'tableById'> => ({
  databases: () => Object.values(database.state.databases),
  database: (name) => databaseByName(database.state, name),
  tables: (id) => tablesOf(database.state, id).map((table) => infoOf(database, table)),
  table: (id, name) => infoIn(database, tableByName(database.state, id, name)),
  tableById: (id) => infoIn(database, database.state.tables[id]),
});

type NewTable = Parameters<Catalog['createTable']>[2] &
  Pick<TableRecord, 'id' | 'name' | 'databaseId'>;

type Placing = Pick<EnvironmentParts, 'database' | 'cluster'>;

/** The leader of the metadata chooses the places: two nodes may see other nodes differently. */
function requirePlacing({ metadataReplicas }: Database): void {
  if (metadataReplicas?.refusal !== undefined) throw metadataReplicas.refusal;
}

function creation({ database, cluster }: Placing, table: NewTable): MetadataCommand | Refusal {
  const { state } = database;
  if (cluster !== undefined && state.members !== undefined) {
    requirePlacing(database);
    return creationOf(state, table, cluster);
  }
  const { wantedReplicas = 1, places: _here, ...plain } = table;
  if (wantedReplicas > 1) return { type: 'refused', message: tooManyReplicas(wantedReplicas, 1) };
  return { type: 'createTable', format: 2, table: plain };
}

type Changed<T> = T | Refusal;

export function catalogOf(
  parts: Placing & Pick<EnvironmentParts, 'chance'>,
  requireRoom: RequireRoom,
): Catalog {
  const { database, chance } = parts;
  const change = (command: MetadataCommand): Promise<MetadataState | Refused> =>
    shown(() => database.change(checked(command)));
  const tableNow = (id: string): TableInfo | undefined =>
    infoIn(database, database.state.tables[id]);
  /** Applies a command, and answers the table that it was about. */
  const changeTable = async (command: MetadataCommand, id: string): Promise<Changed<TableInfo>> => {
    const result: MetadataState | Refused = await change(command);
    if ('type' in result) return result;
    return tableNow(id) ?? { type: 'refused', message: 'The table was dropped.' };
  };
  return {
    ...readsOf(database),
    createDatabase: async (name, id = chance.uuid()) => {
      requireRoom();
      const result = await change({ type: 'createDatabase', id, name });
      return 'type' in result ? result : { id, name };
    },
    dropDatabase: async (name) => {
      const found = databaseByName(database.state, name);
      const tables = found === undefined ? [] : readsOf(database).tables(found.id);
      const result = await change({ type: 'dropDatabase', name });
      return 'type' in result || found === undefined
        ? (result as Refused)
        : { database: found, tables };
    },
    createTable: async (databaseId, name, options, id = chance.uuid()) => {
      requireRoom();
      const table = { id, name, databaseId, ...options };
      const command = creation(parts, table);
      return command.type === 'refused' ? command : changeTable(command, id);
    },
    setExpireAt: async (tableId, field) => {
      if (field !== undefined) requireRoom();
      return changeTable({ type: 'setExpireAt', tableId, field }, tableId);
    },
    setWriteHook: (tableId, hook) => changeTable({ type: 'setWriteHook', tableId, hook }, tableId),
    configureTable: async (tableId, { database: { id: databaseId }, ...settings }) => {
      const refusal = await placed(database, tableId, settings.shards);
      const config = { ...settings, databaseId };
      return refusal ?? changeTable({ type: 'configureTable', tableId, config }, tableId);
    },
    placeReplicas: replicaPlacing(parts, changeTable),
    renameDatabase: async (id, name) => {
      const result = await change({ type: 'renameDatabase', id, name });
      return 'type' in result ? result : { id, name };
    },
    dropTable: async (id) => {
      const before = tableNow(id);
      const result = await change({ type: 'dropTable', id });
      return 'type' in result || before === undefined ? (result as Refused) : before;
    },
    ...indexChanges(database, changeTable, requireRoom),
    ready: (tableId, names, signal) => indexesReady(database, { tableId, names }, signal),
  };
}

type ChangeTable = (command: MetadataCommand, id: string) => Promise<Changed<TableInfo>>;

const indexChanges = (
  database: Database,
  changeTable: ChangeTable,
  requireRoom: RequireRoom,
): Pick<Catalog, 'createIndex' | 'dropIndex' | 'renameIndex'> => ({
  createIndex: async (tableId, index) => {
    requireRoom();
    await shown(() => database.table(tableId)?.requireIntact());
    return changeTable({ type: 'createIndex', tableId, index }, tableId);
  },
  dropIndex: (tableId, name) => changeTable({ type: 'dropIndex', tableId, name }, tableId),
  renameIndex: (tableId, names) => changeTable({ type: 'renameIndex', tableId, ...names }, tableId),
});

const plannedInfo = ({ state }: Database, info: TableInfo, { wanted }: Planned): TableInfo => ({
  ...info,
  shards: wanted.length,
  places: placesBy(state, wanted),
});

const replicaPlacing =
  ({ database, cluster }: Placing, changeTable: ChangeTable): Catalog['placeReplicas'] =>
  async (id, wish) => {
    const table = database.state.tables[id];
    if (table === undefined) return { type: 'refused', message: 'The table was dropped.' };
    const info = infoOf(database, table);
    if (cluster === undefined) return placedHere(info, wish);
    requirePlacing(database);
    const plan = plannedPlaces(database.state, table, wish, cluster);
    if (plan.type === 'refused') return plan;
    if (wish.isDryRun === true) return plannedInfo(database, info, plan);
    return plan.isSame ? info : changeTable(placementBy(id, plan), id);
  };

const placementBy = (tableId: string, { wanted, growsReplicas }: Planned): MetadataCommand => ({
  type: 'placeTable',
  format: 3,
  tableId,
  wanted,
  growsReplicas,
});

/** A table of the only server with data. */
function placedHere(info: TableInfo, { replicas = 1, shards, isDryRun }: PlacementWish) {
  if (replicas > 1) return { type: 'refused', message: tooManyReplicas(replicas, 1) } as const;
  return isDryRun === true ? { ...info, shards: shards ?? info.shards } : info;
}

/** Gives a table that many shards; answers why it cannot have them. */
async function placed(
  database: Database,
  tableId: string,
  shards: number,
): Promise<Refusal | undefined> {
  const table = database.state.tables[tableId];
  if (table === undefined || shardsOf(table).length === shards) return undefined;
  const result = await shown(() => database.reshard(tableId, shards));
  return 'type' in result ? result : undefined;
}

async function indexesReady(
  database: Database,
  wanted: { readonly tableId: string; readonly names: readonly string[] | undefined },
  signal: AbortSignal,
): Promise<void> {
  const building = (): boolean => {
    const table = database.state.tables[wanted.tableId];
    const states = table === undefined ? [] : database.indexStates(table);
    const own = states.filter(({ name }) => wanted.names?.includes(name) ?? true);
    const failed = own.find(({ failure, isRebuilt }) => failure !== undefined && !isRebuilt);
    if (table !== undefined && failed !== undefined)
      throw failedIndex(infoOf(database, table), failed);
    return own.some(({ ready }) => !ready);
  };
  while (building()) {
    await shown(() => database.table(wanted.tableId)?.requireIntact());
    await database.changed(signal);
  }
}
