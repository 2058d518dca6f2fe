import type { Datum } from '../../datum/datum.ts';
import { compareBytes } from '../../common/bytes.ts';
import { compareDatum } from '../../datum/compare.ts';
import { canonicalText } from '../../datum/text.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { logic } from '../failure.ts';
import type { Stream } from '../stream.ts';
import {
  ArraySelection,
  datumOf,
  datumOfItem,
  FunctionValue,
  SliceValue,
  Special,
  StoredRow,
  StreamValue,
  TableValue,
  textOf,
  wrongValue,
} from '../value.ts';
import type { Item, Value } from '../value.ts';
import { fieldFunction } from './fields.ts';
import { indexScan, readyIndex, sliceStream } from './index-access.ts';
import {
  collected,
  itemFunction,
  orAbsent,
  overLimit,
  tableOf,
  whenDone,
} from './sequence-tools.ts';
import type { ItemFunction } from './sequence-tools.ts';

/** Order: by functions and fields in memory, by an index while reading. */
interface SortKey {
  readonly of: ItemFunction;
  readonly sign: 1 | -1;
}

/** What `asc` and `desc` make of their argument. */
class Direction extends Special {
  override readonly typeName = 'ORDERING';
  readonly by: Value;
  readonly sign: 1 | -1;
  constructor(by: Value, sign: 1 | -1) {
    super();
    this.by = by;
    this.sign = sign;
  }
}

function sortKey(value: Value): SortKey {
  const [by, sign] = value instanceof Direction ? [value.by, value.sign] : [value, 1 as const];
  return { of: by instanceof FunctionValue ? itemFunction(by) : fieldFunction(by), sign };
}

/** What does not exist sorts before everything. */
function keyOf(item: Item, { of }: SortKey): Datum | undefined | Promise<Datum | undefined> {
  return orAbsent(() => whenDone(of(item), datumOf), undefined);
}

interface SortRow {
  readonly item: Item;
  readonly by: readonly (Datum | undefined)[];
}

function compareRows(a: SortRow, b: SortRow, keys: readonly SortKey[]): number {
  for (const [at, { sign }] of keys.entries()) {
    const [left, right] = [a.by[at], b.by[at]];
    const order =
      left === undefined || right === undefined
        ? Number(left !== undefined) - Number(right !== undefined)
        : compareDatum(left, right);
    if (order !== 0) return order * sign;
  }
  return 0;
}

/** Items in order; equal ones keep theirs. Waits only when a function does. */
function sorted(items: readonly Item[], keys: readonly SortKey[]): Item[] | Promise<Item[]> {
  const rows = items.map((item) => ({ item, by: keys.map((key) => keyOf(item, key)) }));
  const order = (ready: readonly SortRow[]): Item[] =>
    [...ready].sort((a, b) => compareRows(a, b, keys)).map(({ item }) => item);
  if (!rows.some(({ by }) => by.some((each) => each instanceof Promise)))
    return order(rows as readonly SortRow[]);
  return (async () => {
    const ready: SortRow[] = [];
    for (const { item, by } of rows) {
      const values: (Datum | undefined)[] = [];
      for (const value of by) values.push(await value);
      ready.push({ item, by: values });
    }
    return order(ready);
  })();
}

function orderBy(call: TermCall): Value | Promise<Value> {
  const {
    args: [target = null, ...by],
    options,
    context,
  } = call;
  const index = options.get('index');
  const keys = by.map(sortKey);
  if (index === undefined && keys.length === 0) throw logic('Must specify something to order by.');
  if (index !== undefined) {
    const slice = orderedSlice(target, index);
    return keys.length === 0 ? slice : tiesSorted(slice, keys, call);
  }
  return collected(target, context, (items) =>
    whenDone(sorted(items, keys), (ordered) => {
      const table = tableOf(target);
      return table === undefined ? ordered.map(datumOfItem) : new ArraySelection(ordered, table);
    }),
  );
}

function orderedSlice(target: Value, by: Value): SliceValue {
  const { by: named, sign } = by instanceof Direction ? by : new Direction(by, 1);
  const name = textOf(named);
  const order = sign === 1 ? 'ascending' : 'descending';
  if (target instanceof TableValue) {
    if (name !== target.info.primaryKey) readyIndex(target, name);
    return new SliceValue(target, name, { range: {}, bounded: false, order });
  }
  if (!(target instanceof SliceValue)) {
    if (tableOf(target) === undefined && !(target instanceof StreamValue))
      throw wrongValue('TABLE_SLICE', target);
    throw logic(
      'Indexed order_by can only be performed on a TABLE or TABLE_SLICE. Make sure order_by comes before any transformations (such as map) or filters.',
    );
  }
  const { table, index, range, bounded } = target;
  if (target.order !== undefined)
    throw logic('Cannot perform multiple indexed ORDER_BYs on the same table.');
  if (index !== name)
    throw logic(`Cannot order by index \`${name}\` after calling BETWEEN on index \`${index}\`.`);
  return new SliceValue(table, index, { range, bounded, order });
}

/** Rows that an index finds by the same value, among themselves in the order of the keys. */
function tiesSorted(slice: SliceValue, keys: readonly SortKey[], { context }: TermCall): Value {
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
            ready.push(...(await sorted(ties, keys)));
            ties = [];
          }
          ties.push(item);
          if (ties.length > context.arrayLimit) throw overLimit(context);
        }
      }
      if (ready.length > 0) return ready;
      const last = await sorted(ties, keys);
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

function distinct({ args: [target = null], options, context }: TermCall): Value | Promise<Value> {
  const index = options.get('index');
  const source = index === undefined ? target : indexValues(target, textOf(index), context);
  return collected(source, context, (items) => {
    const seen = new Map<string, Datum>();
    for (const item of items) seen.set(canonicalText(datumOfItem(item)), datumOfItem(item));
    return [...seen.values()].sort(compareDatum);
  });
}

/** The values that an index has, one after the other. */
function indexValues(target: Value, name: string, context: TermCall['context']): Value {
  const table = tableOf(target);
  if (table === undefined) throw wrongValue('TABLE', target);
  const rows =
    target instanceof SliceValue
      ? sliceStream(target)
      : indexScan(table, name, {}, 'ascending').stream;
  if (name === table.info.primaryKey)
    return new StreamValue(
      mappedRows(rows, (row) => [(row as Record<string, Datum>)[name] ?? null]),
    );
  const index = readyIndex(table, name);
  return new StreamValue(mappedRows(rows, context.indexValues(index.definition, index.multi)));
}

const mappedRows = (source: Stream, of: (row: Datum) => readonly Datum[]): Stream => ({
  next: async (limit, signal) =>
    (await source.next(limit, signal))?.flatMap((item) => [...of(datumOfItem(item))]),
  close: () => source.close(),
});

const many = Number.POSITIVE_INFINITY;

export const orderTerms: readonly TermEntry[] = [
  [
    41,
    {
      arity: [1, many],
      options: ['index'],
      noSpread: 'r.args is not supported in an order_by or union command yet.',
      run: orderBy,
    },
  ],
  [42, { arity: [1, 1], options: ['index'], run: distinct }],
  [73, { arity: [1, 1], run: ({ args: [by = null] }) => new Direction(by, 1) }],
  [74, { arity: [1, 1], run: ({ args: [by = null] }) => new Direction(by, -1) }],
];
