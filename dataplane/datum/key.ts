import { ByteWriter } from '../common/byte-writer.ts';
import { bytesToFill, encodeUtf8 } from '../common/bytes.ts';
import { binaryText } from './compare.ts';
import type { Datum, DatumObject } from './datum.ts';
import { tooLarge } from './errors.ts';
import { documentBytesMax, keyPartsMax } from './limits.ts';
import { fieldOf, isObject, pseudoType, sortedKeys } from './object.ts';
import { Walk } from './walk.ts';

/**
 * Keys as bytes whose order is ReQL's order of the values. No encoding is the beginning of another,
 * so that an index key can be followed by a primary key without a separator.
 */
const tag = {
  end: 0x01,
  array: 0x10,
  bool: 0x20,
  null: 0x30,
  number: 0x40,
  object: 0x50,
  binary: 0x60,
  time: 0x70,
  string: 0x80,
} as const;

/** Longest primary key, as RethinkDB has it. */
export const primaryKeyTextMax = 127;

export function encodeKey(datum: Datum): Uint8Array {
  const short = typeof datum === 'string' ? encodeShortText(datum) : undefined;
  if (short !== undefined) return short;
  const writer = new ByteWriter(32);
  write(writer, datum, { walk: new Walk(keyPartsMax), depth: 0 });
  return writer.finish();
}

/** A short text of ASCII without 00, as most keys are; undefined for any other one. */
function encodeShortText(text: string): Uint8Array | undefined {
  if (text.length > primaryKeyTextMax) return undefined;
  const end = text.length + 1;
  const key = bytesToFill(end + 2);
  key[0] = tag.string;
  for (let at = 1; at < end; at += 1) {
    const unit = text.charCodeAt(at - 1);
    if (unit === 0 || unit > 0x7f) return undefined;
    key[at] = unit;
  }
  key[end] = 0;
  key[end + 1] = 1;
  return key;
}

/** Whether these are the bytes of a short text of ASCII, as most keys are. False is no verdict. */
export function isEncodedText(text: string, key: Uint8Array): boolean {
  const end = text.length + 1;
  if (text.length > primaryKeyTextMax || key.byteLength !== end + 2) return false;
  if (key[0] !== tag.string || key[end] !== 0 || key[end + 1] !== 1) return false;
  for (let at = 1; at < end; at += 1) {
    const unit = text.charCodeAt(at - 1);
    if (unit === 0 || unit > 0x7f || unit !== key[at]) return false;
  }
  return true;
}

interface Where {
  readonly walk: Walk;
  readonly depth: number;
}

function write(writer: ByteWriter, datum: Datum, where: Where): void {
  if (datum === null) writer.u8(tag.null);
  else if (typeof datum === 'boolean') writer.u8(tag.bool).u8(datum ? 1 : 0);
  else if (typeof datum === 'number') writeNumber(writer.u8(tag.number), datum);
  else if (typeof datum === 'string') {
    requireRoom(writer, datum.length);
    writeBytes(writer.u8(tag.string), encodeUtf8(datum));
  } else if (isObject(datum)) writeObject(writer, datum, where);
  else {
    const { walk, depth } = where;
    const inside = { walk, depth: walk.into(depth, datum.length) };
    writer.u8(tag.array);
    for (const item of datum) write(writer, item, inside);
    writer.u8(tag.end);
  }
}

function writeObject(writer: ByteWriter, object: DatumObject, { walk, depth }: Where): void {
  const type = pseudoType(object);
  if (type === 'TIME') {
    writeNumber(writer.u8(tag.time), Number(fieldOf(object, 'epoch_time')));
    return;
  }
  if (type === 'BINARY') {
    const text = binaryText(object);
    requireRoom(writer, text.length);
    writeBytes(
      writer.u8(tag.binary),
      Uint8Array.from(text, (unit) => unit.charCodeAt(0)),
    );
    return;
  }
  writer.u8(tag.object);
  const keys = sortedKeys(object);
  const inside = { walk, depth: walk.into(depth, keys.length) };
  for (const key of keys) {
    writeBytes(writer.u8(tag.string), encodeUtf8(key));
    write(writer, object[key] as Datum, inside);
  }
  writer.u8(tag.end);
}

/** No document has so much text: it is the same one again and again. */
function requireRoom(writer: ByteWriter, characters: number): void {
  if (writer.length + characters > 2 * documentBytesMax) throw tooLarge();
}

/** Bytes with 00 as 00 FF, ended by 00 01: what continues is greater than what ends. */
function writeBytes(writer: ByteWriter, bytes: Uint8Array): void {
  if (bytes.indexOf(0) < 0) writer.bytes(bytes);
  else {
    for (const byte of bytes) {
      writer.u8(byte);
      if (byte === 0) writer.u8(0xff);
    }
  }
  writer.u8(0).u8(1);
}

/** Holds nothing between two calls. */
const scratch = new DataView(new ArrayBuffer(8));

/** A double whose bits order as numbers: positive ones with the sign set, negative ones inverted. */
function writeNumber(writer: ByteWriter, value: number): void {
  scratch.setFloat64(0, value === 0 ? 0 : value);
  const negative = (scratch.getUint8(0) & 0x80) !== 0;
  for (let at = 0; at < 8; at += 1) {
    const byte = scratch.getUint8(at);
    if (negative) writer.u8(~byte & 0xff);
    else writer.u8(at === 0 ? byte | 0x80 : byte);
  }
}

/** Half-open range of the keys of all times. */
export const timeKeys = {
  start: Uint8Array.of(tag.time),
  end: Uint8Array.of(tag.time + 1),
} as const;

/** The number of a number's key; of a time's key, its seconds since 1970. */
export function numberOfKey(key: Uint8Array): number {
  const view = new DataView(new ArrayBuffer(8));
  const isPositive = ((key[1] ?? 0) & 0x80) !== 0;
  for (let at = 0; at < 8; at += 1) {
    const byte = key[at + 1] ?? 0;
    if (!isPositive) view.setUint8(at, ~byte & 0xff);
    else view.setUint8(at, at === 0 ? byte & 0x7f : byte);
  }
  return view.getFloat64(0);
}
