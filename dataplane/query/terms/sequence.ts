import type { Datum } from '../../datum/datum.ts';
import { compareDatum, equalDatum } from '../../datum/compare.ts';
import { canonicalText } from '../../datum/text.ts';
import { fieldOf, isObject, objectOf } from '../../datum/object.ts';
import { encodeKey } from '../../datum/key.ts';
import type { Context, TermCall, TermDefinition } from '../compiled.ts';
import { RuntimeError } from '../errors.ts';
import { logic, wrongDatum } from '../failure.ts';
import { chained, limited, polite, skipped, streamOf, transformed } from '../stream.ts';
import type { Stream } from '../stream.ts';
import {
  arrayOf,
  datumOf,
  datumOfItem,
  FunctionValue,
  integerOf,
  isSequence,
  RowValue,
  Special,
  StoredRow,
  StreamValue,
  TableValue,
  textOf,
  truth,
} from '../value.ts';
import type { Item, Value } from '../value.ts';
import { getField, merged, noIndex, nthOf } from './object.ts';
import { itemsOf, settled, streamFrom, tableOf } from './sequence-tools.ts';
import { indexScan } from './index-access.ts';

/** Terms over sequences: transformation, selection of a part, order, joining. */
const many = Number.POSITIVE_INFINITY;

export type ItemFunction = (item: Item) => Value | Promise<Value>;

/** A function, or a field's name, or a constant. */
export function functionOf(value: Value): ItemFunction {
  if (value instanceof FunctionValue) return (item) => value.call([datumOfItem(item)]);
  if (typeof value === 'string') return (item) => getField(datumOfItem(item), value);
  return () => value;
}

const isPure = (value: Value | undefined): boolean =>
  !(value instanceof FunctionValue) || value.pure;

async function mapBatch<T>(
  batch: readonly Item[],
  pure: boolean,
  each: (item: Item) => T | Promise<T>,
): Promise<T[]> {
  if (pure) return batch.map((item) => each(item) as T);
  const results: T[] = [];
  for (const item of batch) results.push(await each(item));
  return results;
}

/** An array stays one when its function needs no waiting; everything else is a stream. */
function transformedValue(
  target: Value,
  step: (batch: readonly Item[]) => Promise<readonly Item[]>,
  now: ((batch: readonly Item[]) => readonly Item[]) | undefined,
  keepTable: boolean,
): Value {
  if (Array.isArray(target) && now !== undefined) return now(target as Datum[]).map(datumOfItem);
  const table = keepTable ? tableOf(target) : undefined;
  return new StreamValue(transformed(streamFrom(target), now ?? step), table);
}

function map({ args }: TermCall): Value {
  const target = args[0] ?? null;
  const mapping = args.at(-1) ?? null;
  if (args.length > 2)
    throw logic('Mapping over several sequences is not implemented in this version of PhotonDB.');
  const each = functionOf(mapping);
  const one = (item: Item): Datum | Promise<Datum> => {
    const value = each(item);
    return value instanceof Promise ? value.then(datumOf) : datumOf(value);
  };
  const now = isPure(mapping)
    ? (batch: readonly Item[]) => batch.map((item) => one(item) as Datum)
    : undefined;
  return transformedValue(target, (batch) => mapBatch(batch, false, one), now, false);
}

function concatMap({ args: [target = null, mapping = null], context }: TermCall): Value {
  const each = functionOf(mapping);
  const step = async (batch: readonly Item[]): Promise<readonly Item[]> => {
    const parts: Item[] = [];
    for (const item of batch) parts.push(...(await itemsOf(await each(item), context)));
    return parts;
  };
  const now = isPure(mapping)
    ? (batch: readonly Item[]): Item[] => batch.flatMap((item) => [...arrayOf(each(item) as Value)])
    : undefined;
  return transformedValue(target, step, now, false);
}

/** A document matches an object when it has all its fields, nested objects likewise. */
function matches(document: Datum, pattern: Datum): boolean {
  if (!isObject(pattern)) return equalDatum(document, pattern);
  if (!isObject(document)) return false;
  return Object.entries(pattern).every(([name, wanted]) => {
    const value = fieldOf(document, name);
    return value !== undefined && matches(value, wanted);
  });
}

