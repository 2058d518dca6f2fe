import { decodeBase64, nameOfBytes } from '../common/bytes.ts';
import type { Datum, DatumArray, DatumObject } from './datum.ts';
import { tooDeep } from './errors.ts';
import { datumDepthMax } from './limits.ts';
import { compareText, fieldOf, isObject, pseudoType, sortedKeys } from './object.ts';
import { typeName } from './type-name.ts';

/**
 * ReQL's total order: types by their names, then values. Arrays and objects compare element by
 * element; objects by their sorted fields; times by their moment; binaries by their bytes.
 */
export function compareDatum(a: Datum, b: Datum, depth = 0): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  const [typeA, typeB] = [typeName(a), typeName(b)];
  if (typeA !== typeB) return typeA < typeB ? -1 : 1;
  if (typeof a === 'boolean') return Number(a) - Number(b);
  if (a === null) return 0;
  if (depth >= datumDepthMax) throw tooDeep();
  if (!isObject(a)) return compareArrays(a as DatumArray, b as DatumArray, depth + 1);
  return compareObjects(a, b as DatumObject, depth + 1);
}

export const equalDatum = (a: Datum, b: Datum): boolean => compareDatum(a, b) === 0;

function compareArrays(a: DatumArray, b: DatumArray, depth: number): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const order = compareDatum(a[at] as Datum, b[at] as Datum, depth);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareObjects(a: DatumObject, b: DatumObject, depth: number): number {
  const type = pseudoType(a);
  if (type === 'TIME')
    return compareDatum(fieldOf(a, 'epoch_time') ?? 0, fieldOf(b, 'epoch_time') ?? 0);
  if (type === 'BINARY') {
    return compareText(binaryText(a), binaryText(b));
  }
  const [keysA, keysB] = [sortedKeys(a), sortedKeys(b)];
  const length = Math.min(keysA.length, keysB.length);
  for (let at = 0; at < length; at += 1) {
    const [keyA, keyB] = [keysA[at] as string, keysB[at] as string];
    const order =
      compareText(keyA, keyB) || compareDatum(a[keyA] as Datum, b[keyB] as Datum, depth);
    if (order !== 0) return order;
  }
  return keysA.length - keysB.length;
}

/** The bytes of a binary as text of one unit each: its order is theirs. */
export function binaryText(binary: DatumObject): string {
  const data = fieldOf(binary, 'data');
  return typeof data === 'string' ? nameOfBytes(decodeBase64(data)) : '';
}
