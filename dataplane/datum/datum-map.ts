import { binaryText } from './compare.ts';
import type { Datum, DatumArray, DatumObject } from './datum.ts';
import { fieldOf, isObject, pseudoType, sortedKeys } from './object.ts';
import { Walk } from './walk.ts';

/**
 * A text that two values share exactly when `compareDatum` finds them equal: times of one moment in
 * different zones, binaries of the same bytes, 0 and -0.
 */
export const equalityText = (datum: Datum): string => equalityPart(datum, 0);

/** Of a part of a value, so many arrays and objects inside. */
export const equalityPart = (datum: Datum, depth: number): string =>
  textOf(datum, { walk: new Walk(equalityTextMax), depth });

/** Values and characters: twice as much as the largest document has. */
const equalityTextMax = 2 ** 27;

interface Where {
  readonly walk: Walk;
  readonly depth: number;
}

function textOf(datum: Datum, where: Where): string {
  if (typeof datum === 'number') return datum === 0 ? '0' : String(datum);
  if (typeof datum === 'string') return counted(JSON.stringify(datum), where);
  if (typeof datum !== 'object' || datum === null) return JSON.stringify(datum);
  const known = where.walk.known(datum);
  if (typeof known === 'string') return counted(known, where);
  const text = isObject(datum) ? typedText(datum, where) : arrayText(datum, where);
  where.walk.remember(datum, text);
  return text;
}

function counted(text: string, { walk }: Where): string {
  walk.take(text.length);
  return text;
}

function arrayText(array: DatumArray, { walk, depth }: Where): string {
  const inside = { walk, depth: walk.into(depth, array.length) };
  return `[${array.map((item) => textOf(item, inside)).join(',')}]`;
}

function typedText(object: DatumObject, where: Where): string {
  const type = pseudoType(object);
  if (type === 'TIME') return `T${textOf(fieldOf(object, 'epoch_time') ?? 0, where)}`;
  if (type === 'BINARY') return `B${counted(JSON.stringify(binaryText(object)), where)}`;
  return objectText(object, where);
}

function objectText(object: DatumObject, { walk, depth }: Where): string {
  const keys = sortedKeys(object);
  const inside = { walk, depth: walk.into(depth, keys.length) };
  const fields = keys.map(
    (key) => `${JSON.stringify(key)}:${textOf(object[key] as Datum, inside)}`,
  );
  return `{${fields.join(',')}}`;
}

type Plain = string | number | boolean | null;

/** Values by data, equal as `compareDatum` has it, in the order in which they came. */
export class DatumMap<T> {
  readonly #plain = new Map<Plain, T>();
  readonly #others = new Map<string, T>();

  get size(): number {
    return this.#plain.size + this.#others.size;
  }

  /** The text of the key is made here when the caller has none. */
  get(key: Datum, text?: string): T | undefined {
    return typeof key === 'object' && key !== null
      ? this.#others.get(text ?? equalityText(key))
      : this.#plain.get(key);
  }

  set(key: Datum, value: T, text?: string): void {
    if (typeof key === 'object' && key !== null) this.#others.set(text ?? equalityText(key), value);
    else this.#plain.set(key, value);
  }

  *values(): Generator<T> {
    yield* this.#plain.values();
    yield* this.#others.values();
  }
}

/** Data, each value once. */
export class DatumSet {
  readonly #map = new DatumMap<Datum>();

  constructor(items: Iterable<Datum> = []) {
    for (const item of items) this.add(item);
  }

  get size(): number {
    return this.#map.size;
  }

  has(datum: Datum, text?: string): boolean {
    return this.#map.get(datum, text) !== undefined;
  }

  /** False when it was there already: the first of equal values stays. */
  add(datum: Datum, text?: string): boolean {
    if (this.has(datum, text)) return false;
    this.#map.set(datum, datum, text);
    return true;
  }

  values(): Iterable<Datum> {
    return this.#map.values();
  }
}
