import type { Datum } from '../../datum/datum.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import type { DatabaseInfo, Refusal } from '../environment.ts';
import { logic, opFailed } from '../failure.ts';
import { DatabaseValue, datumOf, TableValue, textOf, wrongValue } from '../value.ts';
import type { Value } from '../value.ts';
import { expectTable } from './select.ts';
import { systemDatabase, uuidSuffix } from '../system-database.ts';
import { tableConfig } from './table-report.ts';

/** Databases and tables: their making, their lists, what they are. */
const nameRule = 'Use A-Z, a-z, 0-9, _ and - only';

function checkName(kind: string, name: string): string {
  if (/^[A-Za-z0-9_-]+$/.test(name)) return name;
  throw logic(`${kind} name \`${name}\` invalid (${nameRule}).`);
}

export function accepted<T extends object>(result: T | Refusal): T {
  if ('type' in result && result.type === 'refused') throw opFailed(result.message);
  return result as T;
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

const readModes = new Set(['majority', 'single', 'outdated']);

function checkReadOptions(options: TermCall['options']): void {
  if (options.has('use_outdated'))
    throw logic(
      'The `use_outdated` optarg is no longer supported.  Use the `read_mode` optarg instead.',
    );
  const mode = options.get('read_mode');
  if (mode !== undefined && !readModes.has(textOf(mode)))
    throw logic(
      `Read mode \`${textOf(mode)}\` unrecognized (options are "majority", "single", and "outdated").`,
    );
}

function durabilityOf(value: Value | undefined): 'hard' | 'soft' {
  const text = value === undefined ? 'hard' : textOf(value);
  if (text === 'hard' || text === 'soft') return text;
  throw logic(`Durability option \`${text}\` unrecognized (options are "hard" and "soft").`);
}

function table(call: TermCall): Value {
  checkReadOptions(call.options);
  const { database, name = '' } = inDatabase(call);
  checkName('Table', name);
  const { catalog } = call.context.environment;
  const info = catalog.table(database.id, name);
  const format = call.options.get('identifier_format') ?? 'name';
  const suffix =
    textOf(format) === 'uuid' && info?.database.id === systemDatabase.id ? uuidSuffix : '';
  const access =
    info === undefined ? undefined : call.context.environment.table(`${info.id}${suffix}`);
  if (info === undefined || access === undefined)
    throw opFailed(`Table \`${database.name}.${name}\` does not exist.`);
  return new TableValue(info, access, () => call.context.environment.pause());
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

/** The field whose time ends a document; undefined for none. */
export function expireAtOf(value: Value): string | undefined {
  return datumOf(value) === null ? undefined : textOf(value);
}

async function tableCreate(call: TermCall): Promise<Value> {
  const { database, name = '' } = inDatabase(call);
  const { options, context } = call;
  const shards = Number(datumOf(options.get('shards') ?? 1));
  const replicas = Number(datumOf(options.get('replicas') ?? 1));
  if (replicas !== 1)
    throw opFailed(
      `Can't put ${replicas} replicas on servers with the tag \`default\` because there are only 1 servers with the tag \`default\`. It's impossible to have more replicas of the data than there are servers.`,
    );
  if (shards !== 1)
    throw opFailed('This version keeps a table in one shard: leave out `shards`, or set it to 1.');
  const info = accepted(
    await context.environment.catalog.createTable(database.id, checkName('Table', name), {
      primaryKey: textOf(options.get('primary_key') ?? 'id'),
      durability: durabilityOf(options.get('durability')),
      shards,
      replicas,
      replication: 'sync',
      partition: 'hash',
      expireAt: expireAtOf(options.get('expire_at') ?? null),
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
    14,
    {
      arity: [1, 1],
      run: ({ args: [name = null], context }) =>
        new DatabaseValue(namedDatabase(checkName('Database', textOf(name)), context)),
    },
  ],
  [
    15,
    {
      arity: [1, 2],
      options: ['read_mode', 'use_outdated', 'identifier_format'],
      effects: true,
      run: table,
    },
  ],
  [57, { arity: [1, 1], effects: true, run: dbCreate }],
  [58, { arity: [1, 1], effects: true, run: dbDrop }],
  [
    59,
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
    60,
    {
      arity: [1, 2],
      options: [
        'primary_key',
        'durability',
        'shards',
        'replicas',
        'replication',
        'partition',
        'primary_replica_tag',
        'nonvoting_replica_tags',
        'expire_at',
      ],
      effects: true,
      run: tableCreate,
    },
  ],
  [61, { arity: [1, 2], effects: true, run: tableDrop }],
  [62, { arity: [0, 1], effects: true, run: tableList }],
  [
    138,
    {
      arity: [1, 1],
      effects: true,
      run: async ({ args: [target] }) => {
        await expectTable(target).access.sync();
        return { synced: 1 };
      },
    },
  ],
  [
    177,
    { arity: [0, 1], options: ['wait_for', 'timeout'], effects: true, run: () => ({ ready: 1 }) },
  ],
];
