import type { Datum, DatumArray, DatumObject } from '../../datum/datum.ts';
import { strayLiteral } from '../../datum/document.ts';
import {
  copyObject,
  emptyObject,
  fieldOf,
  isObject,
  objectOf,
  pseudoType,
} from '../../datum/object.ts';
import type { MutableObject } from '../../datum/object.ts';
import { checkedObject } from '../../datum/pseudo-type.ts';
import { Walk } from '../../datum/walk.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { Term } from '../term-table.ts';
import { logic } from '../failure.ts';
import { after, eachOf, whenDone } from '../maybe-async.ts';
import { datumOf, objectOfValue } from '../value-reading.ts';
import { FunctionValue } from '../value.ts';
import type { Value } from '../value.ts';
import { copiedIn, eachField } from '../work/large-objects.ts';
import type { Work } from '../work/work.ts';
import { overObjects } from './fields.ts';

/** Laying one object over another: `merge`, and what `update` and `zip` do with it. */

export const isLiteral = (datum: Datum): datum is DatumObject =>
  isObject(datum) && pseudoType(datum) === 'LITERAL';

/** A value in which there is no literal. */
export function refuseLiterals(datum: Datum): Datum {
  return withoutLiteral(datum, { walk: new Walk(), depth: 0 });
}

interface Where {
  readonly walk: Walk;
  readonly depth: number;
}

function withoutLiteral(datum: Datum, { walk, depth }: Where): Datum {
  if (typeof datum !== 'object' || datum === null || walk.known(datum) === true) return datum;
  if (isObject(datum) && pseudoType(datum) === 'LITERAL') throw logic(strayLiteral);
  const parts: DatumArray = isObject(datum) ? Object.values(datum) : datum;
  const inside = { walk, depth: walk.into(depth, parts.length) };
  for (const part of parts) {
    if (typeof part === 'object' && part !== null) withoutLiteral(part, inside);
  }
  walk.remember(datum, true);
  return datum;
}

/** The value that a literal stands for; undefined when it stands for the removal of a field. */
const valueOf = (literal: DatumObject): Datum | undefined => {
  const value = fieldOf(literal, 'value');
  return value === undefined ? undefined : refuseLiterals(value);
};

/** `right` laid over `left`: objects field by field, everything else replaces; a literal replaces as it is. */
export const merged = (left: Datum, right: Datum): Datum =>
  laidOver(left, right, { walk: new Walk(), depth: 0 });

/** What came of a value that was laid over another one. */
interface Laid {
  readonly left: Datum;
  readonly result: Datum;
}

function laidOver(left: Datum, right: Datum, where: Where): Datum {
  if (typeof right !== 'object' || right === null) return right;
  const { walk } = where;
  const known = walk.known(right) as Laid | undefined;
  if (known?.left === left) return known.result;
  const result = isObject(right) ? objectOver(left, right, where) : itemsOf(right, where);
  walk.remember(right, { left, result } satisfies Laid);
  return result;
}

function objectOver(left: Datum, right: DatumObject, { walk, depth }: Where): Datum {
  const type = pseudoType(right);
  if (type !== undefined) return type === 'LITERAL' ? (valueOf(right) ?? null) : right;
  const result =
    isObject(left) && pseudoType(left) === undefined ? copyObject(left) : emptyObject();
  const names = Object.keys(right);
  const inside = { walk, depth: walk.into(depth, names.length) };
  for (const name of names) lay(result, name, right, inside);
  return checkedObject(result);
}

/** One field of the object on the right. */
function lay(result: MutableObject, name: string, right: DatumObject, inside: Where): undefined {
  const value = right[name] as Datum;
  if (isLiteral(value) && !Object.hasOwn(value, 'value')) delete result[name];
  else result[name] = laidOver(result[name] ?? null, value, inside);
}

/** The same as `merged`, with pauses between the fields of large objects. */
function mergedIn(left: DatumObject, right: Datum, work: Work | undefined): Datum | Promise<Datum> {
  if (!isObject(right) || pseudoType(right) !== undefined || pseudoType(left) !== undefined)
    return merged(left, right);
  return whenDone<MutableObject, Datum>(copiedIn(left, work), (result) => {
    const names = Object.keys(right);
    const walk = new Walk();
    const inside = { walk, depth: walk.into(0, names.length) };
    const done = eachField(names, work, (name) => lay(result, name, right, inside));
    return after<Datum>(done, () => checkedObject(result));
  });
}

/** Items of an array have nothing to be laid over: literals in it are their values. */
function itemsOf(array: DatumArray, { walk, depth }: Where): Datum {
  const inside = { walk, depth: walk.into(depth, array.length) };
  const items: Datum[] = [];
  for (const item of array) {
    if (isLiteral(item) && !Object.hasOwn(item, 'value')) continue;
    items.push(laidOver(null, item, inside));
  }
  return items;
}

function mergeOne(
  object: DatumObject,
  rest: readonly Value[],
  work: Work | undefined,
): Datum | Promise<Datum> {
  let result: Datum = object;
  const done = eachOf(rest, work, (right) =>
    whenDone(right instanceof FunctionValue ? right.call([result]) : right, (value) => {
      const next = mergedIn(objectOfValue(result), mergeable(datumOf(value)), work);
      return whenDone(next, (datum) => {
        result = datum;
      });
    }),
  );
  return after<Datum>(done, () => result);
}

function mergeable(datum: Datum): Datum {
  if (isLiteral(datum)) throw logic(strayLiteral);
  if (!isObject(datum)) return datum;
  const type = pseudoType(datum);
  if (type !== undefined) throw logic(`Cannot merge objects of type \`PTYPE<${type}>\`.`);
  return datum;
}

const literal = ({ args: [value] }: TermCall): Value =>
  objectOf([
    ['$reql_type$', 'LITERAL'],
    ...(value === undefined ? [] : [['value', refuseLiterals(datumOf(value))] as const]),
  ]);

const many = Number.POSITIVE_INFINITY;

export const mergeTerms: readonly TermEntry[] = [
  [Term.MERGE, { arity: [1, many], run: overObjects('merge', mergeOne) }],
  [Term.LITERAL, { arity: [0, 1], run: literal }],
];
