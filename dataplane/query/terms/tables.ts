import type { Datum } from '../../datum/datum.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import {
  define,
  durability,
  identifierFormat,
  option,
  readModeOption,
  useOutdated,
} from '../options.ts';
import type { OptionValues } from '../options.ts';
import { Term } from '../term-table.ts';
import type { DatabaseInfo } from '../environment.ts';
import { logic, opFailed } from '../failure.ts';
import { accepted } from '../system/accepted.ts';
import { datumOf, textOf, wrongValue } from '../value-reading.ts';
import { DatabaseValue, TableValue } from '../value.ts';
import type { Value } from '../value.ts';
import { checkPlacement, placementOptions } from './placement.ts';
import { expectTable } from './select.ts';
import { systemDatabase, uuidSuffix } from '../system-database.ts';
import { tableConfig } from './table-report.ts';

/** Databases and tables: their making, their lists, what they are. */
const nameRule = 'Use A-Z, a-z, 0-9, _ and - only';

function checkName(kind: string, name: string): string {
  if (/^[A-Za-z0-9_-]+$/.test(name)) return name;
  throw logic(`${kind} name \`${name}\` invalid (${nameRule}).`);
}

function databaseOf(value: Value | undefined, context: Context): DatabaseInfo {
  if (value instanceof DatabaseValue) return value.info;
  return namedDatabase(context.database, context);
}

function namedDatabase(name: string, { environment }: Context): DatabaseInfo {
  const found = environment.catalog.database(name);
  if (found === undefined) throw opFailed(`Database \`${name}\` does not exist.`);
  return found;
}

/** `db.term(name)` or `term(name)` in the query's own database. */
function inDatabase(
  { args, context }: TermCall,
  wantsName = true,
): {
  database: DatabaseInfo;
  name: string | undefined;
} {
  const [first, second] = args;
  if (first instanceof DatabaseValue && second === undefined && wantsName)
    throw wrongValue('STRING', first);
  if (first instanceof DatabaseValue)
    return { database: first.info, name: second === undefined ? undefined : textOf(second) };
  return {
    database: databaseOf(undefined, context),
    name: first === undefined ? undefined : textOf(first),
  };
}

const tableOptions = {
  read_mode: readModeOption,
  use_outdated: useOutdated,
  identifier_format: option(
    identifierFormat,
    'How rows of system tables name databases, tables and servers.',
    'name',
  ),
} as const;

function table(call: TermCall<OptionValues<typeof tableOptions>>): Value {
  const { database, name = '' } = inDatabase(call);
  checkName('Table', name);
  const { catalog } = call.context.environment;
  const info = catalog.table(database.id, name);
  const showsIds =
    call.options.identifier_format === 'uuid' && info?.database.id === systemDatabase.id;
  // A text that is put together is looked up much more slowly than one that is there.
  const id = showsIds ? `${info.id}${uuidSuffix}` : info?.id;
  const { read_mode: mode } = call.options;
  const access = id === undefined ? undefined : call.context.environment.table(id, mode);
  if (info === undefined || access === undefined)
    throw opFailed(`Table \`${database.name}.${name}\` does not exist.`);
  return new TableValue(info, access, call.context.work);
}

const changed = (old: Datum, next: Datum): Datum => [{ new_val: next, old_val: old }];
const databaseDatum = (info: DatabaseInfo): Datum => ({ id: info.id, name: info.name });

async function dbCreate({ args: [name = null], context }: TermCall): Promise<Value> {
  const info = accepted(
    await context.environment.catalog.createDatabase(checkName('Database', textOf(name))),
  );
  return { config_changes: changed(null, databaseDatum(info)), dbs_created: 1 };
}

async function dbDrop({ args: [name = null], context }: TermCall): Promise<Value> {
  const { database, tables } = accepted(
    await context.environment.catalog.dropDatabase(textOf(name)),
  );
  return {
    config_changes: changed(databaseDatum(database), null),
    dbs_dropped: 1,
    tables_dropped: tables.length,
  };
}

/** The field whose time ends a document; null for none. */
export const expireAtOption = option<string | null>(
  {
    allowed: 'a string, `null`',
    read: (value) => (datumOf(value) === null ? null : textOf(value)),
  },
  'The field whose time [ends a document](../concepts/expiry.md); null for none.',
);

const defaultKey = 'id';

const tableCreateOptions = {
  primary_key: option(
    {
      allowed: 'a string',
      // The import of the Python package sends null for what it was not told.
      read: (value) => (datumOf(value) === null ? defaultKey : textOf(value)),
    },
    'The field that holds the primary key.',
    defaultKey,
  ),
  durability: option(durability, 'Whether writes are on disk when they are answered.', 'hard'),
  ...placementOptions,
  expire_at: expireAtOption,
} as const;

async function tableCreate(
  call: TermCall<OptionValues<typeof tableCreateOptions>>,
): Promise<Value> {
  const { database, name = '' } = inDatabase(call);
  const { options, context } = call;
  const wantedReplicas = checkPlacement(options);
  const info = accepted(
    await context.environment.catalog.createTable(database.id, checkName('Table', name), {
      primaryKey: options.primary_key,
      durability: options.durability,
      shards: options.shards,
      replicas: 1,
      wantedReplicas,
      replication: 'sync',
      partition: 'hash',
      expireAt: options.expire_at ?? undefined,
    }),
  );
  return {
    config_changes: changed(null, tableConfig(info, context.environment.server)),
    tables_created: 1,
  };
}

async function tableDrop(call: TermCall): Promise<Value> {
  const { database, name = '' } = inDatabase(call);
  const { catalog } = call.context.environment;
  const info = catalog.table(database.id, name);
  if (info === undefined) throw opFailed(`Table \`${database.name}.${name}\` does not exist.`);
  accepted(await catalog.dropTable(info.id));
  return {
    config_changes: changed(tableConfig(info, call.context.environment.server), null),
    tables_dropped: 1,
  };
}

const tableList = (call: TermCall): Value =>
  call.context.environment.catalog
    .tables(inDatabase(call, false).database.id)
    .map(({ name }) => name)
    .sort();

export const tableTerms: readonly TermEntry[] = [
  [
    Term.DB,
    {
      arity: [1, 1],
      run: ({ args: [name = null], context }) =>
        new DatabaseValue(namedDatabase(checkName('Database', textOf(name)), context)),
    },
  ],
  [Term.TABLE, define({ arity: [1, 2], options: tableOptions, effects: true, run: table })],
  [Term.DB_CREATE, { arity: [1, 1], effects: true, run: dbCreate }],
  [Term.DB_DROP, { arity: [1, 1], effects: true, run: dbDrop }],
  [
    Term.DB_LIST,
    {
      arity: [0, 0],
      effects: true,
      run: ({ context }) =>
        context.environment.catalog
          .databases()
          .map(({ name }) => name)
          .sort(),
    },
  ],
  [
    Term.TABLE_CREATE,
    define({ arity: [1, 2], options: tableCreateOptions, effects: true, run: tableCreate }),
  ],
  [Term.TABLE_DROP, { arity: [1, 2], effects: true, run: tableDrop }],
  [Term.TABLE_LIST, { arity: [0, 1], effects: true, run: tableList }],
  [
    Term.SYNC,
    {
      arity: [1, 1],
      effects: true,
      run: async ({ args: [target] }) => {
        await expectTable(target).access.sync();
        return { synced: 1 };
      },
    },
  ],
];
