import { encodeKey } from '../../datum/key.ts';
import { encodePrimaryKey } from '../../datum/primary-key.ts';
import type { TermCall, TermDefinition, TermEntry } from '../compiled.ts';
import { boundOptions, define, option, text } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { Term } from '../term-table.ts';
import type { Row } from '../../wire/table-access.ts';
import { DamagedDocumentError } from '../errors.ts';
import { logic, spoken } from '../failure.ts';
import { chained, streamOf } from '../stream.ts';
import { datumOf, wrongValue } from '../value-reading.ts';
import {
  BoundArray,
  BoundValue,
  holdsBound,
  RowValue,
  SliceValue,
  StreamValue,
  TableValue,
} from '../value.ts';
import { StoredRow } from '../item.ts';
import type { Value } from '../value.ts';
import { sizeOfItem } from '../work/size.ts';
import { boundedRange, boundKey, keyEnd, lookupKey } from './bounds.ts';
import { indexScan, readyIndex } from './index-access.ts';
import { RowsByKey } from './rows-by-key.ts';

/** Selections that begin at a table: one document, documents by key, a range of an index. */
const many = Number.POSITIVE_INFINITY;

export function expectTable(value: Value | undefined): TableValue {
  if (value instanceof TableValue) return value;
  throw wrongValue('TABLE', value ?? null);
}

/** The document that a key names; it is not read. */
function addressed({ args: [target, key = null] }: TermCall): RowValue {
  const from = expectTable(target);
  // Nothing is equal to a bound.
  if (key instanceof BoundValue || key instanceof BoundArray)
    return new RowValue(from, { key: boundKey(key), primaryKey: null }, undefined);
  const primaryKey = datumOf(key);
  return new RowValue(from, { key: encodePrimaryKey(primaryKey), primaryKey }, undefined);
}

function get(call: TermCall): Value | Promise<Value> {
  const { context } = call;
  const address = addressed(call);
  const [, value] = call.args;
  if (value instanceof BoundValue || value instanceof BoundArray) return address;
  const { table: from, key: bytes, primaryKey } = address;
  const found = (row: Row | undefined): Value =>
    row === undefined
      ? address
      : new RowValue(from, { key: bytes, primaryKey }, new StoredRow(row));
  /** A selection of a document that cannot be read can be written to. */
  const damaged = (error: unknown): Value => {
    const said = spoken(error);
    if (!(said instanceof DamagedDocumentError)) throw said;
    return new RowValue(from, { key: bytes, primaryKey }, said);
  };
  try {
    const row = from.access.get(bytes, context.deadline);
    return row instanceof Promise ? row.then(found, damaged) : found(row);
  } catch (error) {
    return damaged(error);
  }
}

const getAllOptions = {
  index: option(text, 'The index that finds the keys; the primary one without it.'),
} as const;

async function getAll({
  args: [target, ...keys],
  options,
  context,
}: TermCall<OptionValues<typeof getAllOptions>>): Promise<Value> {
  const from = expectTable(target);
  const index = options.index ?? from.info.primaryKey;
  if (index === from.info.primaryKey) {
    const rows: StoredRow[] = [];
    const found = new RowsByKey(from, context);
    // Nothing is equal to a bound.
    const wanted = keys.filter((key) => !holdsBound(key));
    for (let at = 0; at < wanted.length;) {
      const some = wanted.slice(at, at + found.together);
      at += some.length;
      context.work?.spend(some.length);
      if (context.work?.isDue === true) await context.work.pause();
      for (const row of await found.rows(some.map((key) => encodePrimaryKey(lookupKey(key))))) {
        if (row === undefined) continue;
        const item = new StoredRow(row);
        context.work?.memory.charge(sizeOfItem(item));
        rows.push(item);
      }
    }
    return new StreamValue(streamOf(rows), from);
  }
  readyIndex(from, index);
  const values = keys.filter((each) => !holdsBound(each));
  const streams = values.map((key) => {
    const start = encodeKey(lookupKey(key));
    return indexScan(from, index, { start, end: keyEnd(start) }, 'ascending').stream;
  });
  return new StreamValue(chained(streams), from);
}

function refuseSecondBetween(slice: SliceValue, index: string): void {
  if (slice.bounds !== undefined)
    throw logic('Cannot perform multiple BETWEENs on the same table.');
  if (slice.index === index) return;
  throw logic(
    `Cannot call BETWEEN on index \`${index}\` after calling ORDER_BY on index \`${slice.index}\`.`,
  );
}

const betweenOptions = {
  index: option(text, 'The index whose values are bounded; the primary one without it.'),
  ...boundOptions,
} as const;

type Ends = (bounds: readonly Value[]) => readonly [left: Value, right: Value];

/** Null is an end that is not there: what drivers of former versions mean by it. */
const openEnds: Ends = ([left = null, right = null]) => [
  left === null ? new BoundValue('minval') : left,
  right === null ? new BoundValue('maxval') : right,
];

const givenEnds: Ends = ([left = null, right = null]) => [left, right];

function between(
  { args: [target = null, ...bounds], options }: TermCall<OptionValues<typeof betweenOptions>>,
  ends: Ends,
): Value {
  const slice = target instanceof SliceValue ? target : undefined;
  if (slice === undefined && !(target instanceof TableValue))
    throw wrongValue('TABLE_SLICE', target);
  const from = slice?.table ?? expectTable(target);
  const index = options.index ?? slice?.index ?? from.info.primaryKey;
  if (slice !== undefined) refuseSecondBetween(slice, index);
  const [left, right] = ends(bounds);
  const range = boundedRange([left, right], options);
  const { left_bound, right_bound } = options;
  return new SliceValue(from, index, {
    range,
    bounds: { left, right, sides: { left_bound, right_bound } },
    order: slice?.order,
  });
}

const betweenTerm = (ends: Ends): TermDefinition =>
  define({
    arity: [3, 3],
    options: betweenOptions,
    effects: true,
    run: (call) => between(call, ends),
  });

export const selectTerms: readonly TermEntry[] = [
  [
    Term.GET,
    {
      arity: [2, 2],
      effects: true,
      run: get,
      address: { arity: [2, 2], effects: true, run: addressed },
    },
  ],
  [Term.BETWEEN_DEPRECATED, betweenTerm(openEnds)],
  [Term.GET_ALL, define({ arity: [1, many], options: getAllOptions, effects: true, run: getAll })],
  [Term.BETWEEN, betweenTerm(givenEnds)],
];
