import type { Datum } from '../../datum/datum.ts';
import { objectOf } from '../../datum/object.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import type { TableInfo } from '../environment.ts';
import { logic, opFailed } from '../failure.ts';
import { encodeIndex } from '../function-blob.ts';
import { bool, define, option } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { accepted } from '../system/accepted.ts';
import { Term } from '../term-table.ts';
import { textOf } from '../value-reading.ts';
import type { Value } from '../value.ts';
import { binaryDatum } from './binary.ts';
import {
  checkIndexFunction,
  creationText,
  definitionOf,
  fieldIndex,
  functionTerm,
  indexOf,
} from './index-definition.ts';
import { expectTable } from './select.ts';

/** Secondary indexes: made, dropped, renamed, and how they do. */
const many = Number.POSITIVE_INFINITY;

/** The table as it is now: the value may be older than the last index. */
function current(value: Value | undefined, context: Context): TableInfo {
  const { info } = expectTable(value);
  return context.environment.catalog.tableById(info.id) ?? info;
}

const indexOptions = {
  multi: option(
    bool,
    'Whether each item of an array is a value of its own. Without it, as the binary says that an index is made of.',
  ),
  geo: option(bool, 'Whether the values are points, lines and polygons (not implemented).'),
} as const;

async function indexCreate({
  args: [target, name = null, by],
  options,
  context,
}: TermCall<OptionValues<typeof indexOptions>>): Promise<Value> {
  const { info } = expectTable(target);
  const title = textOf(name);
  if (title === info.primaryKey)
    throw logic(`Index name conflict: \`${title}\` is the name of the primary key.`);
  const made = by === undefined ? fieldIndex(title) : indexOf(by);
  if (options.geo ?? made.geo)
    throw logic('Geospatial indexes are not implemented in this version of PhotonDB.');
  checkIndexFunction(made, context);
  const index = {
    name: title,
    multi: options.multi ?? made.multi,
    geo: false,
    definition: definitionOf(made.term),
  };
  accepted(await context.environment.catalog.createIndex(info.id, index));
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
  const { info } = expectTable(target);
  for (const name of [names.from, names.to])
    if (name === info.primaryKey)
      throw logic(`Index name conflict: \`${name}\` is the name of the primary key.`);
  accepted(await context.environment.catalog.renameIndex(info.id, names));
  return { renamed: names.from === names.to ? 0 : 1 };
}

/** All of them when none is named; throws for a name that the table does not have. */
function indexesNamed(info: TableInfo, names: readonly string[]): TableInfo['indexes'] {
  if (names.length === 0) return info.indexes;
  return [...new Set(names)].sort().map((name) => {
    const index = info.indexes.find((each) => each.name === name);
    if (index !== undefined) return index;
    const table = `${info.database.name}.${info.name}`;
    throw opFailed(`Index \`${name}\` was not found on table \`${table}\`.`);
  });
}

function indexStates(info: TableInfo, names: readonly string[]): Datum {
  return indexesNamed(info, names).map((index) =>
    objectOf([
      // Only where something is wrong: the others look as RethinkDB's.
      ...(index.failure === undefined ? [] : [['error', index.failure] as const]),
      ...(index.failedEvaluations === undefined
        ? []
        : [['failed_evaluations', index.failedEvaluations] as const]),
      ['function', binaryDatum(encodeIndex({ ...index, term: functionTerm(index) }))],
      ['geo', index.geo],
      ['index', index.name],
      ['multi', index.multi],
      ['outdated', false],
      ...(index.ready ? [] : [['progress', index.progress] as const]),
      ['query', creationText(index)],
      ['ready', index.ready],
    ]),
  );
}

async function indexWait({ args: [target, ...names], context }: TermCall): Promise<Value> {
  const texts = names.map(textOf);
  indexesNamed(current(target, context), texts);
  await context.environment.catalog.ready(
    expectTable(target).info.id,
    texts.length === 0 ? undefined : texts,
    context.deadline.signal,
  );
  return indexStates(current(target, context), texts);
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
  [
    Term.INDEX_STATUS,
    {
      arity: [1, many],
      effects: true,
      run: async ({ args: [target, ...names], context }) => {
        await context.environment.catalog.refresh?.();
        return indexStates(current(target, context), names.map(textOf));
      },
    },
  ],
  [Term.INDEX_WAIT, { arity: [1, many], effects: true, run: indexWait }],
  [
    Term.INDEX_RENAME,
    define({ arity: [3, 3], options: renameOptions, effects: true, run: indexRename }),
  ],
];
