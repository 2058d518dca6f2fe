import type { Datum, DatumObject } from '../../datum/datum.ts';
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
import { canonicalText, prettyText } from '../../datum/text.ts';
import { Walk } from '../../datum/walk.ts';
import { logic } from '../failure.ts';
import { whenDone } from '../maybe-async.ts';
import { datumOf } from '../value-reading.ts';
import { copiedIn } from '../work/large-objects.ts';
import type { Work } from '../work/work.ts';
import type { Value } from '../value.ts';

/** Patterns that name fields of an object: what `pluck`, `without` and `hasFields` take. */

/** Fields that a pattern may name: more are a mistake, or a pattern that shares its parts with itself. */
const patternPartsMax = 100_000;
const bounded = new WeakSet<object>();

/** A pattern as it was given, walked once. */
export function patternOf(value: Value): Datum {
  const pattern = datumOf(value);
  if (typeof pattern !== 'object' || pattern === null || bounded.has(pattern)) return pattern;
  walkThrough(pattern, { walk: new Walk(patternPartsMax), depth: 0 });
  bounded.add(pattern);
  return pattern;
}

function walkThrough(
  datum: Datum,
  { walk, depth }: { readonly walk: Walk; readonly depth: number },
): void {
  if (typeof datum !== 'object' || datum === null) return;
  const parts = isObject(datum) ? Object.values(datum) : datum;
  const inside = { walk, depth: walk.into(depth, parts.length) };
  for (const part of parts) walkThrough(part, inside);
}

function* patternFields(pattern: Datum): Generator<[string, Datum]> {
  if (typeof pattern === 'string') yield [pattern, true];
  else if (Array.isArray(pattern))
    for (const item of pattern as Datum[]) yield* patternFields(item);
  else if (isObject(pattern) && pseudoType(pattern) === undefined) {
    for (const [name, inner] of Object.entries(pattern)) {
      const whole =
        inner === true || typeof inner === 'string' || isObject(inner) || Array.isArray(inner);
      if (!whole) throw logic(`Invalid path argument \`${prettyText(inner)}\`.`);
      yield [name, inner];
    }
  } else throw logic(`Invalid path argument \`${pathText(pattern)}\`.`);
}

const pathText = (pattern: Datum): string =>
  isObject(pattern) && pseudoType(pattern) === 'TIME'
    ? canonicalText(fieldOf(pattern, 'epoch_time') ?? null)
    : prettyText(pattern);

/** The fields that a pattern names: names, nested objects of names, arrays of them. */
export function picked(object: DatumObject, pattern: Datum): DatumObject {
  const result = emptyObject();
  for (const [name, inner] of patternFields(pattern)) {
    const value = fieldOf(object, name);
    if (value === undefined) continue;
    if (inner === true) result[name] = value;
    else if (isObject(value)) {
      const before = fieldOf(result, name);
      const part = picked(value, inner);
      result[name] = objectOf([
        ...(before !== undefined && isObject(before) ? Object.entries(before) : []),
        ...Object.entries(part),
      ]);
    } else if (Array.isArray(value)) {
      result[name] = (value as Datum[]).filter(isObject).map((item) => picked(item, inner));
    }
  }
  return checkedObject(result);
}

const dropped = (object: DatumObject, pattern: Datum): DatumObject =>
  droppedFrom(copyObject(object), pattern);

/** With pauses when the object is large. */
export const droppedIn = (
  object: DatumObject,
  pattern: Datum,
  work: Work | undefined,
): DatumObject | Promise<DatumObject> =>
  whenDone(copiedIn(object, work), (copy) => droppedFrom(copy, pattern));

function droppedFrom(result: MutableObject, pattern: Datum): DatumObject {
  for (const [name, inner] of patternFields(pattern)) {
    const value = fieldOf(result, name);
    if (inner === true) delete result[name];
    else if (value !== undefined && isObject(value)) result[name] = dropped(value, inner);
    else if (Array.isArray(value))
      result[name] = (value as Datum[]).map((item) =>
        isObject(item) ? dropped(item, inner) : item,
      );
  }
  return checkedObject(result);
}

export function has(object: DatumObject, pattern: Datum): boolean {
  return [...patternFields(pattern)].every(([name, inner]) => {
    const value = fieldOf(object, name);
    if (value === undefined || value === null) return false;
    return inner === true || (isObject(value) && has(value, inner));
  });
}
