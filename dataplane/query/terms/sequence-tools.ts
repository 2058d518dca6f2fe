import type { Datum, DatumArray } from '../../datum/datum.ts';
import { typeName } from '../../datum/type-name.ts';
import type { ScanStep } from '../../wire/pushed-scan.ts';
import type { Context } from '../compiled.ts';
import type { RuntimeError } from '../errors.ts';
import { logic, nonExistence, resourceLimit } from '../failure.ts';
import { after, eachOf, whenDone } from '../maybe-async.ts';
import { batchesOf, itemwise, streamOf } from '../stream.ts';
import type { ItemStep, Stream } from '../stream.ts';
import { planned, planOf } from '../scan-plan.ts';
import type { PlanContext, Steps } from '../scan-plan.ts';
import { datumOf, wrongValue } from '../value-reading.ts';
import {
  ArraySelection,
  BoundArray,
  FunctionValue,
  isSequence,
  RowValue,
  SliceValue,
  OpaqueValue,
  StreamValue,
  TableValue,
} from '../value.ts';
import { argumentOf, datumOfItem, StoredRow } from '../item.ts';
import type { Value } from '../value.ts';
import type { Item } from '../item.ts';
import { entryBytes, sizeOf, sizeOfItem } from '../work/size.ts';
import type { Work } from '../work/work.ts';
import { scanStream, sliceStream } from './index-access.ts';

/** Sequences in their forms (array, table, slice, stream) behind one way of reading. */
export function streamFrom(value: Value): Stream {
  const items = itemsNow(value);
  if (items !== undefined) return streamOf(items);
  if (value instanceof StreamValue) return value.stream;
  if (value instanceof TableValue) return tableStream(value);
  if (value instanceof SliceValue) return sliceStream(value);
  throw noSequence(value);
}

/** The items of a sequence that is there already; undefined when it must be read. */
export function itemsNow(value: Value): readonly Item[] | undefined {
  if (Array.isArray(value)) return value as Datum[];
  // A function may compare its items; whoever wants a datum of one refuses it.
  if (value instanceof BoundArray) return value.items as readonly Item[];
  return value instanceof ArraySelection ? value.items : undefined;
}

export function noSequence(value: Value): RuntimeError {
  if (value instanceof OpaqueValue) return wrongValue('SEQUENCE', value);
  const datum = datumOf(value);
  const message = `Cannot convert ${typeName(datum)} to SEQUENCE`;
  return datum === null ? nonExistence(message) : logic(message);
}

function tableStream(table: TableValue): Stream {
  const index = table.info.primaryKey;
  return scanStream({ table, index, range: {}, order: 'ascending' }, undefined);
}

/** The table that the items of a selection are documents of. */
export function tableOf(value: Value): TableValue | undefined {
  if (value instanceof TableValue) return value;
  if (
    value instanceof StreamValue ||
    value instanceof SliceValue ||
    value instanceof ArraySelection
  )
    return value.table;
  return undefined;
}

/** Items in the form of the sequence that they were taken from. */
export function sameForm(source: Value, items: readonly Item[]): Value {
  if (source instanceof ArraySelection) return new ArraySelection(items, source.table);
  if (Array.isArray(source)) return items.map(datumOfItem);
  return new StreamValue(streamOf(items), tableOf(source));
}

/** A step over a sequence that is read later. */
interface Derivation {
  readonly context: PlanContext;
  readonly steps: Steps;
  /** What a shard may do in its place; undefined when it cannot. */
  readonly asData: (() => ScanStep | undefined) | undefined;
  /** Of which the results are documents. */
  readonly table?: TableValue | undefined;
}

/** The results of a step over a sequence, evaluated by whoever has its items. */
export function derived(target: Value, { context, steps, asData, table }: Derivation): StreamValue {
  const plan = asData === undefined ? undefined : planOf(target);
  const data = plan === undefined ? undefined : asData?.();
  return plan === undefined || data === undefined
    ? new StreamValue(steps(streamFrom(target)), table, isInfinite(target))
    : planned(plan.with(data, steps), table, context);
}

/** Arrays at once, with pauses; everything else item by item as it is pulled. */
export function through(
  target: Value,
  step: ItemStep,
  context: PlanContext,
  asData?: Derivation['asData'],
): Value | Promise<Value> {
  const { work } = context;
  const now = itemsNow(target);
  if (now !== undefined)
    return whenDone(resultsOf(now, step, work), (items) => items.map(datumOfItem));
  const steps: Steps = (source) => itemwise(source, step, work);
  return derived(target, { context, steps, asData });
}

/** What a step makes of items that are there. */
export function resultsOf(
  items: readonly Item[],
  step: ItemStep,
  work: Work | undefined,
): Item[] | Promise<Item[]> {
  const results: Item[] = [];
  return after(
    eachOf(items, work, (item) => step(item, results)),
    () => results,
  );
}

/** Each item through a function; undefined leaves it out. Arrays stay arrays. */
export function itemsMapped(
  value: Value,
  context: PlanContext,
  each: (item: Datum) => Datum | undefined,
  asData?: Derivation['asData'],
): Value | Promise<Value> {
  const { work } = context;
  const step: ItemStep = (item, results) => {
    const result = each(datumOfItem(item));
    if (result === undefined) return;
    work?.memory.charge(sizeOf(result));
    results.push(result);
  };
  return through(value, step, context, asData);
}

