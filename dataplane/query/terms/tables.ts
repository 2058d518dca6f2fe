import type { Datum } from '../../datum/datum.ts';
import { encodeKey, primaryKeyTextMax } from '../../datum/key.ts';
import { objectOf } from '../../datum/object.ts';
import { prettyText } from '../../datum/text.ts';
import { typeName } from '../../datum/type-name.ts';
import type { Context, TermCall, TermDefinition } from '../compiled.ts';
import type { DatabaseInfo, EncodedRange, Refusal, TableInfo } from '../environment.ts';
import { logic, opFailed, wrongType } from '../failure.ts';
import { streamOf, chained } from '../stream.ts';
import {
  BoundValue,
  DatabaseValue,
  datumOf,
  FunctionValue,
  RowValue,
  StoredRow,
  StreamValue,
  TableValue,
  textOf,
  truth,
} from '../value.ts';
import type { Value } from '../value.ts';
import { after } from './sequence.ts';
import { indexScan, readyIndex } from './index-access.ts';

/** Databases, tables, indexes, and the selections that begin at a table. */
const many = Number.POSITIVE_INFINITY;
const nameRule = 'Use A-Z, a-z, 0-9, _ and - only';

function checkName(kind: string, name: string): string {
  if (/^[A-Za-z0-9_-]+$/.test(name)) return name;
  throw logic(`${kind} name \`${name}\` invalid (${nameRule}).`);
}

function accepted<T extends object>(result: T | Refusal): T {
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
function inDatabase({ args, context }: TermCall): {
  database: DatabaseInfo;
  name: string | undefined;
} {
  const [first, second] = args;
  if (first instanceof DatabaseValue)
    return { database: first.info, name: second === undefined ? undefined : textOf(second) };
  return {
    database: databaseOf(undefined, context),
    name: first === undefined ? undefined : textOf(first),
  };
}

function table(call: TermCall): Value {
  const { database, name = '' } = inDatabase(call);
  checkName('Table', name);
  const { catalog } = call.context.environment;
  const info = catalog.table(database.id, name);
  const access = info === undefined ? undefined : call.context.environment.table(info.id);
  if (info === undefined || access === undefined)
    throw opFailed(`Table \`${database.name}.${name}\` does not exist.`);
  return new TableValue(info, access, () => call.context.environment.pause());
}

export function expectTable(value: Value | undefined): TableValue {
  if (value instanceof TableValue) return value;
  throw wrongType('TABLE', value === undefined ? 'nothing' : 'DATUM');
}

/** The bytes of a primary key; the sentences are RethinkDB's. */
export function primaryKeyOf(datum: Datum): Uint8Array {
  const type = typeName(datum);
  if (type === 'NULL' || type === 'OBJECT') {
    throw logic(
      `Primary keys must be either a number, string, bool, pseudotype or array (got type ${type}):\n${prettyText(datum)}`,
    );
  }
  const key = encodeKey(datum);
  if (
    key.byteLength > primaryKeyTextMax + 16 ||
    (typeof datum === 'string' && key.byteLength - 3 > primaryKeyTextMax)
  ) {
    throw logic(`Primary key too long (max ${primaryKeyTextMax} characters): ${prettyText(datum)}`);
  }
  return key;
}

async function get({ args: [target, key = null], context }: TermCall): Promise<Value> {
  const from = expectTable(target);
  const primaryKey = datumOf(key);
  const bytes = primaryKeyOf(primaryKey);
  const row = await from.access.get(bytes, context.signal);
  return new RowValue(
    from,
    { key: bytes, primaryKey },
    row === undefined ? undefined : new StoredRow(row),
  );
}

async function getAll({ args: [target, ...keys], options, context }: TermCall): Promise<Value> {
  const from = expectTable(target);
  const index = textOf(options.get('index') ?? from.info.primaryKey);
  if (index === from.info.primaryKey) {
    const rows: StoredRow[] = [];
    for (const key of keys) {
      const row = await from.access.get(primaryKeyOf(datumOf(key)), context.signal);
      if (row !== undefined) rows.push(new StoredRow(row));
    }
    return new StreamValue(streamOf(rows), from);
  }
  readyIndex(from, index);
  const streams = keys.map((key) => {
    const start = encodeKey(datumOf(key));
    return indexScan(from, index, { start, end: after(start) }, 'ascending').stream;
  });
  return new StreamValue(chained(streams), from);
}

function boundedRange(
  [low, high]: readonly Value[],
  options: TermCall['options'],
): EncodedRange | undefined {
  const start = low instanceof BoundValue ? undefined : encodeKey(datumOf(low ?? null));
  const end = high instanceof BoundValue ? undefined : encodeKey(datumOf(high ?? null));
  if (
    (low instanceof BoundValue && low.end === 'maxval') ||
    (high instanceof BoundValue && high.end === 'minval')
  )
    return undefined;
  const openLeft = options.get('left_bound') === 'open';
  const closedRight = options.get('right_bound') === 'closed';
  return {
    ...(start === undefined ? {} : { start: openLeft ? after(start) : start }),
    ...(end === undefined ? {} : { end: closedRight ? after(end) : end }),
  };
}

function between({ args: [target, ...bounds], options }: TermCall): Value {
  const from = expectTable(target);
  const range = boundedRange(bounds, options);
  if (range === undefined) return new StreamValue(streamOf([]), from);
  return indexScan(from, textOf(options.get('index') ?? from.info.primaryKey), range, 'ascending');
}

function tableConfig(info: TableInfo, context: Context): Datum {
  const { name } = context.environment.server;
  return {
    db: info.database.name,
    durability: info.durability,
    id: info.id,
    indexes: info.indexes.map((index) => index.name).sort(),
    name: info.name,
    primary_key: info.primaryKey,
    shards: [{ nonvoting_replicas: [], primary_replica: name, replicas: [name] }],
    write_acks: 'majority',
    write_hook: null,
  };
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
      durability: options.get('durability') === 'soft' ? 'soft' : 'hard',
      shards,
      replicas,
      replication: 'sync',
      partition: 'hash',
    }),
  );
  return { config_changes: changed(null, tableConfig(info, context)), tables_created: 1 };
}

