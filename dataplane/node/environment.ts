import { MetadataFrozenError } from '../apply/errors.ts';
import { fromHex } from '../common/bytes.ts';
import type { Chance } from '../common/chance.ts';
import type { Clock } from '../common/clock.ts';
import type { Database } from '../database/database.ts';
import { shownKey } from '../datum/shown-key.ts';
import { TableDamagedError } from '../integrity/errors.ts';
import { KeyOrderError } from '../kv/errors.ts';
import type { MetadataCommand, Refused } from '../metadata/command.ts';
import { databaseByName, tableByName, tablesOf } from '../metadata/lookup.ts';
import { keyspacesOf, shardsOf } from '../metadata/shards.ts';
import { userIndexes } from '../metadata/state.ts';
import type { MetadataState, TableRecord } from '../metadata/state.ts';
import type { Catalog, NodeEnvironment, Refusal, TableInfo } from '../query/environment.ts';
import type { TableAccess } from '../wire/table-access.ts';
import { DamagedDocumentError, errorType, RuntimeError } from '../query/errors.ts';
import { failedIndex } from '../query/terms/index-access.ts';
import { isRefusal, OutcomeUnknownError } from '../replication/errors.ts';
import { StorageCorruptError, storageCorruptCode } from '../table/errors.ts';
import type { BatchLimit, BatchSource } from '../wire/table-access.ts';
import { isDeletion } from '../wire/edit-decision.ts';
import type { EditOutcome } from '../wire/table-edit.ts';
import type { DiskGate, WriteKind } from './disk-gate.ts';

export interface EnvironmentParts extends Pick<NodeEnvironment, 'server' | 'report'> {
  readonly database: Database;
  readonly disk: Pick<DiskGate, 'refusal'>;
  readonly clock: Clock;
  readonly chance: Chance;
}

/** Joins the query engine's needs to the database: the catalog over the metadata, tables over groups. */
export function createEnvironment(parts: EnvironmentParts): NodeEnvironment {
  const { database, disk, clock, chance, server, report } = parts;
  /** Before everything that makes the data grow, and before what needs some room to make more. */
  const requireRoom = (kind: WriteKind = 'write'): void => {
    const refusal = disk.refusal(kind);
    if (refusal !== undefined) throw new RuntimeError(errorType.opFailed, refusal, []);
  };
  return {
    catalog: catalogOf(parts, requireRoom),
    table: (id) => tableAccess(database, id, requireRoom),
    pause: () => clock.yield(),
    now: () => clock.timeOfDay(),
    uuid: () => chance.uuid(),
    random: () => chance.next(),
    server,
    report,
  };
}

export function infoOf(database: Database, table: TableRecord): TableInfo {
  const home = database.state.databases[table.databaseId];
  return {
    ...table,
    database: { id: table.databaseId, name: home?.name ?? '' },
    shards: shardsOf(table).length,
    isDamaged: database.corruption.damagesOf(table).length > 0,
    indexes: database.indexStates(table),
  };
}

type Changed<T> = T | Refusal;

type RequireRoom = (kind?: WriteKind) => void;

function catalogOf({ database, chance }: EnvironmentParts, requireRoom: RequireRoom): Catalog {
  const change = (command: MetadataCommand): Promise<MetadataState | Refused> =>
    shown(() => database.change(command));
  const info = (table: TableRecord | undefined): TableInfo | undefined =>
    table === undefined ? undefined : infoOf(database, table);
  const tableNow = (id: string): TableInfo | undefined => info(database.state.tables[id]);
  /** Applies a command, and answers the table that it was about. */
  const changeTable = async (command: MetadataCommand, id: string): Promise<Changed<TableInfo>> => {
    const result: MetadataState | Refused = await change(command);
    if ('type' in result) return result;
    return tableNow(id) ?? { type: 'refused', message: 'The table was dropped.' };
  };
  return {
    databases: () => Object.values(database.state.databases),
    database: (name) => databaseByName(database.state, name),
    tables: (id) => tablesOf(database.state, id).map((table) => infoOf(database, table)),
    table: (id, name) => info(tableByName(database.state, id, name)),
    tableById: tableNow,
    createDatabase: async (name, id = chance.uuid()) => {
      requireRoom();
      const result = await change({ type: 'createDatabase', id, name });
      return 'type' in result ? result : { id, name };
    },
    dropDatabase: async (name) => {
      const found = databaseByName(database.state, name);
      const tables =
        found === undefined
          ? []
          : tablesOf(database.state, found.id).map((table) => infoOf(database, table));
      const result = await change({ type: 'dropDatabase', name });
      return 'type' in result || found === undefined
        ? (result as Refused)
        : { database: found, tables };
    },
    createTable: async (databaseId, name, options, id = chance.uuid()) => {
      requireRoom();
      return changeTable(
        { type: 'createTable', format: 2, table: { id, name, databaseId, ...options } },
        id,
      );
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
    renameDatabase: async (id, name) => {
      const result = await change({ type: 'renameDatabase', id, name });
      return 'type' in result ? result : { id, name };
    },
    dropTable: async (id) => {
      const before = tableNow(id);
      const result = await change({ type: 'dropTable', id });
      return 'type' in result || before === undefined ? (result as Refused) : before;
    },
    createIndex: async (tableId, index) => {
      requireRoom();
      await shown(() => database.table(tableId)?.requireIntact());
      return changeTable({ type: 'createIndex', tableId, index }, tableId);
    },
    dropIndex: (tableId, name) => changeTable({ type: 'dropIndex', tableId, name }, tableId),
    renameIndex: (tableId, names) =>
      changeTable({ type: 'renameIndex', tableId, ...names }, tableId),
    ready: (tableId, names, signal) => indexesReady(database, { tableId, names }, signal),
  };
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

/** Says what a damaged table or a full disk answers in the words of the driver's protocol. */
async function shown<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw inWordsOfDrivers(error);
  }
}

