import { binaryBytes } from '../../datum/compare.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { boundOptions, define } from '../options.ts';
import type { BoundSides } from '../bound-sides.ts';
import { Term } from '../term-table.ts';
import { about, logic, nonExistence } from '../failure.ts';
import { after, eachOf, whenDone } from '../maybe-async.ts';
import { limited, skipped } from '../stream.ts';
import { datumOf, integerOf, truth } from '../value-reading.ts';
import { FunctionValue, holdsBound, isSequence, StreamValue } from '../value.ts';
import { datumOfItem } from '../item.ts';
import type { Value } from '../value.ts';
import type { Item } from '../item.ts';
import { countCharacters, partOfText } from '../work/pieces.ts';
import { binaryDatum, isBinary } from './binary.ts';
import { compareValues } from './comparison.ts';
import { fieldTerm } from './fields.ts';
import { typeName } from '../../datum/type-name.ts';
import {
  eachIn,
  isInfinite,
  itemFunction,
  itemsNow,
  itemsOf,
  noSequence,
  refuseInfinite,
  sameForm,
  selected,
  streamFrom,
  tableOf,
} from './sequence-tools.ts';

/** Terms that take a part of a sequence, or ask what is in it. */

function limit({ args: [target = null, count = null] }: TermCall): Value {
  const most = integerOf(count);
  if (most < 0) throw logic(`LIMIT takes a non-negative argument (got ${most})`);
  const now = itemsNow(target);
  if (now !== undefined) return sameForm(target, now.slice(0, most));
  return new StreamValue(limited(streamFrom(target), most), tableOf(target));
}

const negativeLeft = 'Cannot use a negative left index on a stream.';

function skip({ args: [target = null, count = null] }: TermCall): Value {
  const number = integerOf(count);
  const now = itemsNow(target);
  if (now !== undefined) return sameForm(target, now.slice(number));
  const source = streamFrom(target);
  if (number < 0) throw logic(negativeLeft);
  return new StreamValue(skipped(source, number), tableOf(target), isInfinite(target));
}

interface Bounds {
  readonly from: number;
  readonly to: number;
  readonly leftOpen: boolean;
  readonly rightClosed: boolean;
}

function boundsOf({ args: [, from = null, to], options }: TermCall<BoundSides>): Bounds {
  return {
    from: integerOf(from),
    to: to === undefined ? -1 : integerOf(to),
    leftOpen: options.left_bound === 'open',
    rightClosed: to === undefined || options.right_bound === 'closed',
  };
}

/** First and last-but-one position of a slice of something of known length. */
function positions({ from, to, leftOpen, rightClosed }: Bounds, length: number): [number, number] {
  const start = (from < 0 ? length + from : from) + (leftOpen ? 1 : 0);
  const end = (to < 0 ? length + to : to) + (rightClosed ? 1 : 0);
  return [Math.max(0, start), Math.max(0, end)];
}

function slice(call: TermCall<BoundSides>): Value | Promise<Value> {
  const [target = null] = call.args;
  const bounds = boundsOf(call);
  const now = itemsNow(target);
  if (now !== undefined) return sameForm(target, now.slice(...positions(bounds, now.length)));
  if (isSequence(target)) return streamSlice(target, bounds);
  const datum = datumOf(target);
  if (typeof datum === 'string') {
    const { work } = call.context;
    return whenDone(countCharacters(datum, work), (length) =>
      partOfText(datum, positions(bounds, length), work),
    );
  }
  if (!isBinary(datum)) throw noSequence(target);
  const bytes = binaryBytes(datum);
  return binaryDatum(bytes.slice(...positions(bounds, bytes.length)));
}

