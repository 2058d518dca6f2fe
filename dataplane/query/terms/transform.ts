import { fieldOf } from '../../datum/object.ts';
import type { Datum } from '../../datum/datum.ts';
import type { ScanStep } from '../../wire/pushed-scan.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import { termFunctionOf } from '../term-function.ts';
import { Term } from '../term-table.ts';
import { about, logic } from '../failure.ts';
import { after, eachOf, orAbsent, whenDone } from '../maybe-async.ts';
import { flatMapped, itemwise, yielding } from '../stream.ts';
import type { Inner, ItemStep, Stream } from '../stream.ts';
import { datumOf, integerOf, objectOfValue, truth } from '../value-reading.ts';
import { ArraySelection, BoundArray, FunctionValue, isSequence, StreamValue } from '../value.ts';
import { datumOfItem } from '../item.ts';
import type { Value } from '../value.ts';
import type { Item } from '../item.ts';
import { isEqualIn } from '../work/compare.ts';
import { sizeOfItem } from '../work/size.ts';
import type { Work } from '../work/work.ts';
import { datumSet, hasIn } from './datum-sets.ts';
import { merged } from './merging.ts';
import {
  collected,
  derived,
  eachIn,
  expectFunction,
  isInfinite,
  itemFunction,
  itemsMapped,
  itemsNow,
  noSequence,
  overLimit,
  refuseInfinite,
  resultsOf,
  sameForm,
  streamFrom,
  tableOf,
  through,
} from './sequence-tools.ts';
import { mapSeveral } from './map-several.ts';
import { predicateOf } from './predicate.ts';

/** Terms that make a sequence of a sequence, item by item. */
const many = Number.POSITIVE_INFINITY;

/** Through a function, whose results are kept. */
const mapping =
  (each: (item: Item) => Value | Promise<Value>): ItemStep =>
  (item, results) =>
    whenDone(each(item), (value) => void results.push(datumOf(value)));

/** A function that shards may call for each row. */
function stepBy(
  type: 'map' | 'concatMap',
  by: FunctionValue,
  context: Context,
): ScanStep | undefined {
  const data = termFunctionOf(by, context);
  return data && { type, by: data };
}

function map(call: TermCall): Value | Promise<Value> {
  const { args } = call;
  const target = args[0] ?? null;
  const by = expectFunction(args.at(-1) ?? null);
  const sequences = args.slice(0, -1);
  if (by.arity !== 0 && by.arity !== sequences.length) {
    const expected = `${by.arity} argument${by.arity === 1 ? '' : 's'}`;
    const found = sequences.length === 1 ? '1 sequence was' : `${sequences.length} sequences were`;
    throw logic(`The function passed to \`map\` expects ${expected}, but ${found} found.`);
  }
  if (sequences.length > 1) return mapSeveral(sequences, by, call.context);
  return through(target, mapping(itemFunction(by)), call.context, () =>
    stepBy('map', by, call.context),
  );
}

/** What the function `by` answered: that it is no sequence is an error of the function. */
function sequenceOf(value: Value, by: Value): Value {
  if (isSequence(value) || value instanceof BoundArray) return value;
  throw about(noSequence(value), by);
}

function innerOf(value: Value): Inner {
  const now = itemsNow(value);
  if (now !== undefined) return now;
  refuseInfinite(value);
  return streamFrom(value);
}

function concatMap({
  args: [target = null, by = null],
  context,
}: TermCall): Value | Promise<Value> {
  const each = itemFunction(by);
  const now = itemsNow(target);
  if (now === undefined) {
    const open = (item: Item): Inner | Promise<Inner> =>
      whenDone(each(item), (value) => innerOf(sequenceOf(value, by)));
    return derived(target, {
      context,
      steps: (source) => flatMapped(source, open, context.work),
      asData: () => stepBy('concatMap', expectFunction(by), context),
    });
  }
  const results: Datum[] = [];
  const done = eachOf(now, context.work, (item) =>
    whenDone(each(item), (value) =>
      collected(sequenceOf(value, by), context, (items) => {
        for (const one of items) results.push(datumOfItem(one));
        if (results.length > context.arrayLimit) throw overLimit(context);
      }),
    ),
  );
  return after(done, () => results);
}

