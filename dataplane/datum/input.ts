import type { Datum, DatumArray } from './datum.ts';
import { nonFinite, tooDeep } from './errors.ts';
import { datumDepthMax } from './limits.ts';
import { isObject } from './object.ts';
import { checkedObject } from './pseudo-type.ts';
import { requireUnicode } from './text.ts';

/**
 * What JSON.parse made of a client's text, as a value of ReQL. JSON.parse takes more than that: numbers
 * beyond doubles become infinite, halves of surrogate pairs stay, and nothing bounds the nesting.
 */
export function checkedInput(parsed: Datum, depth = 0): Datum {
  if (typeof parsed === 'number') return finite(parsed);
  if (typeof parsed === 'string') return requireUnicode(parsed);
  if (typeof parsed !== 'object' || parsed === null) return parsed;
  if (depth >= datumDepthMax) throw tooDeep();
  if (!isObject(parsed)) return checkedArray(parsed, depth + 1);
  let changed: Record<string, Datum> | undefined;
  for (const name of Object.keys(parsed)) {
    requireUnicode(name);
    const before = parsed[name] as Datum;
    const field = checkedInput(before, depth + 1);
    if (field === before) continue;
    changed ??= Object.assign(Object.create(null) as Record<string, Datum>, parsed);
    changed[name] = field;
  }
  return checkedObject(changed ?? parsed);
}

function checkedArray(array: DatumArray, depth: number): Datum {
  let changed: Datum[] | undefined;
  for (const [at, before] of array.entries()) {
    const item = checkedInput(before, depth);
    if (item === before) continue;
    changed ??= [...array];
    changed[at] = item;
  }
  return changed ?? array;
}

export function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw nonFinite(value);
}
