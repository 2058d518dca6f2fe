import type { Datum } from '../../datum/datum.ts';
import { encodeKey } from '../../datum/key.ts';
import { objectOf } from '../../datum/object.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import { after, eachOf, mapOf, orAbsent, whenDone } from '../maybe-async.ts';
import { bool, define, inert, option, text } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { Term } from '../term-table.ts';
import { flatMapped, inGroups, streamOf, transformed } from '../stream.ts';
import type { Inner, Stream } from '../stream.ts';
import { datumOf, truth, wrongValue } from '../value-reading.ts';
import { FunctionValue, StreamValue, TableValue } from '../value.ts';
import { datumOfItem, StoredRow } from '../item.ts';
import type { Value } from '../value.ts';
import type { Item } from '../item.ts';
import { sizeOfItem } from '../work/size.ts';
import { fieldFunction } from './fields.ts';
import { keyEnd } from './bounds.ts';
import { indexScan } from './index-access.ts';
import { RowsByKey } from './rows-by-key.ts';
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

/** Of two documents it is a text, which is parsed when somebody looks inside. */
function pair(left: Item, right: Item | undefined): Item {
  if (left instanceof StoredRow && right instanceof StoredRow)
    return new StoredRow({ key: noKey, text: `{"left":${left.text},"right":${right.text}}` });
  return objectOf([
    ['left', datumOfItem(left)],
    ...(right === undefined ? [] : [['right', datumOfItem(right)] as const]),
  ]);
}

const noKey = new Uint8Array();

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
  const { work } = context;
  /** What lacks a key, or has null, has no partner. */
  const keyOf = (item: Item): Datum | Promise<Datum> =>
    orAbsent(() => whenDone(of(item), datumOf), null);
  const stream =
    index === right.info.primaryKey
      ? joinedByKey(streamFrom(left), keyOf, right, context)
      : flatMapped(
          streamFrom(left),
          (item) =>
            whenDone(keyOf(item), (key) =>
              key === null ? [] : matchesOf(right, { index, key, left: item }),
            ),
          work,
        );
  const pairs = new StreamValue(stream, undefined, isInfinite(left));
  // Of an array it is an array.
  return Array.isArray(left) ? (await itemsOf(pairs, context)).map(datumOfItem) : pairs;
}

interface Wanted {
  readonly index: string;
  readonly key: Datum;
  readonly left: Item;
}

function matchesOf(table: TableValue, { index, key, left }: Wanted): Inner {
  const start = encodeKey(key);
  const range = { start, end: keyEnd(start) };
  return transformed(indexScan(table, index, range, 'ascending').stream, (batch) =>
    batch.map((match) => pair(left, match)),
  );
}

/** Each item with the document that has its key. */
function joinedByKey(
  left: Stream,
  keyOf: (item: Item) => Datum | Promise<Datum>,
  table: TableValue,
  context: Context,
): Stream {
  const { work } = context;
  const partners = new RowsByKey(table, context);
  const step = async (items: readonly Item[]): Promise<readonly Item[]> => {
    const keys = await mapOf(items, work, keyOf);
    const rows = await partners.rows(
      keys.map((key) => (key === null ? undefined : encodeKey(key))),
    );
    return rows.flatMap((row, at) => {
      if (row === undefined) return [];
      const joined = pair(items[at] as Item, new StoredRow(row));
      work?.memory.charge(sizeOfItem(joined));
      return [joined];
    });
  };
  return inGroups(left, { size: () => partners.together, step }, work);
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