function filter({ args: [target = null, predicate = null], options }: TermCall): Value {
  const otherwise = options.get('default') ?? false;
  const missing = (error: unknown): boolean => {
    if (error instanceof RuntimeError && error.type === 3_100_000) return truth(otherwise);
    throw error;
  };
  const test =
    predicate instanceof FunctionValue
      ? functionOf(predicate)
      : (item: Item): Value => {
          const pattern = datumOf(predicate);
          return isObject(pattern) ? matches(datumOfItem(item), pattern) : truth(pattern);
        };
  const holds = (item: Item): boolean | Promise<boolean> => {
    try {
      const value = test(item);
      return value instanceof Promise ? value.then(truth, missing) : truth(value);
    } catch (error) {
      return missing(error);
    }
  };
  const step = async (batch: readonly Item[]): Promise<readonly Item[]> => {
    const kept = await mapBatch(batch, false, holds);
    return batch.filter((_, at) => kept[at]);
  };
  const now = isPure(predicate)
    ? (batch: readonly Item[]) => batch.filter((item) => holds(item) as boolean)
    : undefined;
  return transformedValue(target, step, now, true);
}

function limit({ args: [target = null, count = null] }: TermCall): Value {
  const most = integerOf(count);
  if (most < 0) throw logic(`LIMIT takes a non-negative argument (got ${most})`);
  return Array.isArray(target)
    ? (target as Datum[]).slice(0, most)
    : new StreamValue(limited(streamFrom(target), most), tableOf(target));
}

function skip({ args: [target = null, count = null], context }: TermCall): Value | Promise<Value> {
  const number = integerOf(count);
  if (Array.isArray(target)) return (target as Datum[]).slice(number);
  if (number < 0)
    return itemsOf(target, context).then(
      (items) => new StreamValue(streamOf(items.slice(number)), tableOf(target)),
    );
  return new StreamValue(skipped(streamFrom(target), number), tableOf(target));
}

async function slice({
  args: [target = null, from = null, to],
  options,
  context,
}: TermCall): Promise<Value> {
  if (typeof target === 'string')
    return target.slice(integerOf(from), to === undefined ? undefined : integerOf(to));
  const open = options.get('right_bound') === 'closed' ? 1 : 0;
  const skipLeft = options.get('left_bound') === 'open' ? 1 : 0;
  const items = await itemsOf(target, context);
  const end =
    to === undefined || (integerOf(to) === -1 && open === 1) ? undefined : integerOf(to) + open;
  const part = items.slice(integerOf(from) + skipLeft, end);
  return Array.isArray(target)
    ? part.map(datumOfItem)
    : new StreamValue(streamOf(part), tableOf(target));
}

async function nth({ args: [target = null, position = null], context }: TermCall): Promise<Value> {
  const at = integerOf(position);
  if (Array.isArray(target)) return nthOf(target as Datum[], at);
  const items =
    at < 0
      ? await itemsOf(target, context)
      : await itemsOf(new StreamValue(limited(streamFrom(target), at + 1)), context);
  const item = items.at(at);
  if (item === undefined || at >= items.length) throw noIndex(at);
  return selected(item, tableOf(target));
}

/** An item that came from a table can be written to. */
function selected(item: Item, table: TableValue | undefined): Value {
  if (!(item instanceof StoredRow) || table === undefined) return datumOfItem(item);
  const primaryKey = isObject(item.datum)
    ? (fieldOf(item.datum, table.info.primaryKey) ?? null)
    : null;
  return new RowValue(table, { key: item.key, primaryKey }, item);
}

function bracket(call: TermCall): Value | Promise<Value> {
  const [target = null, key = null] = call.args;
  if (typeof key === 'number') return nth(call);
  const name = textOf(key);
  if (!isSequence(target)) return getField(target, name);
  const step = (batch: readonly Item[]): readonly Item[] =>
    batch
      .map(datumOfItem)
      .filter((item) => isObject(item) && fieldOf(item, name) !== undefined)
      .map((item) => getField(item, name));
  return Array.isArray(target)
    ? step(target as Datum[]).map(datumOfItem)
    : new StreamValue(transformed(streamFrom(target), step));
}

interface SortKey {
  readonly of: ItemFunction;
  readonly sign: 1 | -1;
  readonly pure: boolean;
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
  return { of: functionOf(by), sign, pure: isPure(by) };
}

/** A missing field sorts before everything. */
async function keyOf(item: Item, key: SortKey): Promise<Datum | undefined> {
  try {
    return datumOf(await key.of(item));
  } catch (error) {
    if (error instanceof RuntimeError && error.type === 3_100_000) return undefined;
    throw error;
  }
}

