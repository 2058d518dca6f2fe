import type { Datum } from '../../datum/datum.ts';
import { compareDatum, equalDatum } from '../../datum/compare.ts';
import { canonicalText } from '../../datum/text.ts';
import { isObject, objectOf } from '../../datum/object.ts';
import type { TermCall, TermDefinition } from '../compiled.ts';
import { RuntimeError } from '../errors.ts';
import { logic, nonExistence } from '../failure.ts';
import { batchesOf } from '../stream.ts';
import {
  arrayOf,
  datumOf,
  datumOfItem,
  FunctionValue,
  GroupedValue,
  isSequence,
  numberOf,
  objectOfValue,
  TableValue,
  truth,
} from '../value.ts';
import type { Item, Value } from '../value.ts';
import { functionOf } from './sequence.ts';
import { itemsOf, overLimit, streamFrom } from './sequence-tools.ts';

/** Terms that make one value of a sequence, and groups. */
const many = Number.POSITIVE_INFINITY;

const missing = (error: unknown): boolean =>
  error instanceof RuntimeError && error.type === 3_100_000;

/** Every item, or what a function or field makes of it; what does not exist is left out. */
async function* mapped(
  call: TermCall,
): AsyncGenerator<{ readonly item: Item; readonly value: Datum }> {
  const [target = null, by] = call.args;
  const of = by === undefined ? undefined : functionOf(by);
  for await (const batch of batchesOf(streamFrom(target), call.context.signal)) {
    for (const item of batch) {
      if (of === undefined) {
        yield { item, value: datumOfItem(item) };
        continue;
      }
      try {
        const value = of(item);
        yield { item, value: datumOf(value instanceof Promise ? await value : value) };
      } catch (error) {
        if (!missing(error)) throw error;
      }
    }
  }
}

async function count(call: TermCall): Promise<Value> {
  const [target = null, by] = call.args;
  if (by === undefined && typeof target === 'string') return Array.from(target).length;
  if (by === undefined && isObject(datumOrNull(target)))
    return Object.keys(objectOfValue(target)).length;
  if (by === undefined && target instanceof TableValue) return target.access.count();
  let total = 0;
  if (by === undefined) {
    for await (const batch of batchesOf(streamFrom(target), call.context.signal))
      total += batch.length;
    return total;
  }
  const counts =
    by instanceof FunctionValue ? truth : (value: Datum): boolean => equalDatum(value, datumOf(by));
  const values = by instanceof FunctionValue ? call : { ...call, args: [target] };
  for await (const { value } of mapped(values)) if (counts(value)) total += 1;
  return total;
}

const datumOrNull = (value: Value): Datum => (isSequence(value) ? null : datumOf(value));

async function sum(call: TermCall): Promise<Value> {
  let total = 0;
  for await (const { value } of mapped(call)) total += numberOf(value);
  return total;
}

async function average(call: TermCall): Promise<Value> {
  let [total, number] = [0, 0];
  for await (const { value } of mapped(call))
    [total, number] = [total + numberOf(value), number + 1];
  if (number === 0)
    throw nonExistence(
      'Cannot take the average of an empty stream.  (If you passed `avg` a field name, it may be that no elements of the stream had that field.)',
    );
  return total / number;
}

const extreme =
  (name: string, sign: 1 | -1) =>
  async (call: TermCall): Promise<Value> => {
    let best: { item: Item; value: Datum } | undefined;
    for await (const found of mapped(call)) {
      if (best === undefined || sign * compareDatum(found.value, best.value) > 0) best = found;
    }
    if (best !== undefined) return datumOfItem(best.item);
    throw nonExistence(
      `Cannot take the ${name} of an empty stream.  (If you passed \`${name}\` a field name, it may be that no elements of the stream had that field.)`,
    );
  };

async function reduce({ args: [target = null, step = null], context }: TermCall): Promise<Value> {
  if (!(step instanceof FunctionValue)) throw logic('Expected a function to reduce by.');
  let result: Value | undefined;
  for await (const batch of batchesOf(streamFrom(target), context.signal)) {
    for (const item of batch)
      result =
        result === undefined ? datumOfItem(item) : await step.call([result, datumOfItem(item)]);
  }
  if (result === undefined) throw nonExistence('Cannot reduce over an empty stream.');
  return result;
}

