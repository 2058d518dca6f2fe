import type { Datum, DatumObject } from '../../datum/datum.ts';
import { tooDeep } from '../../datum/errors.ts';
import { checkedInput } from '../../datum/input.ts';
import { datumDepthMax } from '../../datum/limits.ts';
import { emptyObject, isObject } from '../../datum/object.ts';
import { checkedObject } from '../../datum/pseudo-type.ts';
import { requireUnicode } from '../../datum/text.ts';
import { after, eachOf, mapOf, whenDone } from '../maybe-async.ts';
import { quickSizeOf } from './size.ts';
import type { Work } from './work.ts';

/** What JSON says, as a value of ReQL: what `checkedInput` makes of it, with pauses when it is large. */

/** Bytes of what is checked in one go. */
const smallBytes = 65_536;
const bytesPerUnit = 128;

type Checked = Datum | Promise<Datum>;

export function checkedInputIn(parsed: Datum, work: Work | undefined, depth = 0): Checked {
  if (work === undefined || typeof parsed !== 'object' || parsed === null)
    return checkedInput(parsed, depth);
  const size = quickSizeOf(parsed) ?? Number.POSITIVE_INFINITY;
  if (size <= smallBytes) {
    work.spend(size / bytesPerUnit);
    return checkedInput(parsed, depth);
  }
  if (depth >= datumDepthMax) throw tooDeep();
  return isObject(parsed)
    ? objectIn(parsed, work, depth + 1)
    : mapOf(parsed, work, (item) => checkedInputIn(item, work, depth + 1));
}

function objectIn(parsed: DatumObject, work: Work, depth: number): Checked {
  const object = emptyObject();
  const done = eachOf(Object.keys(parsed), work, (name) => {
    requireUnicode(name);
    return whenDone(checkedInputIn(parsed[name] as Datum, work, depth), (field) => {
      object[name] = field;
    });
  });
  return after<Datum>(done, () => checkedObject(object));
}
