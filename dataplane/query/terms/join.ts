import type { Datum } from '../../datum/datum.ts';
import { encodeKey } from '../../datum/key.ts';
import { objectOf } from '../../datum/object.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import { bool, define, inert, option, text } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { Term } from '../term-table.ts';
import { transformed } from '../stream.ts';
import {
  datumOf,
  datumOfItem,
  FunctionValue,
  StoredRow,
  StreamValue,
  TableValue,
  truth,
  wrongValue,
} from '../value.ts';
import type { Item, Value } from '../value.ts';
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
  orAbsent,
  streamFrom,
  whenDone,
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
  const step = async (batch: readonly Item[]): Promise<readonly Item[]> => {
    const joined: Item[] = [];
    for (const item of batch) {
      const key = await orAbsent(() => whenDone(of(item), datumOf), undefined);
      if (key === undefined || key === null) continue;
      for (const match of await matchesOf(right, index, key, context))
        joined.push(pair(item, match));
    }
    return joined;
  };
  return new StreamValue(transformed(streamFrom(left), step), undefined, isInfinite(left));
}

async function matchesOf(
  table: TableValue,
  index: string,
  key: Datum,
  context: Context,
): Promise<readonly Item[]> {
  const start = encodeKey(key);
  if (index === table.info.primaryKey) {
    const row = await table.access.get(start, context.signal);
    return row === undefined ? [] : [new StoredRow(row)];
  }
  return itemsOf(indexScan(table, index, { start, end: keyEnd(start) }, 'ascending'), context);
}

/** Every pair for which the function holds; with `outer` also what has no partner. */
const nested =
  (outer: boolean) =>
  async ({ args: [left = null, right = null, by = null], context }: TermCall): Promise<Value> => {
    const holds = expectFunction(by);
    checkArity(holds, 2);
    const others = await itemsOf(right, context);
    const step = async (batch: readonly Item[]): Promise<readonly Item[]> => {
      const joined: Item[] = [];
      for (const item of batch) {
        const before = joined.length;
        for (const other of others) {
          const value = await holds.call([datumOfItem(item), datumOfItem(other)]);
          if (truth(value)) joined.push(pair(item, other));
        }
        if (outer && joined.length === before) joined.push(pair(item, undefined));
      }
      return joined;
    };
    const now = itemsNow(left);
    if (now !== undefined) return (await step(now)).map(datumOfItem);
    return new StreamValue(transformed(streamFrom(left), step), undefined, isInfinite(left));
  };

export const joinTerms: readonly TermEntry[] = [
  [Term.INNER_JOIN, { arity: [3, 3], effects: true, run: nested(false) }],
  [Term.OUTER_JOIN, { arity: [3, 3], effects: true, run: nested(true) }],
  [Term.EQ_JOIN, define({ arity: [3, 3], options: eqJoinOptions, effects: true, run: eqJoin })],
];
