import { readUtf8 } from '../common/utf8.ts';

/**
 * Reads a long JSON text in steps, each of which takes about a millisecond. What is short goes to
 * JSON.parse, together with what stands beside it; this class finds where it ends, and puts the arrays and
 * objects together that are longer than that. So the value is the one that JSON.parse gives for the whole.
 */

/** Bytes that go to JSON.parse at once. */
const chunkBytes = 65_536;
const chunkBytesMin = 256;

/** Arrays and objects inside one another. No query is nested so deep, and JSON.parse has no bound. */
const depthMax = 50_000;

/** Estimated bytes of what is made of the text. */
const arrayBytes = 32;
const objectBytes = 64;
const entryBytes = 8;

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openArray, closeArray, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

export class JsonError extends SyntaxError {}
export class JsonDepthError extends RangeError {}

/** Is shown what is read: for those who refuse more than JSON does. */
export interface JsonObserver {
  /** A text that went to JSON.parse, and its value. */
  read(text: string, value: unknown): void;
  /** The name of a field stands in an object a second time. */
  repeated(name: string): void;
}

interface Container {
  readonly array: unknown[] | undefined;
  readonly object: Record<string, unknown> | undefined;
  /** Of the field whose value is read. */
  key: string;
  isEmpty: boolean;
}

/** What a look ahead has found: where the text can be cut. */
interface Cut {
  /** Behind the last of the items that are whole. */
  readonly end: number;
  /** Whether the array or object ends there. */
  readonly isLast: boolean;
}

type Mode = 'items' | 'colon' | 'value' | 'string' | 'rest' | 'end';

export class JsonReader {
  readonly #bytes: Uint8Array;
  readonly #open: Container[] = [];
  #at = 0;
  /** How far the next look ahead goes. */
  #chunk = chunkBytes;
  #mode: Mode = 'value';
  /** Of a long string. */
  #text = '';
  #textEnd = 0;
  #madeBytes = 0;
  #value: unknown;

  readonly #observer: JsonObserver | undefined;

  constructor(bytes: Uint8Array, observer?: JsonObserver) {
    this.#bytes = bytes;
    this.#observer = observer;
  }

  get value(): unknown {
    return this.#value;
  }

  /** Bytes that the values take which were made since this was asked for. */
  takeMadeBytes(): number {
    const bytes = this.#madeBytes;
    this.#madeBytes = 0;
    return bytes;
  }

  /** False when the value is there. Throws what says that there is none. */
  step(): boolean {
    if (this.#mode !== 'string' && !this.#skipBlanks()) return true;
    switch (this.#mode) {
      case 'items':
        this.#items(this.#open.at(-1) as Container);
        return true;
      case 'colon':
        this.#colon();
        return true;
      case 'value':
        this.#begin();
        return true;
      case 'string':
        this.#string();
        return true;
      case 'rest':
        this.#rest(this.#open.at(-1) as Container);
        return true;
      case 'end':
        if (this.#at < this.#bytes.length) throw new JsonError('There is more behind the value.');
        return false;
    }
  }

  /** False when there are too many for one step. */
  #skipBlanks(): boolean {
    const most = this.#at + chunkBytes;
    while (this.#at < most && isBlank(this.#bytes[this.#at])) this.#at += 1;
    return this.#at < most;
  }

  /** As many items as fit into a chunk, or one that is longer. */
  #items(container: Container): void {
    const byte = this.#bytes[this.#at];
    if (container.isEmpty && (byte === closeArray || byte === closeObject))
      return this.#close(byte);
    const cut = this.#lookAhead();
    if (cut === undefined) {
      if (container.object !== undefined) this.#key(container);
      this.#mode = container.object === undefined ? 'value' : 'colon';
      return undefined;
    }
    this.#take(container, this.#parsed(this.#at, cut.end, container.array !== undefined));
    this.#at = cut.end;
    container.isEmpty = false;
    if (cut.isLast) return this.#close(this.#bytes[cut.end]);
    this.#at += 1;
    return undefined;
  }

  /** Where the items that begin here can be cut; undefined when the first one is too long. */
  #lookAhead(): Cut | undefined {
    const bytes = this.#bytes;
    const most = Math.min(bytes.length, this.#at + this.#chunk);
    let depth = 0;
    let end = -1;
    let made = 0;
    let counted = 0;
    for (let at = this.#at; at < most; at += 1) {
      const byte = bytes[at];
      if (byte === quote) {
        at = endOfString(bytes, at, most);
        if (at < 0) break;
      } else if (byte === openArray || byte === openObject) {
        depth += 1;
        made += byte === openArray ? arrayBytes : objectBytes;
      } else if (byte === closeArray || byte === closeObject) {
        if (depth === 0) return this.#cutAt(at, true, made);
        depth -= 1;
      } else if (byte === comma) {
        made += entryBytes;
        if (depth > 0) continue;
        end = at;
        counted = made;
      }
    }
    if (end >= 0) return this.#cutAt(end, false, counted);
    // Deeply nested values would be visited repeatedly.
    this.#chunk = Math.max(chunkBytesMin, this.#chunk >> 1);
    return undefined;
  }

  #cutAt(end: number, isLast: boolean, made: number): Cut {
    this.#chunk = chunkBytes;
    this.#madeBytes += made + entryBytes + end - this.#at;
    return { end, isLast };
  }

