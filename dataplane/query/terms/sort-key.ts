import type { Datum } from '../../datum/datum.ts';
import { compareDatum } from '../../datum/compare.ts';
import { datumOf, FunctionValue, Special } from '../value.ts';
import type { Item, Value } from '../value.ts';
import { fieldFunction } from './fields.ts';
import { after, eachOf, itemFunction, orAbsent, whenDone } from './sequence-tools.ts';
import type { ItemFunction } from './sequence-tools.ts';

/** Orders that a query asks for: functions and fields, ascending or descending. */
export interface SortKey {
  readonly of: ItemFunction;
  readonly sign: 1 | -1;
}

/** What `asc` and `desc` make of their argument. */
export class Direction extends Special {
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

/** What does not exist sorts before everything. */
function keyOf(item: Item, { of }: SortKey): Datum | undefined | Promise<Datum | undefined> {
  return orAbsent(() => whenDone(of(item), datumOf), undefined);
}

export interface SortRow {
  readonly item: Item;
  readonly by: readonly (Datum | undefined)[];
}

export function compareRows(a: SortRow, b: SortRow, keys: readonly SortKey[]): number {
  for (const [at, { sign }] of keys.entries()) {
    const [left, right] = [a.by[at], b.by[at]];
    const order =
      left === undefined || right === undefined
        ? Number(left !== undefined) - Number(right !== undefined)
        : compareDatum(left, right);
    if (order !== 0) return order * sign;
  }
  return 0;
}

/** One item after the other: a promise that nobody waits for must not fail. */
function rowOf(item: Item, keys: readonly SortKey[]): SortRow | Promise<SortRow> {
  const by: (Datum | undefined)[] = [];
  const done = eachOf(keys, (key) =>
    whenDone(keyOf(item, key), (value) => {
      by.push(value);
    }),
  );
  return after(done, () => ({ item, by }));
}

/** Items with what they are ordered by. Waits only when a function does. */
export function sortRows(
  items: readonly Item[],
  keys: readonly SortKey[],
): readonly SortRow[] | Promise<readonly SortRow[]> {
  const rows: SortRow[] = [];
  const done = eachOf(items, (item) =>
    whenDone(rowOf(item, keys), (row) => {
      rows.push(row);
    }),
  );
  return after(done, () => rows);
}

/** Items in order; equal ones keep theirs. */
export function sorted(items: readonly Item[], keys: readonly SortKey[]): Item[] | Promise<Item[]> {
  return whenDone(sortRows(items, keys), (rows) =>
    [...rows].sort((a, b) => compareRows(a, b, keys)).map(({ item }) => item),
  );
}