async function sorted(items: readonly Item[], keys: readonly SortKey[]): Promise<Item[]> {
  const rows: { item: Item; by: (Datum | undefined)[] }[] = [];
  for (const item of items)
    rows.push({ item, by: await Promise.all(keys.map((key) => keyOf(item, key))) });
  const compare = (a: (Datum | undefined)[], b: (Datum | undefined)[]): number => {
    for (let at = 0; at < keys.length; at += 1) {
      const [left, right] = [a[at], b[at]];
      const order =
        left === undefined || right === undefined
          ? Number(left !== undefined) - Number(right !== undefined)
          : compareDatum(left, right);
      if (order !== 0) return order * (keys[at] as SortKey).sign;
    }
    return 0;
  };
  return rows.sort((a, b) => compare(a.by, b.by)).map(({ item }) => item);
}

async function orderBy({
  args: [target = null, ...by],
  options,
  context,
}: TermCall): Promise<Value> {
  const index = options.get('index');
  if (index === undefined && by.length === 0) throw logic('Must specify something to order by.');
  let source = target;
  if (index !== undefined) {
    const direction = index instanceof Direction ? index : new Direction(index, 1);
    source = indexScan(
      target,
      textOf(direction.by),
      {},
      direction.sign === 1 ? 'ascending' : 'descending',
    );
    if (by.length === 0) return source;
  }
  const items = await sorted(await itemsOf(source, context), by.map(sortKey));
  return Array.isArray(target)
    ? items.map(datumOfItem)
    : index === undefined &&
        !(
          target instanceof TableValue ||
          (target instanceof StreamValue && target.table !== undefined)
        )
      ? items.map(datumOfItem)
      : new StreamValue(streamOf(items), tableOf(target));
}

async function distinct({ args: [target = null], options, context }: TermCall): Promise<Value> {
  const index = options.get('index');
  const source =
    index === undefined
      ? target
      : map({
          args: [indexScan(target, textOf(index), {}, 'ascending'), textOf(index)],
          context,
          options: new Map(),
        });
  const seen = new Map<string, Datum>();
  for (const item of await itemsOf(source, context))
    seen.set(canonicalText(datumOfItem(item)), datumOfItem(item));
  return [...seen.values()].sort(compareDatum);
}

function union({ args, context }: TermCall): Value {
  void context;
  if (args.every((arg) => Array.isArray(arg))) return args.flatMap((arg) => arg as Datum[]);
  return new StreamValue(chained(args.map(streamFrom)));
}

function range({ args: [first, second], context }: TermCall): Value {
  const [from, to] =
    second === undefined
      ? [0, first === undefined ? Number.POSITIVE_INFINITY : integerOf(first)]
      : [integerOf(first ?? null), integerOf(second)];
  let at = from;
  const numbers: Stream = {
    async next({ rows }) {
      if (at >= to) return undefined;
      const batch = Array.from({ length: Math.min(rows, to - at) }, (_, step) => at + step);
      at += batch.length;
      return batch;
    },
    close: () => {
      at = to;
    },
  };
  return new StreamValue(polite(numbers, () => context.environment.pause()));
}

async function coerce({ args: [value = null, wanted = null], context }: TermCall): Promise<Value> {
  const type = textOf(wanted).toUpperCase();
  const datum = await settled(value, context);
  if (type === 'ARRAY')
    return isObject(datum)
      ? Object.entries(datum).map(([name, field]) => [name, field])
      : arrayOf(datum);
  if (type === 'STRING') return typeof datum === 'string' ? datum : canonicalText(datum);
  if (type === 'BOOL') return truth(datum);
  if (type === 'OBJECT')
    return isObject(datum)
      ? datum
      : objectOf(
          arrayOf(datum).map(
            (pair) => [textOf(arrayOf(pair)[0] ?? null), arrayOf(pair)[1] ?? null] as const,
          ),
        );
  if (type === 'NUMBER') {
    const number = typeof datum === 'number' ? datum : Number(textOf(datum));
    if (Number.isNaN(number))
      throw logic(`Could not coerce \`${canonicalText(datum)}\` to NUMBER.`);
    return number;
  }
  throw logic(`Cannot coerce ${typeof datum} to ${type}.`);
}

