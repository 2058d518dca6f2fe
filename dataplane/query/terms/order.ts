import { compareBytes } from '../../common/bytes.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { logic } from '../failure.ts';
import { whenDone } from '../maybe-async.ts';
import { define, option } from '../options.ts';
import type { OptionValues } from '../options.ts';
import type { Stream } from '../stream.ts';
import { Term } from '../term-table.ts';
import { textOf, wrongValue } from '../value-reading.ts';
import { ArraySelection, SliceValue, StreamValue, TableValue } from '../value.ts';
import { datumOfItem, StoredRow } from '../item.ts';
import type { Value } from '../value.ts';
import type { Item } from '../item.ts';
import { sliceStream } from './index-access.ts';
import { collected, overLimit, tableOf } from './sequence-tools.ts';
import { Direction, sorted, sortKey } from './sort-key.ts';
import type { SortKey } from './sort-key.ts';

/** Order: by functions and fields in memory, by an index while reading. */
const orderOptions = {
  index: option<IndexOrder>(
    {
      allowed: 'the name of an index, `r.asc` or `r.desc` of one',
      read: (value) => {
        const { by, sign } = value instanceof Direction ? value : new Direction(value, 1);
        return { name: textOf(by), sign };
      },
    },
    'The index whose order the documents are read in.',
  ),
} as const;

interface IndexOrder {
  readonly name: string;
  readonly sign: 1 | -1;
}

function orderBy(call: TermCall<OptionValues<typeof orderOptions>>): Value | Promise<Value> {
  const {
    args: [target = null, ...by],
    options: { index },
    context,
  } = call;
  const keys = by.map(sortKey);
  if (index === undefined && keys.length === 0) throw logic('Must specify something to order by.');
  if (index !== undefined) {
    const slice = orderedSlice(target, index);
    return keys.length === 0 ? slice : tiesSorted(slice, keys, call);
  }
  return collected(target, context, (items) =>
    whenDone(sorted(items, keys, context.work), (ordered) => {
      const table = tableOf(target);
      return table === undefined ? ordered.map(datumOfItem) : new ArraySelection(ordered, table);
    }),
  );
}

function orderedSlice(target: Value, { name, sign }: IndexOrder): SliceValue {
  const order = sign === 1 ? 'ascending' : 'descending';
  if (target instanceof TableValue) {
    return new SliceValue(target, name, { range: {}, bounds: undefined, order });
  }
  if (!(target instanceof SliceValue)) {
    if (tableOf(target) === undefined && !(target instanceof StreamValue))
      throw wrongValue('TABLE_SLICE', target);
    throw logic(
      'Indexed order_by can only be performed on a TABLE or TABLE_SLICE. Make sure order_by comes before any transformations (such as map) or filters.',
    );
  }
  const { table, index, range, bounds } = target;
  if (target.order !== undefined)
    throw logic('Cannot perform multiple indexed ORDER_BYs on the same table.');
  if (index !== name)
    throw logic(`Cannot order by index \`${name}\` after calling BETWEEN on index \`${index}\`.`);
  return new SliceValue(table, index, { range, bounds, order });
}

/** Rows that an index finds by the same value, among themselves in the order of the keys. */
function tiesSorted(
  slice: SliceValue,
  keys: readonly SortKey[],
  { context }: TermCall<unknown>,
): Value {
  const { work } = context;
  const source = sliceStream(slice);
  let ties: Item[] = [];
  let ended = false;
  const stream: Stream = {
    async next(limit, signal) {
      const ready: Item[] = [];
      while (!ended && ready.length === 0) {
        const batch = await source.next(limit, signal);
        if (batch === undefined) {
          ended = true;
          break;
        }
        for (const item of batch) {
          if (!sameIndexKey(ties[0], item)) {
            for (const row of await sorted(ties, keys, work)) ready.push(row);
            ties = [];
          }
          ties.push(item);
          if (ties.length > context.arrayLimit) throw overLimit(context);
        }
      }
      if (ready.length > 0) return ready;
      const last = await sorted(ties, keys, work);
      ties = [];
      return last.length > 0 ? last : undefined;
    },
    close: () => source.close(),
  };
  return new StreamValue(stream, slice.table);
}

const sameIndexKey = (first: Item | undefined, item: Item): boolean =>
  !(first instanceof StoredRow) ||
  !(item instanceof StoredRow) ||
  compareBytes(first.indexKey, item.indexKey) === 0;

const many = Number.POSITIVE_INFINITY;

export const orderTerms: readonly TermEntry[] = [
  [
    Term.ORDER_BY,
    define({
      arity: [1, many],
      options: orderOptions,
      noSpread: 'r.args is not supported in an order_by or union command yet.',
      run: orderBy,
    }),
  ],
  [Term.ASC, { arity: [1, 1], run: ({ args: [by = null] }) => new Direction(by, 1) }],
  [Term.DESC, { arity: [1, 1], run: ({ args: [by = null] }) => new Direction(by, -1) }],
];