  /** Items as an array, or fields as an object. At least one must be there. */
  #parsed(start: number, end: number, isArray: boolean): unknown {
    const text = this.#textOf(start, end);
    return this.#json(isArray ? `[${text}]` : `{${text}}`);
  }

  #json(text: string): unknown {
    const value = parsed(text);
    this.#observer?.read(text, value);
    return value;
  }

  #textOf(start: number, end: number): string {
    const text = readUtf8(this.#bytes.subarray(start, end));
    if (typeof text === 'string') return text;
    throw new JsonError('It is not UTF-8.');
  }

  #take({ array, object }: Container, items: unknown): void {
    if (array !== undefined && Array.isArray(items)) {
      if (items.length === 0) throw new JsonError('There is no item before a comma.');
      for (const item of items as unknown[]) array.push(item);
      return;
    }
    const fields = Object.entries(items as object);
    if (fields.length === 0) throw new JsonError('There is no field before a comma.');
    for (const [name, field] of fields)
      this.#define(object as Record<string, unknown>, name, field);
  }

  /** The name of a field whose value is long. */
  #key(container: Container): void {
    const end = endOfString(this.#bytes, this.#at, this.#bytes.length);
    if (this.#bytes[this.#at] !== quote || end < 0) throw new JsonError('A field has no name.');
    container.key = this.#json(this.#textOf(this.#at, end + 1)) as string;
    this.#at = end + 1;
  }

  #colon(): void {
    if (this.#bytes[this.#at] !== colon) throw new JsonError('A name has no colon behind it.');
    this.#at += 1;
    this.#mode = 'value';
  }

  /** A value that stands alone, or is long. */
  #begin(): void {
    const byte = this.#bytes[this.#at];
    if (byte === openArray || byte === openObject) {
      if (this.#open.length >= depthMax) throw new JsonDepthError('It is nested too deep.');
      this.#madeBytes += byte === openArray ? arrayBytes : objectBytes;
      const isArray = byte === openArray;
      const [array, object] = isArray ? [[], undefined] : [undefined, {}];
      this.#open.push({ array, object, key: '', isEmpty: true });
      this.#at += 1;
      this.#mode = 'items';
    } else if (byte === quote) {
      this.#textEnd = endOfString(this.#bytes, this.#at, this.#bytes.length);
      if (this.#textEnd < 0) throw new JsonError('A string has no end.');
      this.#text = '';
      this.#at += 1;
      this.#mode = 'string';
    } else {
      let end = this.#at;
      while (end < this.#bytes.length && !endsScalar(this.#bytes[end])) end += 1;
      const scalar = this.#json(this.#textOf(this.#at, end));
      this.#at = end;
      this.#add(scalar);
    }
  }

  /** A piece of a long string. */
  #string(): void {
    const end = endOfPiece(this.#bytes, this.#at, this.#textEnd);
    this.#text += parsed(`"${this.#textOf(this.#at, end)}"`) as string;
    this.#madeBytes += end - this.#at;
    this.#at = end;
    if (end < this.#textEnd) return;
    this.#at += 1;
    this.#observer?.read('', this.#text);
    this.#add(this.#text);
  }

  #add(value: unknown): void {
    this.#madeBytes += entryBytes;
    const container = this.#open.at(-1);
    if (container === undefined) {
      this.#value = value;
      this.#mode = 'end';
      return;
    }
    container.isEmpty = false;
    if (container.array !== undefined) container.array.push(value);
    else this.#define(container.object as Record<string, unknown>, container.key, value);
    this.#mode = 'rest';
  }

  #define(object: Record<string, unknown>, name: string, value: unknown): void {
    if (this.#observer !== undefined && Object.hasOwn(object, name)) this.#observer.repeated(name);
    define(object, name, value);
  }

  /** Behind a long value. */
  #rest(container: Container): void {
    const byte = this.#bytes[this.#at];
    if (byte !== comma) return this.#close(byte);
    this.#at += 1;
    container.isEmpty = false;
    this.#mode = 'items';
    return undefined;
  }

  #close(byte: number | undefined): void {
    const container = this.#open.pop();
    const isArray = container?.array !== undefined;
    if (byte !== (isArray ? closeArray : closeObject))
      throw new JsonError('Something else than a comma stands behind a value.');
    this.#at += 1;
    this.#add(container?.array ?? container?.object);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new JsonError('It is not JSON.');
  }
}

const isBlank = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

const endsScalar = (byte: number | undefined): boolean =>
  byte === comma || byte === closeArray || byte === closeObject || isBlank(byte);

/** Where the string that begins there has its closing quote; -1 when that is behind `most`. */
function endOfString(bytes: Uint8Array, start: number, most: number): number {
  for (let at = bytes.indexOf(quote, start + 1); at >= 0 && at < most;) {
    if (backslashesBefore(bytes, at, start) % 2 === 0) return at;
    at = bytes.indexOf(quote, at + 1);
  }
  return -1;
}

function backslashesBefore(bytes: Uint8Array, end: number, start: number): number {
  let count = 0;
  while (end - count - 1 > start && bytes[end - count - 1] === backslash) count += 1;
  return count;
}

/** Letters of the longest escape. */
const escapeBytes = 6;

/** Where a piece of a string can end: between two characters, and not inside of an escape. */
function endOfPiece(bytes: Uint8Array, start: number, most: number): number {
  if (start + chunkBytes >= most) return most;
  let end = start + chunkBytes;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  for (let at = end - 1; at >= end - escapeBytes; at -= 1) {
    if (bytes[at] !== backslash || backslashesBefore(bytes, at, start - 1) % 2 === 1) continue;
    const length = bytes[at + 1] === 0x75 ? escapeBytes : 2;
    return at + length > end ? at : end;
  }
  return end;
}

/** As JSON.parse does: `__proto__` is a name like any other, and the last of equal ones counts. */
function define(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(object, name, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  else object[name] = value;
}