async function fold({
  args: [target = null, base = null, step = null],
  context,
}: TermCall): Promise<Value> {
  if (!(step instanceof FunctionValue)) throw logic('Expected a function to fold by.');
  let result: Value = base;
  for await (const batch of batchesOf(streamFrom(target), context.signal)) {
    for (const item of batch) result = await step.call([result, datumOfItem(item)]);
  }
  return result;
}

async function group({ args: [target = null, ...by], options, context }: TermCall): Promise<Value> {
  if (by.length === 0) throw logic('Cannot group by nothing.');
  const functions = by.map(functionOf);
  const multi = truth(options.get('multi') ?? false);
  const groups = new Map<string, { key: Datum; items: Datum[] }>();
  let total = 0;
  for await (const batch of batchesOf(streamFrom(target), context.signal)) {
    for (const item of batch) {
      const parts = await Promise.all(functions.map((of) => groupKey(of, item)));
      const key = parts.length === 1 ? (parts[0] as Datum) : parts;
      for (const each of multi && Array.isArray(key) ? (key as Datum[]) : [key]) {
        const text = canonicalText(each);
        const entry = groups.get(text) ?? { key: each, items: [] };
        entry.items.push(datumOfItem(item));
        groups.set(text, entry);
        total += 1;
      }
    }
    if (total > context.arrayLimit * 10) throw overLimit(context);
  }
  const ordered = [...groups.values()].sort((a, b) => compareDatum(a.key, b.key));
  return new GroupedValue(ordered.map(({ key, items }) => ({ key, value: items })));
}

/** What does not exist groups under null. */
async function groupKey(of: (item: Item) => Value | Promise<Value>, item: Item): Promise<Datum> {
  try {
    return datumOf(await of(item));
  } catch (error) {
    if (missing(error)) return null;
    throw error;
  }
}

async function ungroup({ args: [target = null], context }: TermCall): Promise<Value> {
  if (!(target instanceof GroupedValue)) throw logic('Expected type GROUPED_DATA but found DATUM.');
  const rows: Datum[] = [];
  for (const { key, value } of target.groups) {
    const reduction = isSequence(value)
      ? (await itemsOf(value, context)).map(datumOfItem)
      : datumOf(value);
    rows.push(
      objectOf([
        ['group', key],
        ['reduction', reduction],
      ]),
    );
  }
  return rows;
}

async function offsetsOf({
  args: [target = null, wanted = null],
  context,
}: TermCall): Promise<Value> {
  const offsets: number[] = [];
  let at = 0;
  for (const item of await itemsOf(target, context)) {
    const datum = datumOfItem(item);
    const same =
      wanted instanceof FunctionValue
        ? truth(await wanted.call([datum]))
        : equalDatum(datum, datumOf(wanted));
    if (same) offsets.push(at);
    at += 1;
  }
  return offsets;
}

function difference({ args: [left = null, right = null] }: TermCall): Value {
  const removed = new Set(arrayOf(right).map(canonicalText));
  return arrayOf(left).filter((item) => !removed.has(canonicalText(item)));
}

export const aggregateTerms: readonly (readonly [number, TermDefinition])[] = [
  [37, { arity: [2, 2], effects: true, run: reduce }],
  [43, { arity: [1, 2], effects: true, run: count }],
  [87, { arity: [2, 2], effects: true, run: offsetsOf }],
  [95, { arity: [2, 2], run: difference }],
  [144, { arity: [1, many], options: ['index', 'multi'], effects: true, run: group }],
  [145, { arity: [1, 2], effects: true, run: sum }],
  [146, { arity: [1, 2], effects: true, run: average }],
  [147, { arity: [1, 2], options: ['index'], effects: true, run: extreme('min', -1) }],
  [148, { arity: [1, 2], options: ['index'], effects: true, run: extreme('max', 1) }],
  [150, { arity: [1, 1], effects: true, grouped: true, run: ungroup }],
  [187, { arity: [3, 3], effects: true, run: fold }],
];
