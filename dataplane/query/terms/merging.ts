import type { Datum, DatumArray, DatumObject } from '../../datum/datum.ts';
import { strayLiteral } from '../../datum/document.ts';
import { tooDeep } from '../../datum/errors.ts';
import { datumDepthMax } from '../../datum/limits.ts';
import {
  copyObject,
  emptyObject,
  fieldOf,
  isObject,
  objectOf,
  pseudoType,
} from '../../datum/object.ts';
import { checkedObject } from '../../datum/pseudo-type.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { Term } from '../term-table.ts';
import { logic } from '../failure.ts';
import { datumOf, FunctionValue, objectOfValue } from '../value.ts';
import type { Value } from '../value.ts';
import { overObjects } from './fields.ts';

/** Laying one object over another: `merge`, and what `update` and `zip` do with it. */

export const isLiteral = (datum: Datum): datum is DatumObject =>
  isObject(datum) && pseudoType(datum) === 'LITERAL';

/** A value in which there is no literal. */
export function refuseLiterals(datum: Datum): Datum {
  visitObjects(datum, (object) => {
    if (pseudoType(object) === 'LITERAL') throw logic(strayLiteral);
  });
  return datum;
}

/** Every object in a value, from the outside in. */
function visitObjects(datum: Datum, visit: (object: DatumObject) => void, depth = 0): void {
  if (typeof datum !== 'object' || datum === null) return;
  if (depth >= datumDepthMax) throw tooDeep();
  if (isObject(datum)) {
    visit(datum);
    for (const name of Object.keys(datum)) visitObjects(datum[name] as Datum, visit, depth + 1);
  } else for (const item of datum) visitObjects(item, visit, depth + 1);
}

/** The value that a literal stands for; undefined when it stands for the removal of a field. */
const valueOf = (literal: DatumObject): Datum | undefined => {
  const value = fieldOf(literal, 'value');
  return value === undefined ? undefined : refuseLiterals(value);
};

/** `right` laid over `left`: objects field by field, everything else replaces; a literal replaces as it is. */
export function merged(left: Datum, right: Datum, depth = 0): Datum {
  if (typeof right !== 'object' || right === null) return right;
  if (depth >= datumDepthMax) throw tooDeep();
  if (!isObject(right)) return withoutLiterals(right, depth);
  const type = pseudoType(right);
  if (type !== undefined) return type === 'LITERAL' ? (valueOf(right) ?? null) : right;
  const result =
    isObject(left) && pseudoType(left) === undefined ? copyObject(left) : emptyObject();
  for (const [name, value] of Object.entries(right)) {
    if (isLiteral(value) && !Object.hasOwn(value, 'value')) delete result[name];
    else result[name] = merged(result[name] ?? null, value, depth + 1);
  }
  return checkedObject(result);
}

/** Items of an array have nothing to be laid over: literals in it are their values. */
function withoutLiterals(array: DatumArray, depth: number): Datum {
  const items: Datum[] = [];
  for (const item of array) {
    if (isLiteral(item) && !Object.hasOwn(item, 'value')) continue;
    items.push(merged(null, item, depth + 1));
  }
  return items;
}

function mergeOne(object: DatumObject, rest: readonly Value[]): Datum | Promise<Datum> {
  let result: Datum = object;
  for (const [position, right] of rest.entries()) {
    const value = right instanceof FunctionValue ? right.call([result]) : right;
    if (value instanceof Promise) {
      const left = result;
      return value.then((found) =>
        mergeOne(objectOfValue(merged(left, mergeable(datumOf(found)))), rest.slice(position + 1)),
      );
    }
    result = merged(objectOfValue(result), mergeable(datumOf(value)));
  }
  return result;
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
