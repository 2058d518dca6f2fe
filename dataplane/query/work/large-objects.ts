import type { DatumObject } from '../../datum/datum.ts';
import { emptyObject } from '../../datum/object.ts';
import type { MutableObject } from '../../datum/object.ts';
import { after, eachOf } from '../maybe-async.ts';
import type { Work } from './work.ts';

/** Fields of an object that are handled in one step. */
export const fieldsAtOnce = 1_024;

/** Each field by its name, with pauses when there are many of them. */
export const eachField = (
  names: readonly string[],
  work: Work | undefined,
  step: (name: string) => undefined,
): undefined | Promise<void> => eachOf(names, names.length > fieldsAtOnce ? work : undefined, step);

/** A copy of an object, to be changed. */
export function copiedIn(
  object: DatumObject,
  work: Work | undefined,
): MutableObject | Promise<MutableObject> {
  const copy = emptyObject();
  const done = eachField(Object.keys(object), work, (name) => {
    copy[name] = object[name] as DatumObject[string];
  });
  return after(done, () => copy);
}