function range({ args: [first, second], context }: TermCall): Value {
  const from = second === undefined ? 0 : integerOf(first ?? null);
  const end = second ?? first;
  const to = end === undefined ? Number.POSITIVE_INFINITY : integerOf(end);
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
  const stream = yielding(numbers, context.work);
  return new StreamValue(stream, undefined, to === Number.POSITIVE_INFINITY);
}

function zip({ args: [target = null], context }: TermCall): Value | Promise<Value> {
  return itemsMapped(target, context, (item) => {
    const pair = objectOfValue(item);
    const left = fieldOf(pair, 'left');
    if (left === undefined) throw logic('ZIP can only be called on the result of a join.');
    const right = fieldOf(pair, 'right');
    return right === undefined ? left : merged(left, right);
  });
}

/** The positions of what is equal, or of what a function holds for; what lacks a field is none. */
function offsetsOf({
  args: [target = null, wanted = null],
  context,
}: TermCall): Value | Promise<Value> {
  const holds =
    wanted instanceof FunctionValue ? predicateOf(wanted) : equalTo(wanted, context.work);
  let at = -1;
  return through(
    target,
    (item, results) => {
      at += 1;
      const position = at;
      return whenDone(
        orAbsent(() => holds(item), false),
        (value) => {
          if (truth(value)) results.push(position);
        },
      );
    },
    context,
  );
}

const equalTo = (
  wanted: Value,
  work: Work | undefined,
): ((item: Item) => Value | Promise<Value>) => {
  const datum = datumOf(wanted);
  return (item) => isEqualIn(datumOfItem(item), datum, work);
};

/** Without the items that the other sequence has. */
function difference({
  args: [target = null, other = null],
  context,
}: TermCall): Value | Promise<Value> {
  const { work } = context;
  return collected(other, context, (items) =>
    whenDone(datumSet(items.map(datumOfItem), work), (removed) => {
      const step: ItemStep = (item, results) =>
        whenDone(hasIn(removed, datumOfItem(item), work), (isThere) => {
          if (!isThere) results.push(item);
        });
      const now = itemsNow(target);
      if (now !== undefined)
        return whenDone(resultsOf(now, step, work), (kept) => sameForm(target, kept));
      return new StreamValue(
        itemwise(streamFrom(target), step, work),
        tableOf(target),
        isInfinite(target),
      );
    }),
  );
}

/** Some items of a sequence of any length, each as likely as every other, in no order. */
async function sample({ args: [target = null, count = null], context }: TermCall): Promise<Value> {
  const number = integerOf(count);
  if (number < 0) throw logic(`Number of items to sample must be non-negative, got \`${number}\`.`);
  if (number > context.arrayLimit) throw overLimit(context);
  const below = (end: number): number => Math.floor(context.environment.random() * end);
  const drawn: Item[] = [];
  let seen = 0;
  await eachIn(target, context, (item) => {
    seen += 1;
    context.work?.memory.charge(drawn.length < number ? sizeOfItem(item) : 0);
    if (drawn.length < number) drawn.push(item);
    else {
      const at = below(seen);
      if (at < number) drawn[at] = item;
    }
  });
  for (let at = drawn.length - 1; at > 0; at -= 1) {
    const other = below(at + 1);
    [drawn[at], drawn[other]] = [drawn[other] as Item, drawn[at] as Item];
  }
  const table = tableOf(target);
  return table === undefined ? drawn.map(datumOfItem) : new ArraySelection(drawn, table);
}

export const transformTerms: readonly TermEntry[] = [
  [Term.MAP, { arity: [2, many], run: map }],
  [Term.CONCAT_MAP, { arity: [2, 2], run: concatMap }],
  [Term.ZIP, { arity: [1, 1], run: zip }],
  [Term.SAMPLE, { arity: [2, 2], effects: true, run: sample }],
  [Term.DIFFERENCE, { arity: [2, 2], run: difference }],
  [Term.OFFSETS_OF, { arity: [2, 2], run: offsetsOf }],
  [Term.RANGE, { arity: [0, 2], effects: true, run: range }],
];
