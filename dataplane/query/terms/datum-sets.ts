import type { Datum, DatumArray } from '../../datum/datum.ts';
import { DatumSet } from '../../datum/datum-map.ts';
import { after, eachOf, whenDone } from '../maybe-async.ts';
import { entryBytes, sizeOf } from '../work/size.ts';
import type { Work } from '../work/work.ts';

/** Sets of values, which keep a text for each object and array in them. */

/** What finding one value in a set costs, and what keeping it takes. */
export function spendOnKey(datum: Datum, work: Work | undefined): number {
  const size = sizeOf(datum);
  work?.spendText(keyFactor * size);
  return size + entryBytes;
}

/** A text for the hash is made by hand. */
const keyFactor = 8;

export function datumSet(items: DatumArray, work: Work | undefined): DatumSet | Promise<DatumSet> {
  const set = new DatumSet();
  const add = (item: Datum): void => {
    const bytes = spendOnKey(item, work);
    if (set.add(item)) work?.memory.charge(bytes);
  };
  return after(eachOf(items, work, add), () => set);
}

/** Each value once, in the order of its first place; those that are to be kept. */
export function distinctItems(
  items: DatumArray,
  work: Work | undefined,
  keep: (item: Datum) => boolean = () => true,
): Datum[] | Promise<Datum[]> {
  const seen = new DatumSet();
  const kept: Datum[] = [];
  const done = eachOf(items, work, (item) => {
    const bytes = spendOnKey(item, work);
    if (!keep(item) || !seen.add(item)) return;
    work?.memory.charge(bytes);
    kept.push(item);
  });
  return after(done, () => kept);
}

/** Those of the items that the other ones have, or those that they have not. */
export function compared(
  [items, others]: readonly [DatumArray, DatumArray],
  wanted: boolean,
  work: Work | undefined,
): Datum[] | Promise<Datum[]> {
  return whenDone(datumSet(others, work), (set) =>
    distinctItems(items, work, (item) => set.has(item) === wanted),
  );
}