async function tableDrop(call: TermCall): Promise<Value> {
  const { database, name = '' } = inDatabase(call);
  const { catalog } = call.context.environment;
  const info = catalog.table(database.id, name);
  if (info === undefined) throw opFailed(`Table \`${database.name}.${name}\` does not exist.`);
  accepted(await catalog.dropTable(info.id));
  return { config_changes: changed(tableConfig(info, call.context), null), tables_dropped: 1 };
}

const tableList = (call: TermCall): Value =>
  call.context.environment.catalog
    .tables(inDatabase(call).database.id)
    .map(({ name }) => name)
    .sort();

/** The table as it is now: the value may be older than the last index. */
function current(value: Value | undefined, context: Context): TableInfo {
  const { info } = expectTable(value);
  return context.environment.catalog.tableById(info.id) ?? info;
}

async function indexCreate({
  args: [target, name = null, by],
  options,
  context,
}: TermCall): Promise<Value> {
  const { info } = expectTable(target);
  const text = textOf(name);
  if (text === info.primaryKey)
    throw logic(`Index name conflict: \`${text}\` is the name of the primary key.`);
  if (truth(options.get('geo') ?? false))
    throw logic('Geospatial indexes are not implemented in this version of PhotonDB.');
  if (by instanceof FunctionValue && !by.pure) {
    throw logic('Could not prove index function deterministic.');
  }
  const definition = JSON.stringify(by instanceof FunctionValue ? by.term : text);
  accepted(
    await context.environment.catalog.createIndex(info.id, {
      name: text,
      multi: truth(options.get('multi') ?? false),
      geo: false,
      definition,
    }),
  );
  return { created: 1 };
}

async function indexDrop({ args: [target, name = null], context }: TermCall): Promise<Value> {
  accepted(await context.environment.catalog.dropIndex(expectTable(target).info.id, textOf(name)));
  return { dropped: 1 };
}

async function indexRename({
  args: [target, from = null, to = null],
  options,
  context,
}: TermCall): Promise<Value> {
  const names = {
    from: textOf(from),
    to: textOf(to),
    overwrite: truth(options.get('overwrite') ?? false),
  };
  accepted(await context.environment.catalog.renameIndex(expectTable(target).info.id, names));
  return { renamed: names.from === names.to ? 0 : 1 };
}

