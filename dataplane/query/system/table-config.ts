import { compareDatum } from '../../datum/compare.ts';
import type { Datum } from '../../datum/datum.ts';
import { prettyText } from '../../datum/text.ts';
import type { DatabaseInfo, TableInfo, TableSettings } from '../environment.ts';
import { opFailed } from '../failure.ts';
import { tableConfig, tableStatus, writeHookDatum } from '../terms/table-report.ts';
import { accepted } from './accepted.ts';
import { RowReader } from './row-reader.ts';
import { isPlacedSo, placesIn } from './shard-rows.ts';
import type { Places } from './shard-rows.ts';
import { catalogId, entryOf } from './system-table.ts';
import type { SystemChange, SystemTable, SystemView } from './system-table.ts';

/**
 * `table_config`: a row for each table. What a row says of indexes, the primary key and the hook must
 * be as it is; names, durability, acknowledgements, shards and TTL change with it.
 */
const wrongFormat =
  "The change you're trying to make to `rethinkdb.table_config` has the wrong format. ";

const userTables = ({ environment: { catalog } }: SystemView): readonly TableInfo[] =>
  catalog.databases().flatMap(({ id }) => catalog.tables(id));

async function write(change: SystemChange, view: SystemView): Promise<Datum> {
  const { id, proposed, isKeyGenerated } = change;
  const { catalog, server } = view.environment;
  const before = catalog.tableById(catalogId(id));
  if (proposed === null) {
    if (before !== undefined) accepted(await catalog.dropTable(before.id));
    return null;
  }
  if (before === undefined && !isKeyGenerated)
    throw opFailed(
      'There is no existing table with the given ID. To create a new table by inserting into `rethinkdb.table_config`, you must let the database generate the primary key automatically.',
    );
  const settings = settingsOf(proposed, before, view);
  const info =
    before === undefined
      ? accepted(await create(catalogId(id), settings, view))
      : await changed(before, settings, view);
  return tableConfig(info, server, view.identifiers);
}

async function changed(
  before: TableInfo,
  { places, ...settings }: RowSettings,
  { environment: { catalog } }: SystemView,
): Promise<TableInfo> {
  const isMoved = places !== undefined && !isPlacedSo(before, places);
  // Whether there are such places is known before anything is changed.
  if (isMoved) accepted(await catalog.placeReplicas(before.id, { places, isDryRun: true }));
  const info = accepted(await catalog.configureTable(before.id, settings));
  return isMoved ? accepted(await catalog.placeReplicas(before.id, { places })) : info;
}

interface RowSettings extends TableSettings {
  readonly primaryKey: string;
  readonly places: Places | undefined;
}

function create(
  id: string,
  { database, name, ...settings }: RowSettings,
  { environment: { catalog } }: SystemView,
): ReturnType<typeof catalog.createTable> {
  const fixed = { replicas: 1, replication: 'sync', partition: 'hash' } as const;
  return catalog.createTable(database.id, name, { ...fixed, ...settings }, id);
}

function settingsOf(row: Datum, before: TableInfo | undefined, view: SystemView): RowSettings {
  const reader = new RowReader(row, wrongFormat);
  /** A new table may leave it out. */
  const given = (field: string): boolean => before !== undefined || reader.has(field);
  const name = reader.name('name', 'table name');
  const database = databaseOf(reader, view);
  reader.field('id');
  checkIndexes(reader, before);
  const primaryKey = given('primary_key') ? reader.text('primary_key') : 'id';
  const places = given('shards') ? placesIn(reader, { view, prefix: wrongFormat }) : undefined;
  const shards = places?.length ?? 1;
  const writeAcks = given('write_acks')
    ? reader.oneOf('write_acks', ['single', 'majority'], ':')
    : 'majority';
  const durability = given('durability')
    ? reader.oneOf('durability', ['soft', 'hard'], ':')
    : 'hard';
  checkWriteHook(reader, before);
  const expireAt = expiryOf(reader);
  reader.end();
  if (before !== undefined && primaryKey !== before.primaryKey)
    throw opFailed("It's illegal to change a table's primary key");
  return {
    name,
    database,
    primaryKey,
    shards,
    places,
    writeAcks,
    durability,
    expireAt,
  };
}

function databaseOf(reader: RowReader, { environment, identifiers }: SystemView): DatabaseInfo {
  const { catalog } = environment;
  if (identifiers === 'uuid') {
    const id = reader.field('db');
    const found = catalog.databases().find((database) => database.id === id);
    if (found !== undefined) return found;
    const isText = typeof id === 'string';
    throw reader.failure(
      isText
        ? `There is no database with UUID \`${id}\`.`
        : `Expected a UUID; got ${prettyText(id)}`,
    );
  }
  const name = reader.name('db', 'database name', '');
  const found = catalog.database(name);
  if (found === undefined) throw reader.failure(`Database \`${name}\` does not exist.`);
  return found;
}

function checkIndexes(reader: RowReader, before: TableInfo | undefined): void {
  if (before === undefined && !reader.has('indexes')) return;
  const names = reader.array('indexes', 'In `indexes`: ').map((each) => {
    if (typeof each === 'string') return each;
    throw reader.failure(`In \`indexes\`: Expected a string; got ${prettyText(each)}`);
  });
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined)
    throw reader.failure(`In \`indexes\`: "${twice}" was specified more than once.`);
  const kept = (before?.indexes ?? []).map((index) => index.name);
  const same = kept.length === names.length && kept.every((name) => names.includes(name));
  if (same) return;
  const verb = before === undefined ? 'create' : 'create or drop';
  throw reader.failure(`The \`indexes\` field is read-only and can't be used to ${verb} indexes.`);
}

function checkWriteHook(reader: RowReader, before: TableInfo | undefined): void {
  if (before === undefined && !reader.has('write_hook')) return;
  const hook = reader.field('write_hook');
  const kept = before === undefined ? null : writeHookDatum(before);
  if (compareDatum(hook, kept) === 0) return;
  throw reader.failure(
    "The `write_hook` field is read-only and can't be used to create or drop a write hook function.",
  );
}

/** PhotonDB's own; absent in rows of tables without it. */
function expiryOf(reader: RowReader): string | undefined {
  const field = reader.optional('expire_at') ?? null;
  if (field === null) return undefined;
  if (typeof field === 'string') return field;
  throw reader.failure(`In \`expire_at\`: Expected a string; got ${prettyText(field)}`);
}

export const tableConfigTable: SystemTable = {
  name: 'table_config',
  entries: (view) =>
    userTables(view).map((info) =>
      entryOf(info.id, () => tableConfig(info, view.environment.server, view.identifiers)),
    ),
  write,
};

export const tableStatusTable: SystemTable = {
  name: 'table_status',
  entries: async (view) => {
    const { server, report } = view.environment;
    const shards = await report.shards();
    const { identifiers } = view;
    return userTables(view).map((info) =>
      entryOf(info.id, () =>
        tableStatus(info, { server, identifiers, shards: shards.get(info.id) }),
      ),
    );
  },
};