export const isInfinite = (value: Value): boolean => value instanceof StreamValue && value.infinite;

/** Reading an infinite stream to its end would never end. */
export function refuseInfinite(value: Value): void {
  if (isInfinite(value))
    throw logic(
      'Cannot use an infinite stream with an aggregation function (`reduce`, `count`, etc.) or coerce it to an array.',
    );
}

/**
 * Everything of a sequence, bounded by the query's array limit. What is no sequence is refused at
 * once, not by a promise: a pure term that is given it has nobody to wait for one.
 */
export function itemsOf(value: Value, context: Context): Promise<readonly Item[]> {
  const now = itemsNow(value);
  if (now !== undefined) return Promise.resolve(now);
  refuseInfinite(value);
  return itemsIn(streamFrom(value), context);
}

async function itemsIn(stream: Stream, context: Context): Promise<readonly Item[]> {
  const items: Item[] = [];
  for await (const batch of batchesOf(stream, context)) {
    for (const item of batch) {
      context.work?.memory.charge(entryBytes + sizeOfItem(item));
      items.push(item);
    }
    if (items.length > context.arrayLimit) throw overLimit(context);
  }
  return items;
}

/** `then` on all items: at once for those that are there, so that pure terms need no waiting. */
export function collected<T>(
  value: Value,
  context: Context,
  then: (items: readonly Item[]) => T | Promise<T>,
): T | Promise<T> {
  const now = itemsNow(value);
  return now === undefined ? itemsOf(value, context).then(then) : then(now);
}

/** Each item of a sequence of any length, batch by batch. */
export function eachIn(
  value: Value,
  context: Context,
  step: (item: Item) => unknown,
): undefined | Promise<void> {
  const now = itemsNow(value);
  if (now !== undefined) return eachOf(now, context.work, step);
  refuseInfinite(value);
  // Refuses what is no sequence at once, as `itemsOf` does.
  const stream = streamFrom(value);
  return (async () => {
    let stopped = false;
    const watched = (item: Item): unknown =>
      whenDone<unknown, unknown>(step(item), (stop) => {
        stopped = stop === true;
        return stopped;
      });
    for await (const batch of batchesOf(stream, context)) {
      const done = eachOf(batch, context.work, watched);
      if (done !== undefined) await done;
      if (stopped) return;
    }
  })();
}

/**
 * As many items at once as an array may have: a sequence that is written to while it is read does not
 * meet its own changes, unless it is longer than that.
 */
export async function eachAhead(
  value: Value,
  context: Context,
  step: (item: Item) => Promise<void>,
): Promise<void> {
  let ahead: Item[] = [];
  const before = context.work?.memory.usedBytes ?? 0;
  const taken = async (): Promise<void> => {
    const items = ahead;
    ahead = [];
    context.work?.memory.rewind(before);
    for (const item of items) await step(item);
  };
  await eachIn(value, context, (item) => {
    context.work?.memory.charge(entryBytes + sizeOfItem(item));
    ahead.push(item);
    return ahead.length >= context.arrayLimit ? taken() : undefined;
  });
  await taken();
}

export const overLimit = (context: Context): Error =>
  resourceLimit(
    `Array over size limit \`${context.arrayLimit}\`.  To raise the number of allowed elements, modify the \`array_limit\` option to \`.run\` (not available in the Data Explorer), or use an index.`,
  );

/** Arrays one behind the other. */
export function concatenated(arrays: readonly DatumArray[], context: Context): Datum[] {
  const length = arrays.reduce((sum, array) => sum + array.length, 0);
  if (length > context.arrayLimit) throw overLimit(context);
  return arrays.flat<readonly DatumArray[]>();
}

/** A value as a datum, reading a sequence to its end. */
export function settled(value: Value, context: Context): Datum | Promise<Datum> {
  if (!isSequence(value)) return datumOf(value);
  return collected(value, context, (items) => items.map(datumOfItem));
}

export type ItemFunction = (item: Item) => Value | Promise<Value>;

/** A function that must be one. */
export function expectFunction(value: Value): FunctionValue {
  if (value instanceof FunctionValue) return value;
  throw wrongValue('FUNCTION', value);
}

/** A function of one item: its arity is checked before the first call. */
export function itemFunction(value: Value): ItemFunction {
  const called = expectFunction(value);
  checkArity(called, 1);
  return (item) => called.call([argumentOf(item, called.readFields)]);
}

export function checkArity({ arity }: FunctionValue, found: number): void {
  if (arity === 0 || arity === found) return;
  const plural = (number: number): string => `${number} argument${number === 1 ? '' : 's'}`;
  throw logic(`Expected function with ${plural(found)} but found function with ${plural(arity)}.`);
}

/** An item that came from a table can be written to. */
export function selected(item: Item, table: TableValue | undefined): Value {
  if (!(item instanceof StoredRow) || table === undefined) return datumOfItem(item);
  const { datum } = item;
  const primaryKey = (datum as Record<string, Datum>)[table.info.primaryKey] ?? null;
  return new RowValue(table, { key: item.key, primaryKey }, item);
}
