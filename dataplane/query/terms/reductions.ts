import type { Datum, DatumArray } from '../../datum/datum.ts';
import { compareDatum } from '../../datum/compare.ts';
import { DatumSet } from '../../datum/datum-map.ts';
import { finite } from '../../datum/input.ts';
import type { FoldType, ScanFold, ScanGroup } from '../../wire/pushed-scan.ts';
import type { Accumulator, Context } from '../compiled.ts';
import { nonExistence } from '../failure.ts';
import { datumOfItem } from '../item.ts';
import type { Item } from '../item.ts';
import { orAbsent, whenDone } from '../maybe-async.ts';
import { dataOf } from '../term-function.ts';
import { datumOf, numberOf, truth } from '../value-reading.ts';
import { FunctionValue } from '../value.ts';
import type { Value } from '../value.ts';
import { isEqualIn } from '../work/compare.ts';
import { fieldFunction } from './fields.ts';
import { predicateOf } from './predicate.ts';
import { itemFunction } from './sequence-tools.ts';
import type { ItemFunction } from './sequence-tools.ts';

/**
 * Folds that make one value of a sequence. Each is an accumulator, so that a grouped sequence is read once and holds
 * one accumulator for each group in place of the group's documents. Accumulators of shards hand over their state.
 */
export interface Reduction {
  /** What of an item counts; undefined skips it. */
  readonly value: (item: Item) => Value | undefined | Promise<Value | undefined>;
  readonly start: () => Accumulator<Kept>;
  /** What a shard may do in its place, for these groups. */
  readonly fold?: (group: ScanGroup | undefined) => ScanFold | undefined;
}

export interface Kept {
  readonly item: Item;
  readonly value: Value;
}

/** Of a query, or of a shard. */
export type FoldContext = Pick<Context, 'work'>;

export interface Merging extends Accumulator<Kept> {
  state(): Datum;
  merge(state: Datum): void;
}

/** Items whose function asks for something that is not there are skipped. */
function existing(of: ItemFunction): Reduction['value'] {
  return (item) => orAbsent(() => of(item), undefined);
}

export const wholeItem = (item: Item): Datum => datumOfItem(item);

/** A function, or the name of a field; the item itself without either. */
function mapping(by: Value | undefined): Reduction['value'] {
  if (by === undefined) return wholeItem;
  return existing(by instanceof FunctionValue ? itemFunction(by) : fieldFunction(by));
}

function matching(by: Value | undefined, { work }: FoldContext): Reduction['value'] {
  if (by === undefined) return () => true;
  const holds =
    by instanceof FunctionValue
      ? predicateOf(by)
      : (item: Item) => isEqualIn(datumOfItem(item), datumOf(by), work);
  const matches = existing(holds);
  return (item) =>
    whenDone(matches(item), (value) => (value !== undefined && truth(value) ? true : undefined));
}

/** A sum too large for a number is one of JSON only as text. */
const numberData = (number: number): Datum => (Number.isFinite(number) ? number : String(number));

const itemsOfState = (state: Datum): DatumArray => state as DatumArray;

class Sum implements Merging {
  total = 0;
  number = 0;

  add({ value }: Kept): void {
    this.total += numberOf(value);
    this.number += 1;
  }

  end(): Value {
    return finite(this.total);
  }

  state(): Datum {
    return [numberData(this.total), this.number];
  }

  merge(state: Datum): void {
    const [total, number] = itemsOfState(state);
    this.total += Number(total);
    this.number += Number(number);
  }
}

class Average extends Sum {
  override end(): Value {
    if (this.number === 0) throw nonExistence(emptyText('average', 'avg'));
    return finite(this.total) / this.number;
  }
}

class Count implements Merging {
  #total = 0;

  add(): void {
    this.#total += 1;
  }

  end(): Value {
    return this.#total;
  }

  state(): Datum {
    return this.#total;
  }

  merge(state: Datum): void {
    this.#total += Number(state);
  }
}

const emptyText = (name: string, verb: string): string =>
  `Cannot take the ${name} of an empty stream.  (If you passed \`${verb}\` a field name, it may be that no elements of the stream had that field.)`;

/** The first of the best. */
export class Extreme implements Merging {
  readonly #name: 'min' | 'max';
  readonly #sign: 1 | -1;
  #best: { readonly item: Item; readonly value: Datum } | undefined;

  constructor(name: 'min' | 'max') {
    this.#name = name;
    this.#sign = name === 'min' ? -1 : 1;
  }

  add({ item, value }: Kept): void {
    this.take(item, datumOf(value));
  }

  /** Whether it is the best now. */
  take(item: Item, value: Datum): boolean {
    const best = this.#best;
    const isBest = best === undefined || this.#sign * compareDatum(value, best.value) > 0;
    if (isBest) this.#best = { item, value };
    return isBest;
  }

  end(): Value {
    if (this.#best === undefined) throw nonExistence(emptyText(this.#name, this.#name));
    return datumOfItem(this.#best.item);
  }

  state(): Datum {
    if (this.#best === undefined) return [];
    return [this.#best.value, datumOfItem(this.#best.item)];
  }

  merge(state: Datum): void {
    const [value, item] = itemsOfState(state);
    if (value !== undefined && item !== undefined) this.take(item, value);
  }
}

/** Each value once. */
class Distinct implements Merging {
  readonly #seen = new DatumSet();

  add({ value }: Kept): void {
    this.#seen.add(datumOf(value));
  }

  end(): Value {
    return this.state();
  }

  state(): Datum {
    return [...this.#seen.values()];
  }

  merge(state: Datum): void {
    for (const value of itemsOfState(state)) this.#seen.add(value);
  }
}

const starts: { readonly [Type in FoldType]: () => Merging } = {
  count: () => new Count(),
  sum: () => new Sum(),
  avg: () => new Average(),
  min: () => new Extreme('min'),
  max: () => new Extreme('max'),
  distinct: () => new Distinct(),
};

export function reductionOf(
  type: FoldType,
  by: Value | undefined,
  context: FoldContext,
): Pick<Reduction, 'value'> & { readonly start: () => Merging } {
  const value = type === 'count' ? matching(by, context) : mapping(by);
  return { value, start: starts[type] };
}

/** The same as data, where the function is. */
export const foldOf =
  (type: FoldType, by: Value | undefined, context: Context): NonNullable<Reduction['fold']> =>
  (group) => {
    const data = by === undefined ? undefined : dataOf(by, context);
    return by !== undefined && data === undefined ? undefined : { type, by: data, group };
  };
