import type { Datum } from '../../datum/datum.ts';
import { objectOf } from '../../datum/object.ts';
import { prettyText } from '../../datum/text.ts';
import { typeName } from '../../datum/type-name.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import { bool, define, option } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { Term } from '../term-table.ts';
import type { TableInfo } from '../environment.ts';
import { logic, opFailed } from '../failure.ts';
import { DatabaseValue, datumOf, Special, TableValue, textOf } from '../value.ts';
import type { Value } from '../value.ts';
import { indexBytes, indexDefinition, indexQuery } from './index-definition.ts';
import { expectTable } from './select.ts';
import { accepted } from '../system/accepted.ts';
import { tableOf } from './sequence-tools.ts';

/** Secondary indexes, and what a table says of itself. */
const many = Number.POSITIVE_INFINITY;

/** The table as it is now: the value may be older than the last index. */
function current(value: Value | undefined, context: Context): TableInfo {
  const { info } = expectTable(value);
  return context.environment.catalog.tableById(info.id) ?? info;
}

const indexOptions = {
  multi: option(
    bool,
    'Whether each item of an array is a value of its own; without it, as the bytes of the function say.',
  ),
  geo: option(
    bool,
    'Whether the values are points, lines and polygons (not implemented); without it, as `multi`.',
  ),
} as const;

async function indexCreate(call: TermCall<OptionValues<typeof indexOptions>>): Promise<Value> {
  const {
    args: [target, name = null, by],
    options,
    context,
  } = call;
  const { info } = expectTable(target);
  const title = textOf(name);
  if (title === info.primaryKey)
    throw logic(`Index name conflict: \`${title}\` is the name of the primary key.`);
  const { definition, multi, geo } = indexDefinition(by, title, context);
  if (options.geo ?? geo)
    throw logic('Geospatial indexes are not implemented in this version of PhotonDB.');
  accepted(
    await context.environment.catalog.createIndex(info.id, {
      name: title,
      multi: options.multi ?? multi,
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

const renameOptions = {
  overwrite: option(bool, 'Whether an index that has the new name already is replaced.', false),
} as const;

async function indexRename({
  args: [target, from = null, to = null],
  options: { overwrite },
  context,
}: TermCall<OptionValues<typeof renameOptions>>): Promise<Value> {
  const names = {
    from: textOf(from),
    to: textOf(to),
    overwrite,
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
      ['function', indexBytes(index)],
      ['geo', index.geo],
      ['index', index.name],
      ['multi', index.multi],
      ['outdated', false],
      ...(index.ready ? [] : [['progress', index.progress] as const]),
      ['query', indexQuery(index)],
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

async function info({ args: [value = null], context }: TermCall): Promise<Value> {
  if (value instanceof DatabaseValue) return { ...value.info, type: 'DB' };
  if (value instanceof TableValue) return tableInfo(value, context);
  const table = tableOf(value);
  if (table !== undefined && value instanceof Special)
    return { table: await tableInfo(table, context), type: value.typeName };
  if (value instanceof Special) return { type: value.typeName, value: value.shown };
  return { type: typeName(datumOf(value)), value: prettyText(datumOf(value)) };
}

async function tableInfo(value: TableValue, context: Context): Promise<Datum> {
  const now = current(value, context);
  return {
    db: { id: now.database.id, name: now.database.name, type: 'DB' },
    doc_count_estimates: [await value.access.count()],
    id: now.id,
    indexes: now.indexes.map((index) => index.name).sort(),
    name: now.name,
    primary_key: now.primaryKey,
    type: 'TABLE',
  };
}

export const indexTerms: readonly TermEntry[] = [
  [
    Term.INDEX_CREATE,
    define({ arity: [2, 3], options: indexOptions, effects: true, run: indexCreate }),
  ],
  [Term.INDEX_DROP, { arity: [2, 2], effects: true, run: indexDrop }],
  [
    Term.INDEX_LIST,
    {
      arity: [1, 1],
      effects: true,
      run: ({ args: [target], context }) =>
        current(target, context)
          .indexes.map(({ name }) => name)
          .sort(),
    },
  ],
  [Term.INFO, { arity: [1, 1], effects: true, run: info }],
  [
    Term.INDEX_STATUS,
    {
      arity: [1, many],
      effects: true,
      run: ({ args: [target, ...names], context }) =>
        indexStates(current(target, context), names.map(textOf)),
    },
  ],
  [Term.INDEX_WAIT, { arity: [1, many], effects: true, run: indexWait }],
  [
    Term.INDEX_RENAME,
    define({ arity: [3, 3], options: renameOptions, effects: true, run: indexRename }),
  ],
];
