import type { Datum } from '../../datum/datum.ts';
import { compareDatum } from '../../datum/compare.ts';
import { isMissing } from '../failure.ts';
import { mapOf, whenDone } from '../maybe-async.ts';
import { datumOf } from '../value-reading.ts';
import { FunctionValue, OpaqueValue } from '../value.ts';
import type { Value } from '../value.ts';
import type { Item } from '../item.ts';
import { sortedBy } from '../work/merge-sort.ts';
import type { Order } from '../work/merge-sort.ts';
import { sizeOf } from '../work/size.ts';
import type { Work } from '../work/work.ts';
import { fieldFunction } from './fields.ts';
import { itemFunction } from './sequence-tools.ts';
import type { ItemFunction } from './sequence-tools.ts';

/** Orders that a query asks for: functions and fields, ascending or descending. */
export interface SortKey {
  readonly of: ItemFunction;
  readonly sign: 1 | -1;
}

/** What `asc` and `desc` make of their argument. */
export class Direction extends OpaqueValue {
  override readonly typeName = 'ORDERING';
  readonly by: Value;
  readonly sign: 1 | -1;
  constructor(by: Value, sign: 1 | -1) {
    super();
    this.by = by;
    this.sign = sign;
  }
}

export function sortKey(value: Value): SortKey {
  const [by, sign] = value instanceof Direction ? [value.by, value.sign] : [value, 1 as const];
  return { of: by instanceof FunctionValue ? itemFunction(by) : fieldFunction(by), sign };
}

function absent(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}

/** What does not exist sorts before everything. */
function keyOf(item: Item, { of }: SortKey): Datum | undefined | Promise<Datum | undefined> {
  try {
    const value = of(item);
    return value instanceof Promise ? value.then(datumOf).catch(absent) : datumOf(value);
  } catch (error) {
    return absent(error);
  }
}

export interface SortRow {
  readonly item: Item;
  readonly by: readonly (Datum | undefined)[];
  /** What comparing it costs. */
  readonly units: number;
}

const unitsOf = (by: readonly (Datum | undefined)[]): number => {
  let bytes = 0;
  for (const value of by) bytes += value === undefined ? 0 : sizeOf(value);
  return 1 + bytes / bytesPerUnit;
};

/** Of values that are compared. */
const bytesPerUnit = 256;

/** The order of all values. */
export const valueOrder: Order<Datum> = {
  compare: compareDatum,
  units: (datum) => 1 + sizeOf(datum) / bytesPerUnit,
};

/** Called for each pair that a sort looks at: a loop without iterators. */
export function compareRows(a: SortRow, b: SortRow, keys: readonly SortKey[]): number {
  for (let at = 0; at < keys.length; at += 1) {
    const left = a.by[at];
    const right = b.by[at];
    const order =
      left === undefined || right === undefined
        ? Number(left !== undefined) - Number(right !== undefined)
        : compareDatum(left, right);
    if (order !== 0) return keys[at]?.sign === -1 ? -order : order;
  }
  return 0;
}

type Keys = (Datum | undefined)[];

function rowOf(item: Item, keys: readonly SortKey[]): SortRow | Promise<SortRow> {
  const by: Keys = [];
  for (const key of keys) {
    const value = keyOf(item, key);
    if (value instanceof Promise) return rowLater(item, keys, { by, value });
    by.push(value);
  }
  return { item, by, units: unitsOf(by) };
}

/** From the first key that must be waited for. */
async function rowLater(
  item: Item,
  keys: readonly SortKey[],
  { by, value }: { readonly by: Keys; readonly value: Promise<Datum | undefined> },
): Promise<SortRow> {
  by.push(await value);
  while (by.length < keys.length) by.push(await keyOf(item, keys[by.length] as SortKey));
  return { item, by, units: unitsOf(by) };
}

/** Items with what they are ordered by. */
export const sortRows = (
  items: readonly Item[],
  keys: readonly SortKey[],
  work: Work | undefined,
): readonly SortRow[] | Promise<readonly SortRow[]> =>
  mapOf(items, work, (item) => rowOf(item, keys));

/** Items in order; equal ones keep theirs. */
export function sorted(
  items: readonly Item[],
  keys: readonly SortKey[],
  work: Work | undefined,
): Item[] | Promise<Item[]> {
  const order: Order<SortRow> = {
    compare: (a, b) => compareRows(a, b, keys),
    units: ({ units }) => units,
  };
  return whenDone(sortRows(items, keys, work), (rows) =>
    whenDone(sortedBy(rows, order, work), (ordered) => ordered.map(({ item }) => item)),
  );
}