function indexStates(info: TableInfo, names: readonly string[]): Datum {
  const wanted =
    names.length === 0
      ? info.indexes
      : names.map((name) => {
          const index = info.indexes.find((each) => each.name === name);
          if (index === undefined)
            throw opFailed(
              `Index \`${name}\` was not found on table \`${info.database.name}.${info.name}\`.`,
            );
          return index;
        });
  return wanted.map((index) =>
    objectOf([
      [
        'function',
        { $reql_type$: 'BINARY', data: btoa(unescape(encodeURIComponent(index.definition))) },
      ],
      ['geo', index.geo],
      ['index', index.name],
      ['multi', index.multi],
      ['outdated', false],
      ...(index.ready ? [] : [['progress', index.progress] as const]),
      ['query', `indexCreate('${index.name}', ${index.definition})`],
      ['ready', index.ready],
    ]),
  );
}

async function indexWait({ args: [target, ...names], context }: TermCall): Promise<Value> {
  const texts = names.map(textOf);
  indexStates(current(target, context), texts);
  await context.environment.catalog.ready(
    expectTable(target).info.id,
    texts.length === 0 ? undefined : texts,
    context.signal,
  );
  return indexStates(current(target, context), texts);
}

function info({ args: [value = null], context }: TermCall): Value {
  if (value instanceof DatabaseValue) return { ...value.info, type: 'DB' };
  if (!(value instanceof TableValue))
    return { type: typeName(datumOf(value)), value: prettyText(datumOf(value)) };
  const now = current(value, context);
  return {
    db: { id: now.database.id, name: now.database.name, type: 'DB' },
    doc_count_estimates: [],
    id: now.id,
    indexes: now.indexes.map((index) => index.name).sort(),
    name: now.name,
    primary_key: now.primaryKey,
    type: 'TABLE',
  };
}

function status({ args: [target], context }: TermCall): Value {
  const { name: server } = context.environment.server;
  const now = current(target, context);
  return {
    db: now.database.name,
    id: now.id,
    name: now.name,
    raft_leader: server,
    shards: [{ primary_replicas: [server], replicas: [{ server, state: 'ready' }] }],
    status: {
      all_replicas_ready: true,
      ready_for_outdated_reads: true,
      ready_for_reads: true,
      ready_for_writes: true,
    },
  };
}

export const tableTerms: readonly (readonly [number, TermDefinition])[] = [
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
  [16, { arity: [2, 2], effects: true, run: get }],
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
      ],
      effects: true,
      run: tableCreate,
    },
  ],
  [61, { arity: [1, 2], effects: true, run: tableDrop }],
  [62, { arity: [0, 1], effects: true, run: tableList }],
  [75, { arity: [2, 3], options: ['multi', 'geo'], effects: true, run: indexCreate }],
  [76, { arity: [2, 2], effects: true, run: indexDrop }],
  [
    77,
    {
      arity: [1, 1],
      effects: true,
      run: ({ args: [target], context }) =>
        current(target, context)
          .indexes.map(({ name }) => name)
          .sort(),
    },
  ],
  [78, { arity: [1, many], options: ['index'], effects: true, run: getAll }],
  [79, { arity: [1, 1], effects: true, run: info }],
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
    139,
    {
      arity: [1, many],
      effects: true,
      run: ({ args: [target, ...names], context }) =>
        indexStates(current(target, context), names.map(textOf)),
    },
  ],
  [140, { arity: [1, many], effects: true, run: indexWait }],
  [156, { arity: [3, 3], options: ['overwrite'], effects: true, run: indexRename }],
  [
    174,
    {
      arity: [1, 1],
      effects: true,
      run: ({ args: [target], context }) => tableConfig(current(target, context), context),
    },
  ],
  [175, { arity: [1, 1], effects: true, run: status }],
  [
    177,
    { arity: [0, 1], options: ['wait_for', 'timeout'], effects: true, run: () => ({ ready: 1 }) },
  ],
  [
    182,
    { arity: [3, 3], options: ['index', 'left_bound', 'right_bound'], effects: true, run: between },
  ],
];