async function eqJoin({
  args: [left = null, by = null, right = null],
  options,
  context,
}: TermCall): Promise<Value> {
  if (!(right instanceof TableValue)) throw wrongDatum('TABLE', datumOf(right));
  const index = options.get('index');
  const of = functionOf(by);
  const step = async (batch: readonly Item[]): Promise<readonly Item[]> => {
    const joined: Item[] = [];
    for (const item of batch) {
      const key = await keyOf(item, { of, sign: 1, pure: true });
      if (key === undefined || key === null) continue;
      for (const match of await matchesOf(right, index, key, context)) {
        joined.push(
          objectOf([
            ['left', datumOfItem(item)],
            ['right', datumOfItem(match)],
          ]),
        );
      }
    }
    return joined;
  };
  return new StreamValue(transformed(streamFrom(left), step));
}

async function matchesOf(
  table: TableValue,
  index: Value | undefined,
  key: Datum,
  context: Context,
): Promise<readonly Item[]> {
  if (index === undefined || index === table.info.primaryKey) {
    const row = await table.access.get(encodeKey(key), context.signal);
    return row === undefined ? [] : [new StoredRow(row)];
  }
  const start = encodeKey(key);
  return itemsOf(
    indexScan(table, textOf(index), { start, end: after(start) }, 'ascending'),
    context,
  );
}

export function after(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key);
  next[next.length - 1] = (next.at(-1) ?? 0) + 1;
  return next;
}

function zip({ args: [target = null] }: TermCall): Value {
  const step = (batch: readonly Item[]): readonly Item[] =>
    batch.map((item) => {
      const pair = datumOfItem(item);
      if (!isObject(pair)) throw wrongDatum('OBJECT', pair);
      return merged(fieldOf(pair, 'left') ?? null, fieldOf(pair, 'right') ?? null);
    });
  return Array.isArray(target)
    ? step(target as Datum[]).map(datumOfItem)
    : new StreamValue(transformed(streamFrom(target), step));
}

async function contains({ args: [target = null, ...wanted], context }: TermCall): Promise<Value> {
  const items = await itemsOf(target, context);
  for (const want of wanted) {
    let found = false;
    for (const item of items) {
      const datum = datumOfItem(item);
      found =
        want instanceof FunctionValue
          ? truth(await want.call([datum]))
          : equalDatum(datum, datumOf(want));
      if (found) break;
    }
    if (!found) return false;
  }
  return true;
}

async function sample({ args: [target = null, count = null], context }: TermCall): Promise<Value> {
  const items = [...(await itemsOf(target, context))].map((item) => ({
    item,
    at: context.environment.random(),
  }));
  return items
    .sort((a, b) => a.at - b.at)
    .slice(0, integerOf(count))
    .map(({ item }) => datumOfItem(item));
}

export const sequenceTerms: readonly (readonly [number, TermDefinition])[] = [
  [30, { arity: [2, 3], options: ['left_bound', 'right_bound'], effects: true, run: slice }],
  [38, { arity: [2, many], run: map }],
  [39, { arity: [2, 2], options: ['default'], run: filter }],
  [40, { arity: [2, 2], run: concatMap }],
  [41, { arity: [1, many], options: ['index'], effects: true, run: orderBy }],
  [42, { arity: [1, 1], options: ['index'], effects: true, run: distinct }],
  [44, { arity: [0, many], options: ['interleave'], run: union }],
  [45, { arity: [2, 2], effects: true, run: nth }],
  [50, { arity: [3, 3], options: ['index', 'ordered'], effects: true, run: eqJoin }],
  [51, { arity: [2, 2], effects: true, run: coerce }],
  [70, { arity: [2, 2], run: skip }],
  [71, { arity: [2, 2], run: limit }],
  [72, { arity: [1, 1], run: zip }],
  [73, { arity: [1, 1], run: ({ args: [by = null] }) => new Direction(by, 1) }],
  [74, { arity: [1, 1], run: ({ args: [by = null] }) => new Direction(by, -1) }],
  [81, { arity: [2, 2], effects: true, run: sample }],
  [
    86,
    {
      arity: [1, 1],
      effects: true,
      run: async ({ args: [target = null], context }) =>
        (await itemsOf(new StreamValue(limited(streamFrom(target), 1)), context)).length === 0,
    },
  ],
  [93, { arity: [1, many], effects: true, run: contains }],
  [154, { arity: [1, 1], run: ({ args: [array = null] }) => arrayOf(array) }],
  [170, { arity: [2, 2], run: bracket }],
  [173, { arity: [0, 2], effects: true, run: range }],
];
