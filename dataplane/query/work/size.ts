import type { Datum } from '../../datum/datum.ts';
import { datumDepthMax } from '../../datum/limits.ts';
import { ArraySelection, GroupedValue, OpaqueValue } from '../value.ts';
import { StoredRow } from '../item.ts';
import type { Value } from '../value.ts';
import type { Item } from '../item.ts';

/** Bytes of a value, estimated: near to what the machine takes for it. */
export const entryBytes = 8;
const scalarBytes = 8;
const stringBytes = 16;
const arrayBytes = 16;
export const objectBytes = 64;
const nameBytes = 16;
const rowBytes = 128;
/** The text, and the value that is made of it when somebody looks inside. */
const rowFactor = 3;

/** Of parts that are large enough to be remembered: values do not change. */
const known = new WeakMap<object, number>();
const rememberedBytes = 1_024;

/** Parts that may still be looked at. */
interface Look {
  left: number;
}

const everything: Look = { left: Number.POSITIVE_INFINITY };

export const sizeOf = (value: Value): number => sizeBy(value, everything);

/** Undefined for what has more parts than may be looked at each time that a function answers it. */
export function quickSizeOf(value: Value): number | undefined {
  if (typeof value !== 'object' || value === null) return scalarSizeOf(value);
  const look = { left: quickParts };
  const size = sizeBy(value, look);
  return look.left < 0 ? undefined : size;
}

const quickParts = 2_048;

/** Whether it is at most so large. */
export function isSmall(value: Value, bytes: number): boolean {
  const size = quickSizeOf(value);
  return size !== undefined && size <= bytes;
}

/** Of what is no array and no object. */
export const scalarSizeOf = (value: Value): number =>
  typeof value === 'string' ? stringBytes + value.length : scalarBytes;

function sizeBy(value: Value, look: Look): number {
  if (typeof value !== 'object' || value === null) return scalarSizeOf(value);
  return value instanceof OpaqueValue ? specialSize(value, look) : partSize(value, 0, look);
}

export const sizeOfItem = (item: Item): number =>
  item instanceof StoredRow ? rowBytes + rowFactor * item.text.length : sizeOf(item);

function specialSize(value: OpaqueValue, look: Look): number {
  if (value instanceof ArraySelection) return arrayBytes + entryBytes * value.items.length;
  if (!(value instanceof GroupedValue)) return scalarBytes;
  return value.groups.reduce(
    (sum, group) => sum + sizeBy(group.key, look) + sizeBy(group.value, look),
    0,
  );
}

function partSize(part: object, depth: number, look: Look): number {
  const before = known.get(part);
  if (before !== undefined) return before;
  // What is deeper is refused by whoever compares it or makes a text of it.
  if (depth > datumDepthMax || look.left < 0) return scalarBytes;
  const size = Array.isArray(part)
    ? arraySize(part as readonly Datum[], depth, look)
    : objectSize(part as Readonly<Record<string, Datum>>, depth, look);
  if (size >= rememberedBytes && look.left >= 0) known.set(part, size);
  return size;
}

/** The same part several times in a row is there once. */
function arraySize(array: readonly Datum[], depth: number, look: Look): number {
  let size = arrayBytes + entryBytes * array.length;
  look.left -= array.length;
  if (look.left < 0) return size;
  let last: Datum = null;
  for (let at = 0; at < array.length; at += 1) {
    const item = array[at] as Datum;
    if (item !== last || typeof item !== 'object') size += insideSize(item, depth, look);
    last = item;
  }
  return size;
}

function objectSize(object: Readonly<Record<string, Datum>>, depth: number, look: Look): number {
  let size = objectBytes;
  look.left -= 1;
  let last: Datum = null;
  for (const field of Object.values(object)) {
    size += nameBytes + entryBytes;
    if (field !== last || typeof field !== 'object') size += insideSize(field, depth, look);
    last = field;
  }
  return size;
}

function insideSize(part: Datum, depth: number, look: Look): number {
  if (typeof part === 'string') return stringBytes + part.length;
  return typeof part === 'object' && part !== null ? partSize(part, depth + 1, look) : 0;
}

/** Parts that are looked at, each once, to find out that a text has no end. */
const sharedParts = 10_000;

/**
 * Whether the text of a value has more characters than `most`, as far as that is seen at once: parts that
 * stand in each other again and again make a text without end of a few of them.
 */
export function isTextEndless(datum: Datum, most: number): boolean {
  const shared = { known: new Map<object, number>(), left: sharedParts };
  return textCharacters(datum, shared, 0) > most;
}

interface Shared {
  readonly known: Map<object, number>;
  left: number;
}

function textCharacters(datum: Datum, shared: Shared, depth: number): number {
  if (typeof datum === 'string') return datum.length;
  if (typeof datum !== 'object' || datum === null) return 1;
  const before = shared.known.get(datum);
  if (before !== undefined) return before;
  if (depth > datumDepthMax || shared.left < 0) return 1;
  let characters = 1;
  for (const part of Object.values(datum)) {
    shared.left -= 1;
    if (shared.left < 0) break;
    characters += textCharacters(part, shared, depth + 1);
  }
  shared.known.set(datum, characters);
  return characters;
}
