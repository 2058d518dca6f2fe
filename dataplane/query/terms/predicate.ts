import type { Datum } from '../../datum/datum.ts';
import { equalDatum } from '../../datum/compare.ts';
import { fieldOf, isObject, pseudoType } from '../../datum/object.ts';
import { Walk } from '../../datum/walk.ts';
import { nonExistence } from '../failure.ts';
import { whenDone } from '../maybe-async.ts';
import { datumOf } from '../value-reading.ts';
import { FunctionValue, OpaqueValue } from '../value.ts';
import { argumentOf, datumOfItem } from '../item.ts';
import type { Value } from '../value.ts';
import type { Item } from '../item.ts';
import { isLiteral } from './merging.ts';
import { checkArity } from './sequence-tools.ts';

/**
 * What `filter` and `count` ask of each item: a function, or an object that it must match. A function
 * that is written as an object is a pattern too; an object that a function finds is just true.
 */

/** A document matches an object when it has all its fields, nested objects likewise. */
function matches(document: Datum, pattern: Datum, walk = new Walk()): boolean {
  if (isLiteral(pattern)) return equalDatum(document, fieldOf(pattern, 'value') ?? null);
  if (!isObject(pattern) || pseudoType(pattern) !== undefined) return equalDatum(document, pattern);
  if (!isObject(document)) return false;
  if (walk.known(pattern) === document) return true;
  const fields = Object.entries(pattern);
  walk.take(fields.length + 1);
  const holds = fields.every(([name, wanted]) => {
    const value = fieldOf(document, name);
    if (value === undefined) throw nonExistence(`No attribute \`${name}\` in object.`);
    return matches(value, wanted, walk);
  });
  if (holds) walk.remember(pattern, document);
  return holds;
}

export function predicateOf(predicate: Value): (item: Item) => Value | Promise<Value> {
  if (predicate instanceof FunctionValue) {
    checkArity(predicate, 1);
    const called = (item: Item): Value | Promise<Value> =>
      predicate.call([argumentOf(item, predicate.readFields)]);
    if (!predicate.isPattern) return called;
    return (item) =>
      whenDone(called(item), (value) =>
        !(value instanceof OpaqueValue) && isObject(value)
          ? matches(datumOfItem(item), value)
          : value,
      );
  }
  const pattern = datumOf(predicate);
  return isObject(pattern) ? (item) => matches(datumOfItem(item), pattern) : () => pattern;
}
