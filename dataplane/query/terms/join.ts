import type { Datum } from '../../datum/datum.ts';
import { encodeKey } from '../../datum/key.ts';
import { objectOf } from '../../datum/object.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import { after, eachOf, orAbsent, whenDone } from '../maybe-async.ts';
import { bool, define, inert, option, text } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { Term } from '../term-table.ts';
import { flatMapped, streamOf, transformed } from '../stream.ts';
import type { Inner } from '../stream.ts';
import { datumOf, truth, wrongValue } from '../value-reading.ts';
import { FunctionValue, StreamValue, TableValue } from '../value.ts';
import { datumOfItem, StoredRow } from '../item.ts';
import type { Value } from '../value.ts';
import type { Item } from '../item.ts';
import { fieldFunction } from './fields.ts';
import { keyEnd } from './bounds.ts';
import { indexScan } from './index-access.ts';
import {
  checkArity,
  expectFunction,
  isInfinite,
  itemFunction,
  itemsNow,
  itemsOf,
  streamFrom,
} from './sequence-tools.ts';

/** Joins: by a key of the right table, or by any function of both sides. */

const pair = (left: Item, right: Item | undefined): Datum =>
  objectOf([
    ['left', datumOfItem(left)],
    ...(right === undefined ? [] : [['right', datumOfItem(right)] as const]),
  ]);

const eqJoinOptions = {
  index: option(
    text,
    'The index of the right table that finds the partners; the primary one without it.',
  ),
  ordered: inert(
    bool,
    'Whether pairs come in the order of the left side. They do, whatever it says.',
  ),
} as const;

async function eqJoin({
  args: [left = null, by = null, right = null],
  options,
  context,
}: TermCall<OptionValues<typeof eqJoinOptions>>): Promise<Value> {
  if (!(right instanceof TableValue)) throw wrongValue('TABLE', right);
  const index = options.index ?? right.info.primaryKey;
  const of = by instanceof FunctionValue ? itemFunction(by) : fieldFunction(by);
  const partners = (item: Item): Inner | Promise<Inner> =>
    whenDone(
      orAbsent(() => whenDone(of(item), datumOf), undefined),
      (key) =>
        key === undefined || key === null
          ? []
          : matchesOf(right, { index, key, left: item }, context),
    );
  const stream = new StreamValue(
    flatMapped(streamFrom(left), partners, context.work),
    undefined,
    isInfinite(left),
  );
  // Of an array it is an array.
  return Array.isArray(left) ? (await itemsOf(stream, context)).map(datumOfItem) : stream;
}

interface Wanted {
  readonly index: string;
  readonly key: Datum;
  readonly left: Item;
}

async function matchesOf(
  table: TableValue,
  { index, key, left }: Wanted,
  context: Context,
): Promise<Inner> {
  const start = encodeKey(key);
  if (index === table.info.primaryKey) {
    const row = await table.access.get(start, context.deadline);
    return row === undefined ? [] : [pair(left, new StoredRow(row))];
  }
  const range = { start, end: keyEnd(start) };
  return transformed(indexScan(table, index, range, 'ascending').stream, (batch) =>
    batch.map((match) => pair(left, match)),
  );
}

/** Of a pair, without its sides. */
const pairBytes = 64;

/** Every pair for which the function holds; with `outer` also what has no partner. */
const nested =
  (outer: boolean) =>
  async ({ args: [left = null, right = null, by = null], context }: TermCall): Promise<Value> => {
    const others = await itemsOf(right, context);
    const holds = expectFunction(by);
    checkArity(holds, 2);
    const { work } = context;
    const partners = (item: Item): Inner | Promise<Inner> => {
      const joined: Item[] = [];
      const done = eachOf(others, work, (other) =>
        whenDone(holds.call([datumOfItem(item), datumOfItem(other)]), (value) => {
          if (!truth(value)) return;
          work?.memory.charge(pairBytes);
          joined.push(pair(item, other));
        }),
      );
      return after(done, () => (outer && joined.length === 0 ? [pair(item, undefined)] : joined));
    };
    const now = itemsNow(left);
    const stream = flatMapped(now === undefined ? streamFrom(left) : streamOf(now), partners, work);
    if (now === undefined) return new StreamValue(stream, undefined, isInfinite(left));
    return (await itemsOf(new StreamValue(stream), context)).map(datumOfItem);
  };

export const joinTerms: readonly TermEntry[] = [
  [Term.INNER_JOIN, { arity: [3, 3], effects: true, run: nested(false) }],
  [Term.OUTER_JOIN, { arity: [3, 3], effects: true, run: nested(true) }],
  [Term.EQ_JOIN, define({ arity: [3, 3], options: eqJoinOptions, effects: true, run: eqJoin })],
];