function streamSlice(target: Value, { from, to, leftOpen, rightClosed }: Bounds): Value {
  if (from < 0) throw logic(negativeLeft);
  if (to < -1) throw logic('Cannot use a right index < -1 on a stream.');
  if (to === -1 && !rightClosed)
    throw logic('Cannot slice to an open right index of -1 on a stream.');
  const start = from + (leftOpen ? 1 : 0);
  const rest = skipped(streamFrom(target), start);
  if (to === -1) return new StreamValue(rest, tableOf(target), isInfinite(target));
  const count = Math.max(0, to + (rightClosed ? 1 : 0) - start);
  return new StreamValue(limited(rest, count), tableOf(target));
}

const outOfBounds = (position: Value): Error =>
  nonExistence(`Index out of bounds: ${integerOf(position)}`);

function nth({
  args: [target = null, position = null],
  context,
}: TermCall): Value | Promise<Value> {
  const at = integerOf(position);
  const table = tableOf(target);
  const found = (item: Item | undefined): Value => {
    if (item === undefined) throw outOfBounds(position);
    return selected(item, table);
  };
  const now = itemsNow(target);
  if (now !== undefined) return found(now.at(at));
  const source = streamFrom(target);
  if (at < -1) throw logic(`Cannot use an index < -1 (${at}) on a stream.`);
  if (at >= 0) {
    const few = new StreamValue(limited(skipped(source, at), 1));
    return itemsOf(few, context).then(([item]) => found(item));
  }
  refuseInfinite(target);
  let last: Item | undefined;
  return after(
    eachIn(target, context, (item) => void (last = item)),
    () => found(last),
  );
}

/** `[]`: a position of a sequence or a field of an object. */
function bracket(call: TermCall): Value | Promise<Value> {
  const [, key = null] = call.args;
  const datum = datumOf(key);
  if (typeof datum === 'number') return nth(call);
  if (typeof datum === 'string') return fieldTerm('bracket')(call);
  throw about(
    logic(
      `Expected NUMBER or STRING as second argument to \`bracket\` but found ${typeName(datum)}.`,
    ),
    key,
  );
}

function isEmpty({ args: [target = null], context }: TermCall): Value | Promise<Value> {
  const now = itemsNow(target);
  if (now !== undefined) return now.length === 0;
  return itemsOf(new StreamValue(limited(streamFrom(target), 1)), context).then(
    (items) => items.length === 0,
  );
}

/** Whether each wanted value, and each function, has an item of its own. */
function contains({ args: [target = null, ...wanted], context }: TermCall): Value | Promise<Value> {
  const functions = wanted.filter((want) => want instanceof FunctionValue).map(itemFunction);
  const values = wanted
    .filter((want) => !(want instanceof FunctionValue))
    .map((want) => (holdsBound(want) ? want : datumOf(want)));
  const { work } = context;
  const isDone = (): boolean => values.length + functions.length === 0;
  const step = (item: Item): unknown => {
    const found = eachOf(values, work, (value, at) =>
      whenDone(compareValues(datumOfItem(item), value, work), (order) => {
        if (order === 0) values.splice(at, 1);
        return order === 0;
      }),
    );
    return after<unknown>(found, () => triedOn(item));
  };
  const triedOn = (item: Item): unknown => {
    const tried = eachOf([...functions], work, (holds) =>
      whenDone(holds(item), (value) => {
        if (!truth(value)) return false;
        functions.splice(functions.indexOf(holds), 1);
        return true;
      }),
    );
    return after(tried, isDone);
  };
  if (isDone()) return whenDone(streamFrom(target), () => true);
  return after(eachIn(target, context, step), isDone);
}

export const partTerms: readonly TermEntry[] = [
  [Term.SLICE, define({ arity: [2, 3], options: boundOptions, run: slice })],
  [Term.NTH, { arity: [2, 2], run: nth }],
  [Term.SKIP, { arity: [2, 2], run: skip }],
  [Term.LIMIT, { arity: [2, 2], run: limit }],
  [Term.IS_EMPTY, { arity: [1, 1], run: isEmpty }],
  [Term.CONTAINS, { arity: [1, Number.POSITIVE_INFINITY], run: contains }],
  [Term.BRACKET, { arity: [2, 2], run: bracket }],
];
