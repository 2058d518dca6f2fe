import type { Datum, DatumArray } from '../../datum/datum.ts';
import { DatumSet, equalityPart } from '../../datum/datum-map.ts';
import { after, eachOf, whenDone } from '../maybe-async.ts';
import { writtenIn } from '../work/answer-text.ts';
import { entryBytes, quickSizeOf, sizeOf } from '../work/size.ts';
import type { Work } from '../work/work.ts';

/** Sets of values, which keep a text for each object and array in them. */

/** What a value is found by in a set: scalars by their value. */
type KeyText = string | undefined;

const bytesPerUnit = 32;
/** A text for the hash is made by hand. */
const smallBytes = 65_536;

/** The text of a value, made with pauses when it is large. */
export function keyTextIn(datum: Datum, work: Work | undefined): KeyText | Promise<KeyText> {
  if (typeof datum !== 'object' || datum === null) return undefined;
  const size = quickSizeOf(datum);
  if (work === undefined || size === undefined || size > smallBytes)
    return writtenIn(datum, equalityPart, work);
  work.spend(size / bytesPerUnit);
  return equalityPart(datum, 0);
}

/** What a value takes that a set keeps. */
export const keptBytes = (datum: Datum, text: KeyText): number =>
  entryBytes + sizeOf(datum) + (text?.length ?? 0);

/** Whether the value is there now for the first time. */
export function addIn(
  set: DatumSet,
  datum: Datum,
  work: Work | undefined,
): boolean | Promise<boolean> {
  return whenDone(keyTextIn(datum, work), (text) => {
    if (!set.add(datum, text)) return false;
    work?.memory.charge(keptBytes(datum, text));
    return true;
  });
}

export const hasIn = (
  set: DatumSet,
  datum: Datum,
  work: Work | undefined,
): boolean | Promise<boolean> => whenDone(keyTextIn(datum, work), (text) => set.has(datum, text));

export function datumSet(items: DatumArray, work: Work | undefined): DatumSet | Promise<DatumSet> {
  const set = new DatumSet();
  const done = eachOf(items, work, (item) => whenDone(addIn(set, item, work), goesOn));
  return after(done, () => set);
}

/** A step that answers true would end the loop. */
const goesOn = (): undefined => undefined;

/** Each value once, in the order of its first place. */
export function distinctItems(
  items: DatumArray,
  work: Work | undefined,
): Datum[] | Promise<Datum[]> {
  const seen = new DatumSet();
  const kept: Datum[] = [];
  const done = eachOf(items, work, (item) =>
    whenDone(addIn(seen, item, work), (isNew) => {
      if (isNew) kept.push(item);
    }),
  );
  return after(done, () => kept);
}

/** Those of the items that the other ones have, or those that they have not, each once. */
export function compared(
  [items, others]: readonly [DatumArray, DatumArray],
  wanted: boolean,
  work: Work | undefined,
): Datum[] | Promise<Datum[]> {
  return whenDone(datumSet(others, work), (set) => {
    const kept: Datum[] = [];
    const done = eachOf(items, work, (item) =>
      whenDone(hasIn(set, item, work), (isThere) => {
        if (isThere === wanted) kept.push(item);
      }),
    );
    return after<Datum[]>(done, () => distinctItems(kept, work));
  });
}
