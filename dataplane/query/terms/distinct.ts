import { compareDatum } from '../../datum/compare.ts';
import type { Datum, DatumArray } from '../../datum/datum.ts';
import { DatumSet } from '../../datum/datum-map.ts';
import { fieldOf, isObject } from '../../datum/object.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import { logic } from '../failure.ts';
import { after, eachOf, whenDone } from '../maybe-async.ts';
import { define, option, text } from '../options.ts';
import type { OptionValues } from '../options.ts';
import type { Stream } from '../stream.ts';
import { Term } from '../term-table.ts';
import { SliceValue, StreamValue, TableValue } from '../value.ts';
import { datumOfItem } from '../item.ts';
import type { Value } from '../value.ts';
import type { Item } from '../item.ts';
import { sortedBy } from '../work/merge-sort.ts';
import { sliceStream } from './index-access.ts';
import { indexValueOf } from './index-values.ts';
import { addIn } from './datum-sets.ts';
import { eachFolded } from './folded.ts';
import { itemsMapped, overLimit } from './sequence-tools.ts';
import { valueOrder } from './sort-key.ts';

/** `distinct`: each value of a sequence once, or each value of an index while it is read in order. */
const distinctOptions = {
  index: option(text, 'The index of a table whose values are given, in place of the documents.'),
} as const;

function distinct({
  args: [target = null],
  options: { index },
  context,
}: TermCall<OptionValues<typeof distinctOptions>>): Value | Promise<Value> {
  const keys = primaryKeysOf(target, index, context);
  if (keys !== undefined) return keys;
  const slice = sliceBy(target, index);
  if (slice !== undefined)
    return index === undefined
      ? new StreamValue(rowsOnce(sliceStream(slice)))
      : new StreamValue(valuesOnce(slice, context));
  if (index !== undefined) throw logic('Can only perform an indexed distinct on a TABLE.');
  const seen = new DatumSet();
  const { work } = context;
  const add = (item: Item): void | Promise<void> =>
    whenDone(addIn(seen, datumOfItem(item), work), () => {
      if (seen.size > context.arrayLimit) throw overLimit(context);
    });
  const done = eachFolded(target, context, {
    add,
    fold: () => ({ type: 'distinct', by: undefined, group: undefined }),
    merge: (values) => eachOf(values as DatumArray, work, add),
  });
  return after<Value>(done, () => sortedBy([...seen.values()], valueOrder, work));
}

/** The primary keys of a slice of another index: each document may come several times. */
function primaryKeysOf(
  target: Value,
  index: string | undefined,
  context: Context,
): Value | Promise<Value> | undefined {
  if (!(target instanceof SliceValue)) return undefined;
  const { primaryKey } = target.table.info;
  if (index !== primaryKey || target.index === primaryKey) return undefined;
  const seen = new DatumSet();
  return itemsMapped(target, context, (document) => {
    const key = isObject(document) ? fieldOf(document, primaryKey) : undefined;
    return key !== undefined && seen.add(key) ? key : undefined;
  });
}

/** The table or slice in the order of the index; undefined when that is not to be had. */
function sliceBy(target: Value, index: string | undefined): SliceValue | undefined {
  if (target instanceof TableValue) {
    const name = index ?? target.info.primaryKey;
    return new SliceValue(target, name, { range: {}, bounds: undefined, order: 'ascending' });
  }
  if (!(target instanceof SliceValue)) return undefined;
  return target.index === (index ?? target.table.info.primaryKey) ? target : undefined;
}

/** Documents of a table are distinct by their primary keys. */
const rowsOnce = (source: Stream): Stream => ({
  next: async (limit, signal) => (await source.next(limit, signal))?.map(datumOfItem),
  close: () => source.close(),
});

/** Equal values stand beside each other in an index. */
function valuesOnce(slice: SliceValue, context: Context): Stream {
  const source = sliceStream(slice);
  const valueOf = indexValueOf(slice.table, slice.index, context);
  let last: Datum | undefined;
  const fresh = (item: Item): Datum[] => {
    const value = valueOf(item);
    if (value === undefined) return [];
    if (last !== undefined && compareDatum(last, value) === 0) return [];
    last = value;
    return [value];
  };
  return {
    async next(limit, signal) {
      for (;;) {
        const batch = await source.next(limit, signal);
        if (batch === undefined) return undefined;
        const values = batch.flatMap(fresh);
        if (values.length > 0) return values;
      }
    },
    close: () => source.close(),
  };
}

export const distinctTerms: readonly TermEntry[] = [
  [Term.DISTINCT, define({ arity: [1, 1], options: distinctOptions, run: distinct })],
];
