import type { Datum, DatumObject } from '../../datum/datum.ts';
import {
  copyObject,
  emptyObject,
  fieldOf,
  isObject,
  objectOf,
  pseudoType,
} from '../../datum/object.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { logic } from '../failure.ts';
import { datumOf, FunctionValue, objectOfValue } from '../value.ts';
import type { Value } from '../value.ts';
import { overObjects } from './fields.ts';

/** Laying one object over another: `merge`, and what `update` and `zip` do with it. */

export const isLiteral = (datum: Datum): datum is DatumObject =>
  isObject(datum) && pseudoType(datum) === 'LITERAL';

export const strayLiteral =
  'Stray literal keyword found: literal is only legal inside of the object passed to merge or update and cannot nest inside other literals.';

function plain(datum: Datum): Datum {
  if (isLiteral(datum)) throw logic(strayLiteral);
  if (Array.isArray(datum)) (datum as Datum[]).forEach(plain);
  else if (isObject(datum)) Object.values(datum).forEach(plain);
  return datum;
}

/** `right` laid over `left`: objects field by field, everything else replaces; a literal replaces as it is. */
export function merged(left: Datum, right: Datum): Datum {
  if (isLiteral(right)) return plain(fieldOf(right, 'value') ?? null);
  if (!isObject(right) || pseudoType(right) !== undefined) return right;
  const result =
    isObject(left) && pseudoType(left) === undefined ? copyObject(left) : emptyObject();
  for (const [name, value] of Object.entries(right)) {
    if (isLiteral(value) && !Object.hasOwn(value, 'value')) delete result[name];
    else result[name] = merged(result[name] ?? null, value);
  }
  return result;
}

/** An object with literals in it as the value that they stand for. */
export const resolved = (datum: Datum): Datum =>
  isObject(datum) && pseudoType(datum) === undefined ? merged(null, datum) : datum;

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
    ...(value === undefined ? [] : [['value', plain(datumOf(value))] as const]),
  ]);

const many = Number.POSITIVE_INFINITY;

export const mergeTerms: readonly TermEntry[] = [
  [35, { arity: [1, many], run: overObjects('merge', mergeOne) }],
  [137, { arity: [0, 1], run: literal }],
];
