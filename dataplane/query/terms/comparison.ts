import { compareDatum } from '../../datum/compare.ts';
import type { Datum } from '../../datum/datum.ts';
import { compareText, emptyObject, isObject, pseudoType } from '../../datum/object.ts';
import { Walk } from '../../datum/walk.ts';
import type { TermCall, TermDefinition, TermEntry } from '../compiled.ts';
import { after, eachOf, whenDone } from '../maybe-async.ts';
import { Term } from '../term-table.ts';
import { datumOf, truth } from '../value-reading.ts';
import { BoundArray, BoundObject, BoundValue, holdsBound } from '../value.ts';
import type { Value } from '../value.ts';
import { compareIn } from '../work/compare.ts';
import type { Work } from '../work/work.ts';

/** Comparison in ReQL's order of all values, with the two bounds at its ends. */
const many = Number.POSITIVE_INFINITY;

const rankOf = (value: Value): number =>
  value instanceof BoundValue ? (value.end === 'minval' ? -1 : 1) : 0;

interface Where {
  readonly walk: Walk;
  readonly depth: number;
}

/** ReQL's order, of values that may hold bounds in any depth. */
function compare(left: Value, right: Value, where?: Where): number {
  if (!holdsBound(left) && !holdsBound(right)) return compareDatum(datumOf(left), datumOf(right));
  if (left === right) return 0;
  const [a, b] = [rankOf(left), rankOf(right)];
  return a !== 0 || b !== 0 ? a - b : compareBounded(left, right, where);
}

/** One of them holds bounds, and neither is one. */
function compareBounded(
  left: Value,
  right: Value,
  where: Where = { walk: new Walk(), depth: 0 },
): number {
  const [first, second] = [partsOf(left), partsOf(right)];
  if (first === undefined || second === undefined || first.kind !== second.kind)
    return compareDatum(first?.kind ?? datumOf(left), second?.kind ?? datumOf(right));
  // What has parts is an object of its own, by which the walk knows it.
  if (where.walk.known(left as object) === right) return 0;
  const order = compareParts(first.parts, second.parts, where);
  if (order === 0) where.walk.remember(left as object, right);
  return order;
}

function compareParts(left: readonly Value[], right: readonly Value[], where: Where): number {
  const length = Math.min(left.length, right.length);
  const inside = { walk: where.walk, depth: where.walk.into(where.depth, length) };
  for (let at = 0; at < length; at += 1) {
    const order = compare(left[at] ?? null, right[at] ?? null, inside);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

interface Parts {
  /** The empty array or object: for its place among other types. */
  readonly kind: Datum;
  /** Items; names and values in the order of the names. */
  readonly parts: readonly Value[];
}

const emptyArray: Datum = [];

function partsOf(value: Value): Parts | undefined {
  if (value instanceof BoundArray) return { kind: emptyArray, parts: value.items };
  if (value instanceof BoundObject) return objectParts([...value.fields]);
  const datum = datumOf(value);
  if (Array.isArray(datum)) return { kind: emptyArray, parts: datum as Datum[] };
  const isPlain = isObject(datum) && pseudoType(datum) === undefined;
  return isPlain ? objectParts(Object.entries(datum)) : undefined;
}

const anObject: Datum = emptyObject();

const objectParts = (fields: readonly (readonly [string, Value])[]): Parts => ({
  kind: anObject,
  parts: fields.toSorted(([a], [b]) => compareText(a, b)).flat(),
});

/** The same, with pauses when both are large. */
export const compareValues = (
  left: Value,
  right: Value,
  work: Work | undefined,
): number | Promise<number> =>
  holdsBound(left) || holdsBound(right)
    ? compare(left, right)
    : compareIn(datumOf(left), datumOf(right), work);

const compares = (holds: (order: number) => boolean): TermDefinition => ({
  arity: [2, many],
  run: ({ args, context: { work } }) => {
    // Nearly always there are two.
    if (args.length === 2)
      return whenDone(compareValues(args[0] ?? null, args[1] ?? null, work), holds);
    let result = true;
    const done = eachOf(args, work, (value, at) => {
      if (at === 0) return false;
      return whenDone(compareValues(args[at - 1] ?? null, value, work), (order) => {
        result = holds(order);
        return !result;
      });
    });
    return after<boolean>(done, () => result);
  },
});

function differs({
  args: [first = null, ...rest],
  context: { work },
}: TermCall): boolean | Promise<boolean> {
  let result = false;
  const done = eachOf(rest, work, (value) =>
    whenDone(compareValues(first, value, work), (order) => (result = order !== 0)),
  );
  return after<boolean>(done, () => result);
}

export const comparisonTerms: readonly TermEntry[] = [
  [Term.EQ, compares((order) => order === 0)],
  [Term.NE, { arity: [2, many], run: differs }],
  [Term.LT, compares((order) => order < 0)],
  [Term.LE, compares((order) => order <= 0)],
  [Term.GT, compares((order) => order > 0)],
  [Term.GE, compares((order) => order >= 0)],
  [Term.NOT, { arity: [1, 1], run: ({ args: [value] }) => !truth(value ?? null) }],
  [Term.MINVAL, { arity: [0, 0], run: () => new BoundValue('minval') }],
  [Term.MAXVAL, { arity: [0, 0], run: () => new BoundValue('maxval') }],
];
