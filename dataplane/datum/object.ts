import type { Datum, DatumObject } from './datum.ts';

/** Objects without a prototype: a key such as `__proto__` is a key like any other. */
export type MutableObject = Record<string, Datum>;

export function emptyObject(): MutableObject {
  return Object.create(null) as MutableObject;
}

export const isObject = (datum: Datum): datum is DatumObject =>
  typeof datum === 'object' && datum !== null && !Array.isArray(datum);

/** The value of a field; undefined when there is none. */
export function fieldOf(object: DatumObject, name: string): Datum | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

export function objectOf(entries: Iterable<readonly [string, Datum]>): MutableObject {
  const object = emptyObject();
  for (const [name, value] of entries) object[name] = value;
  return object;
}

/** With one field more, which it does not have; fields in canonical order stay so. */
export function withField(object: DatumObject, name: string, value: Datum): MutableObject {
  const copy = emptyObject();
  let isOpen = true;
  for (const [key, field] of Object.entries(object)) {
    if (isOpen && compareText(name, key) < 0) {
      copy[name] = value;
      isOpen = false;
    }
    copy[key] = field;
  }
  if (isOpen) copy[name] = value;
  return copy;
}

export function copyObject(object: DatumObject): MutableObject {
  const copy = emptyObject();
  for (const name of Object.keys(object)) copy[name] = object[name] as Datum;
  return copy;
}

/** Order of UTF-8 bytes, which is that of code points: surrogates come after every other unit. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const [unitA, unitB] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (unitA !== unitB) return rank(unitA) - rank(unitB);
  }
  return a.length - b.length;
}

const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);

export function sortedKeys(object: DatumObject): string[] {
  const keys = Object.keys(object);
  // What comes from canonical text is in order already.
  for (let at = 1; at < keys.length; at += 1) {
    if (compareText(keys[at - 1] as string, keys[at] as string) > 0) return keys.sort(compareText);
  }
  return keys;
}

/** The pseudo-type of an object (`TIME`, `BINARY`, ...); undefined for an ordinary one. */
export function pseudoType(object: DatumObject): string | undefined {
  const type = fieldOf(object, '$reql_type$');
  return typeof type === 'string' ? type : undefined;
}