function inWordsOfDrivers(error: unknown): unknown {
  if (error instanceof StorageCorruptError)
    return new DamagedDocumentError(adviceFor(error.message, fromHex(error.keyHex)));
  if (error instanceof OutcomeUnknownError)
    return new RuntimeError(errorType.opIndeterminate, error.message, []);
  const isKnown =
    error instanceof TableDamagedError ||
    error instanceof MetadataFrozenError ||
    error instanceof KeyOrderError ||
    isRefusal(error);
  return isKnown ? new RuntimeError(errorType.opFailed, error.message, []) : error;
}

const isCorrupt = ({ error }: EditOutcome): boolean => error?.code === storageCorruptCode;

function withAdvice(outcome: EditOutcome, bytes: Uint8Array | undefined): EditOutcome {
  const { code, message } = outcome.error ?? { code: storageCorruptCode, message: '' };
  if (bytes === undefined) return outcome;
  return { ...outcome, error: { code, message: adviceFor(message, bytes) } };
}

function adviceFor(message: string, bytes: Uint8Array): string {
  const key = shownKey(bytes);
  const which = key === undefined ? 'by its primary key' : `by its primary key ${key}`;
  return `${message} Replace it or delete it ${which}, or restore it from a backup.`;
}

const shownScan = <T>(scan: BatchSource<T>): BatchSource<T> => ({
  next: (limit: BatchLimit, signal) => shown(() => scan.next(limit, signal)),
  close: () => scan.close(),
});

function tableAccess(
  database: Database,
  id: string,
  requireRoom: (kind?: WriteKind) => void,
): TableAccess | undefined {
  const table = database.state.tables[id];
  const served = database.table(id);
  if (table === undefined || served === undefined) return undefined;
  return {
    // The path of most reads: no promise more than it needs.
    get: (key) => {
      try {
        const row = served.get(key);
        return row instanceof Promise ? shown(() => row) : row;
      } catch (error) {
        throw inWordsOfDrivers(error);
      }
    },
    scan: (range, order, options) => shownScan(served.scan(range, order, options)),
    scanIndex: (name, range, order, options) => {
      const now = database.state.tables[id];
      const record =
        now === undefined ? undefined : userIndexes(now).find((index) => index.name === name);
      const keyspaces = record === undefined ? [] : keyspacesOf(record);
      const parts = keyspaces.flatMap((keyspace) => database.index(keyspace) ?? []);
      if (parts.length < served.shardCount) {
        const info = infoOf(database, table);
        const words = `Index \`${name}\` was not found on table \`${info.database.name}.${info.name}\`.`;
        throw new RuntimeError(errorType.opFailed, words, []);
      }
      return shownScan(served.scanIndex(parts, { range, order, ...options }));
    },
    count: () =>
      shown(async () => {
        await served.readable();
        return served.count;
      }),
    edit: async (batch, signal) => {
      const { edits } = batch;
      requireRoom(edits.every(({ change }) => isDeletion(change)) ? 'deletion' : 'write');
      try {
        const outcomes = await served.edit(batch, signal);
        // Most often there is none.
        if (!outcomes.some(isCorrupt)) return outcomes;
        return outcomes.map((outcome, at) =>
          isCorrupt(outcome) ? withAdvice(outcome, edits[at]?.key) : outcome,
        );
      } catch (error) {
        throw inWordsOfDrivers(error);
      }
    },
    sync: () =>
      shown(() => {
        served.requireIntact();
        return served.sync();
      }),
  };
}
