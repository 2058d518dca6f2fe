import { binaryText } from './compare.ts';
import type { Datum, DatumObject } from './datum.ts';
import { tooDeep } from './errors.ts';
import { datumDepthMax } from './limits.ts';
import { fieldOf, isObject, pseudoType, sortedKeys } from './object.ts';

/**
 * A text that two values share exactly when `compareDatum` finds them equal: times of one moment in
 * different zones, binaries of the same bytes, 0 and -0.
 */
export const equalityText = (datum: Datum): string => textOf(datum, 0);

function textOf(datum: Datum, depth: number): string {
  if (typeof datum === 'number') return datum === 0 ? '0' : String(datum);
  if (typeof datum !== 'object' || datum === null) return JSON.stringify(datum);
  if (depth >= datumDepthMax) throw tooDeep();
  if (!isObject(datum)) return `[${datum.map((item) => textOf(item, depth + 1)).join(',')}]`;
  const type = pseudoType(datum);
  if (type === 'TIME') return `T${textOf(fieldOf(datum, 'epoch_time') ?? 0, depth + 1)}`;
  if (type === 'BINARY') return `B${JSON.stringify(binaryText(datum))}`;
  return objectText(datum, depth + 1);
}

const objectText = (object: DatumObject, depth: number): string =>
  `{${sortedKeys(object)
    .map((key) => `${JSON.stringify(key)}:${textOf(object[key] as Datum, depth)}`)
    .join(',')}}`;

type Plain = string | number | boolean | null;

/** Values by data, equal as `compareDatum` has it, in the order in which they came. */
export class DatumMap<T> {
  readonly #plain = new Map<Plain, T>();
  readonly #others = new Map<string, T>();

  get size(): number {
    return this.#plain.size + this.#others.size;
  }

  get(key: Datum): T | undefined {
    return typeof key === 'object' && key !== null
      ? this.#others.get(equalityText(key))
      : this.#plain.get(key);
  }

  set(key: Datum, value: T): void {
    if (typeof key === 'object' && key !== null) this.#others.set(equalityText(key), value);
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

  has(datum: Datum): boolean {
    return this.#map.get(datum) !== undefined;
  }

  /** False when it was there already: the first of equal values stays. */
  add(datum: Datum): boolean {
    if (this.has(datum)) return false;
    this.#map.set(datum, datum);
    return true;
  }

  values(): Iterable<Datum> {
    return this.#map.values();
  }
}
