import type { Datum, DatumArray, DatumObject } from './datum.ts';
import { datumDepthMax } from './limits.ts';
import { compareText } from './object.ts';
import type { ContainerChecks } from './container-checks.ts';

/**
 * Whether `JSON.stringify` writes the canonical text of a value, and nothing in it needs to be refused. Most
 * values are such. False is no verdict: whoever writes the text part by part then finds out what there is.
 */
export function isCanonical(
  datum: DatumObject | DatumArray,
  checks?: ContainerChecks,
  depth = 0,
): boolean {
  const left = { parts: partsMax, characters: charactersMax };
  return isContainer(datum, { checks, left }, depth);
}

/** Beyond, parts may be shared, and the text may be longer than it may be. */
const partsMax = 2 ** 17;
const charactersMax = 2 ** 24;

interface Look {
  readonly checks: ContainerChecks | undefined;
  readonly left: { parts: number; characters: number };
}

function isPart(datum: Datum | undefined, look: Look, depth: number): boolean {
  switch (typeof datum) {
    case 'string':
      look.left.characters -= datum.length;
      return datum.isWellFormed();
    case 'number':
      return Number.isFinite(datum) && !Object.is(datum, -0);
    case 'boolean':
      return true;
    case 'object':
      return datum === null || isContainer(datum, look, depth);
    default:
      return false;
  }
}

function isContainer(datum: DatumObject | DatumArray, look: Look, depth: number): boolean {
  const { left } = look;
  if (depth >= datumDepthMax || left.parts < 0 || left.characters < 0) return false;
  return Array.isArray(datum)
    ? isArray(datum as DatumArray, look, depth + 1)
    : isOrdered(datum as DatumObject, look, depth + 1);
}

function isArray(array: DatumArray, look: Look, inside: number): boolean {
  look.left.parts -= array.length + 1;
  if (look.left.parts < 0) return false;
  look.checks?.array(array);
  for (let at = 0; at < array.length; at += 1) {
    if (!isPart(array[at], look, inside)) return false;
  }
  return true;
}

function isOrdered(object: DatumObject, look: Look, inside: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  // Objects of a class may be written otherwise.
  if (prototype !== null && prototype !== Object.prototype) return false;
  const keys = Object.keys(object);
  look.left.parts -= keys.length + 1;
  let last = '';
  for (const key of keys) {
    if (last !== '' && compareText(last, key) > 0) return false;
    last = key;
  }
  if (look.checks !== undefined && look.checks.object(object) !== object) return false;
  for (const key of keys) {
    look.left.characters -= key.length;
    if (!key.isWellFormed() || !isPart(object[key], look, inside)) return false;
  }
  return true;
}
