import type { Datum } from '../../datum/datum.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { Term } from '../term-table.ts';
import { logic, nonExistence } from '../failure.ts';
import { arrayOf, datumOf, exactText, isExactInteger, wrongDatum } from '../value-reading.ts';
import { BoundArray } from '../value.ts';
import type { Value } from '../value.ts';
import { compared, distinctItems } from './datum-sets.ts';

/** Arrays as values: items put in, taken out, and arrays as sets. */

type Made = Datum | Promise<Datum>;

/** A position in an array from its front, or (negative) from behind its end. */
function position(value: Value, length: number, last: number): number {
  const asked = offsetOf(value);
  // Behind the last item is position -1 where something is put in, the last item where it is taken.
  const at = asked < 0 ? last + 1 + asked : asked;
  return inside(at, last, { asked, length });
}

/** The position of an item is judged by the term: an error stands there. */
function offsetOf(value: Value): number {
  const datum = datumOf(value);
  if (typeof datum !== 'number') throw wrongDatum('NUMBER', datum);
  if (isExactInteger(datum)) return datum;
  throw logic(`Number not an integer: ${exactText(datum)}`);
}

function inside(
  at: number,
  last: number,
  { asked, length }: { readonly asked: number; readonly length: number },
): number {
  if (at < 0) throw nonExistence(`Index out of bounds: ${asked}`);
  if (at <= last) return at;
  throw nonExistence(`Index \`${asked}\` out of bounds for array of size: \`${length}\`.`);
}

function insertAt({ args: [target = null, where = null, item = null] }: TermCall): Datum {
  const array = arrayOf(target);
  const at = position(where, array.length, array.length);
  return [...array.slice(0, at), datumOf(item), ...array.slice(at)];
}

function spliceAt({ args: [target = null, where = null, items = null] }: TermCall): Datum {
  const array = arrayOf(target);
  const at = position(where, array.length, array.length);
  return [...array.slice(0, at), ...arrayOf(items), ...array.slice(at)];
}

function changeAt({ args: [target = null, where = null, item = null] }: TermCall): Datum {
  const array = arrayOf(target);
  const at = position(where, array.length, array.length - 1);
  return [...array.slice(0, at), datumOf(item), ...array.slice(at + 1)];
}

function deleteAt({ args: [target = null, where = null, end] }: TermCall): Datum {
  const array = arrayOf(target);
  if (end === undefined) {
    const at = position(where, array.length, array.length - 1);
    return [...array.slice(0, at), ...array.slice(at + 1)];
  }
  const from = rangeEnd(where, array.length);
  const to = rangeEnd(end, array.length);
  return [...array.slice(0, from), ...array.slice(Math.max(from, to))];
}

/** The end of a range: negative positions count from the end of the array. */
function rangeEnd(value: Value, length: number): number {
  const asked = offsetOf(value);
  return inside(asked < 0 ? length + asked : asked, length, { asked, length });
}

const setInsert = ({ args: [set = null, item = null], context }: TermCall): Made =>
  distinctItems([...arrayOf(set), datumOf(item)], context.work);

const setUnion = ({ args: [left = null, right = null], context }: TermCall): Made =>
  distinctItems([...arrayOf(left), ...arrayOf(right)], context.work);

const setIntersection = ({ args: [left = null, right = null], context }: TermCall): Made =>
  compared([arrayOf(left), arrayOf(right)], true, context.work);

const setDifference = ({ args: [left = null, right = null], context }: TermCall): Made =>
  compared([arrayOf(left), arrayOf(right)], false, context.work);

export const arrayTerms: readonly TermEntry[] = [
  [
    Term.APPEND,
    {
      arity: [2, 2],
      run: ({ args: [array = null, item = null] }) => [...arrayOf(array), datumOf(item)],
    },
  ],
  [
    Term.PREPEND,
    {
      arity: [2, 2],
      run: ({ args: [array = null, item = null] }) => [datumOf(item), ...arrayOf(array)],
    },
  ],
  [Term.INSERT_AT, { arity: [3, 3], run: insertAt }],
  [Term.DELETE_AT, { arity: [2, 3], run: deleteAt }],
  [Term.CHANGE_AT, { arity: [3, 3], run: changeAt }],
  [Term.SPLICE_AT, { arity: [3, 3], run: spliceAt }],
  [Term.SET_INSERT, { arity: [2, 2], run: setInsert }],
  [Term.SET_INTERSECTION, { arity: [2, 2], run: setIntersection }],
  [Term.SET_UNION, { arity: [2, 2], run: setUnion }],
  [Term.SET_DIFFERENCE, { arity: [2, 2], run: setDifference }],
  [
    Term.ARGS,
    {
      arity: [1, 1],
      run: ({ args: [array = null] }) => (array instanceof BoundArray ? array : arrayOf(array)),
    },
  ],
];
