import { compareDatum } from '../../datum/compare.ts';
import type { Datum, DatumArray, DatumObject } from '../../datum/datum.ts';
import { tooDeep } from '../../datum/errors.ts';
import { datumDepthMax } from '../../datum/limits.ts';
import { compareText, isObject, pseudoType, sortedKeys } from '../../datum/object.ts';
import { after, eachOf, whenDone } from '../maybe-async.ts';
import { quickSizeOf } from './size.ts';
import type { Work } from './work.ts';

/** The order of two values, as `compareDatum` has it, found with pauses when both are large. */

type Order = number | Promise<number>;

/** Bytes of what is compared in one go. */
const smallBytes = 65_536;
const bytesPerUnit = 64;

export function compareIn(a: Datum, b: Datum, work: Work | undefined): Order {
  if (work === undefined || isQuick(a, work) || isQuick(b, work)) return compareDatum(a, b);
  return comparedParts(a, b, { work, same: new Map() }, 0);
}

/** What is short ends the comparison. */
function isQuick(datum: Datum, work: Work): boolean {
  if (typeof datum !== 'object' || datum === null) return true;
  const size = quickSizeOf(datum) ?? Number.POSITIVE_INFINITY;
  if (size > smallBytes) return false;
  work.spend(size / bytesPerUnit);
  return true;
}

interface Comparison {
  readonly work: Work;
  /** Large parts that were found to be equal. */
  readonly same: Map<object, object>;
}

function comparedParts(a: Datum, b: Datum, comparison: Comparison, depth: number): Order {
  const { work, same } = comparison;
  if (isQuick(a, work) || isQuick(b, work)) return compareDatum(a, b);
  if (a === b || same.get(a as object) === b) return 0;
  if (depth >= datumDepthMax) throw tooDeep();
  const inside = { comparison, depth: depth + 1 };
  const order =
    Array.isArray(a) && Array.isArray(b)
      ? arrays(a as DatumArray, b as DatumArray, inside)
      : isPlain(a) && isPlain(b)
        ? objects(a, b, inside)
        : compareDatum(a, b);
  return whenDone(order, (found) => {
    if (found === 0) same.set(a as object, b as object);
    return found;
  });
}

interface Inside {
  readonly comparison: Comparison;
  readonly depth: number;
}

const isPlain = (datum: Datum): datum is DatumObject =>
  isObject(datum) && pseudoType(datum) === undefined;

function arrays(a: DatumArray, b: DatumArray, { comparison, depth }: Inside): Order {
  let order = 0;
  const done = eachOf(a, comparison.work, (item, at) => {
    if (at >= b.length) return true;
    return whenDone(comparedParts(item, b[at] as Datum, comparison, depth), (found) => {
      order = found;
      return found !== 0;
    });
  });
  return after(done, () => (order === 0 ? a.length - b.length : order));
}

function objects(a: DatumObject, b: DatumObject, { comparison, depth }: Inside): Order {
  const [keysA, keysB] = [sortedKeys(a), sortedKeys(b)];
  let order = 0;
  const done = eachOf(keysA, comparison.work, (keyA, at) => {
    const keyB = keysB[at];
    if (keyB === undefined) return true;
    const byName = compareText(keyA, keyB);
    const next =
      byName === 0 ? comparedParts(a[keyA] as Datum, b[keyB] as Datum, comparison, depth) : byName;
    return whenDone(next, (found) => {
      order = found;
      return found !== 0;
    });
  });
  return after(done, () => (order === 0 ? keysA.length - keysB.length : order));
}

export const isEqualIn = (a: Datum, b: Datum, work: Work | undefined): boolean | Promise<boolean> =>
  whenDone(compareIn(a, b, work), (order) => order === 0);
