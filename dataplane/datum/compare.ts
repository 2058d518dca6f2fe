import { decodeBase64, nameOfBytes } from '../common/bytes.ts';
import type { Datum, DatumArray, DatumObject } from './datum.ts';
import { compareText, fieldOf, isObject, pseudoType, sortedKeys } from './object.ts';
import { typeName } from './type-name.ts';
import { Walk } from './walk.ts';

/**
 * ReQL's total order: types by their names, then values. Arrays and objects compare element by
 * element; objects by their sorted fields; times by their moment; binaries by their bytes.
 */
export function compareDatum(a: Datum, b: Datum): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  const [typeA, typeB] = [typeName(a), typeName(b)];
  if (typeA !== typeB) return typeA < typeB ? -1 : 1;
  if (typeof a === 'boolean') return Number(a) - Number(b);
  return a === null
    ? 0
    : compareParts(a as Container, b as Container, { walk: new Walk(), depth: 0 });
}

type Container = DatumArray | DatumObject;

interface Where {
  readonly walk: Walk;
  readonly depth: number;
}

function compareInside(a: Datum, b: Datum, where: Where): number {
  if (typeof a === 'string' && typeof b === 'string') where.walk.text(Math.min(a.length, b.length));
  const areContainers = typeof a === 'object' && a !== null && typeof b === 'object' && b !== null;
  if (!areContainers) return compareDatum(a, b);
  const [typeA, typeB] = [typeName(a), typeName(b)];
  if (typeA !== typeB) return typeA < typeB ? -1 : 1;
  return compareParts(a, b, where);
}

function compareParts(a: Container, b: Container, { walk, depth }: Where): number {
  if (a === b || walk.known(a) === b) return 0;
  const order = isObject(a)
    ? compareObjects(a, b as DatumObject, { walk, depth })
    : compareArrays(a, b as DatumArray, { walk, depth });
  if (order === 0) walk.remember(a, b);
  return order;
}

export const equalDatum = (a: Datum, b: Datum): boolean => compareDatum(a, b) === 0;

function compareArrays(a: DatumArray, b: DatumArray, { walk, depth }: Where): number {
  const length = Math.min(a.length, b.length);
  const where = { walk, depth: walk.into(depth, length) };
  for (let at = 0; at < length; at += 1) {
    const order = compareInside(a[at] as Datum, b[at] as Datum, where);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareObjects(a: DatumObject, b: DatumObject, { walk, depth }: Where): number {
  const type = pseudoType(a);
  if (type === 'TIME')
    return compareDatum(fieldOf(a, 'epoch_time') ?? 0, fieldOf(b, 'epoch_time') ?? 0);
  if (type === 'BINARY') {
    return compareText(binaryText(a), binaryText(b));
  }
  const [keysA, keysB] = [sortedKeys(a), sortedKeys(b)];
  const length = Math.min(keysA.length, keysB.length);
  const where = { walk, depth: walk.into(depth, length) };
  for (let at = 0; at < length; at += 1) {
    const [keyA, keyB] = [keysA[at] as string, keysB[at] as string];
    const order =
      compareText(keyA, keyB) || compareInside(a[keyA] as Datum, b[keyB] as Datum, where);
    if (order !== 0) return order;
  }
  return keysA.length - keysB.length;
}

/** The bytes of a binary as text of one unit each: its order is theirs. */
export const binaryText = (binary: DatumObject): string => nameOfBytes(binaryBytes(binary));

export function binaryBytes(binary: DatumObject): Uint8Array {
  const data = fieldOf(binary, 'data');
  return decodeBase64(typeof data === 'string' ? data : '');
}
