import type { Datum, DatumArray, DatumObject } from './datum.ts';
import { InvalidDatumError, noValue, nonFinite, tooLarge } from './errors.ts';
import { datumDepthMax, datumTextMax, shownTextMax } from './limits.ts';
import { isObject, sortedKeys } from './object.ts';
import { isCanonical } from './canonical.ts';
import { Walk } from './walk.ts';
import type { ContainerChecks } from './container-checks.ts';

/**
 * Canonical JSON text: keys in the order of their UTF-8 bytes, no white space, numbers in their shortest
 * form. Equal values have equal text, but for -0.0, which keeps its sign. Text that is no Unicode and
 * numbers that are none are refused: JSON would make other values of them.
 */
export const canonicalText = (datum: Datum): string => textOf(datum, undefined, 0);

/** Of a part of a value, so many arrays and objects inside. */
export const canonicalPart = (datum: Datum, depth: number): string =>
  textOf(datum, undefined, depth);

export const checkedText = (datum: Datum, checks: ContainerChecks, depth = 0): string =>
  textOf(datum, checks, depth);

function textOf(datum: Datum, checks: ContainerChecks | undefined, depth: number): string {
  if (isScalar(datum)) return scalarText(datum);
  // What is canonical as it stands, as everything that was read, is written at once by the machine.
  return isCanonical(datum, checks, depth)
    ? JSON.stringify(datum)
    : new TextWriter(checks).text(datum, depth);
}

const isScalar = (datum: Datum): datum is null | boolean | number | string =>
  typeof datum !== 'object' || datum === null;

function scalarText(datum: null | boolean | number | string): string {
  if (typeof datum === 'string') return quoted(datum);
  if (typeof datum === 'number') return numberText(datum);
  if (typeof datum === 'boolean' || datum === null) return String(datum);
  // What the types exclude would become text that is not JSON, and stay.
  throw noValue(typeof datum);
}

class TextWriter {
  readonly #checks: ContainerChecks | undefined;
  readonly #walk = new Walk();
  #length = 0;

  constructor(checks: ContainerChecks | undefined) {
    this.#checks = checks;
  }

  text(datum: Datum, depth: number): string {
    if (isScalar(datum)) return this.#counted(scalarText(datum));
    const known = this.#walk.known(datum);
    if (typeof known === 'string') return this.#counted(known);
    const text = isObject(datum) ? this.#object(datum, depth) : this.#array(datum, depth);
    this.#walk.remember(datum, text);
    return text;
  }

  #array(array: DatumArray, depth: number): string {
    const inside = this.#walk.into(depth, array.length);
    this.#checks?.array(array);
    let [text, glue] = ['', ''];
    for (const item of array) {
      text += glue + this.text(item, inside);
      glue = ',';
    }
    return `[${text}]`;
  }

  #object(given: DatumObject, depth: number): string {
    const object = this.#checks?.object(given) ?? given;
    const keys = sortedKeys(object);
    const inside = this.#walk.into(depth, keys.length);
    let [text, glue] = ['', ''];
    for (const key of keys) {
      text += glue + this.#counted(quoted(key)) + ':' + this.text(object[key] as Datum, inside);
      glue = ',';
    }
    return `{${text}}`;
  }

  /** No string of the machine is longer, and few clients take so much. */
  #counted(text: string): string {
    this.#length += text.length;
    if (this.#length > datumTextMax) throw tooLarge();
    return text;
  }
}

function numberText(value: number): string {
  if (!Number.isFinite(value)) throw nonFinite(value);
  return Object.is(value, -0) ? '-0.0' : String(value);
}

/** Up to this a loop here is quicker than the way into the library. */
const shortText = 24;

function quoted(text: string): string {
  if (text.length <= shortText && isPlain(text)) return `"${text}"`;
  requireUnicode(text);
  return JSON.stringify(text);
}

/** Whether JSON has each character as it is. */
function isPlain(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    // Blank to tilde, but for the quotation mark and the backslash.
    if (unit < 0x20 || unit > 0x7e || unit === 0x22 || unit === 0x5c) return false;
  }
  return true;
}

/** Half of a surrogate pair stands for no character: encoded, all such halves would be the same. */
export function requireUnicode(text: string): string {
  if (text.isWellFormed()) return text;
  const at = /\p{Surrogate}/u.exec(text)?.index ?? 0;
  throw new InvalidDatumError(
    `String \`${text.slice(0, Math.min(at, 20))}\` (truncated) is not a UTF-8 string; lone surrogate at position ${at}.`,
  );
}

export const parseText = (text: string): Datum => JSON.parse(text) as Datum;

/** How errors show a value: tabs and line breaks, a tab behind each colon. What is too long is cut. */
export function prettyText(datum: Datum): string {
  if (isScalar(datum)) return cut(shownScalar(datum));
  const left = { characters: shownTextMax };
  return cut(pretty(datum, 0, left));
}

const cut = (text: string): string =>
  text.length > shownTextMax ? `${text.slice(0, shownTextMax)}...` : text;

const shownScalar = (datum: Datum): string =>
  typeof datum === 'number' && Object.is(datum, -0) ? '-0.0' : JSON.stringify(datum);

function pretty(datum: Datum, depth: number, left: { characters: number }): string {
  if (isScalar(datum)) return taken(shownScalar(datum), left);
  if (depth >= datumDepthMax) return '...';
  const lines = isObject(datum) ? fieldLines(datum, depth, left) : itemLines(datum, depth, left);
  const [open, close] = isObject(datum) ? ['{', '}'] : ['[', ']'];
  if (lines.length === 0) return open + close;
  const indent = taken('\t'.repeat(depth + 1), left);
  const text = lines.map((line) => indent + line).join(',\n');
  return `${open}\n${text}\n${'\t'.repeat(depth)}${close}`;
}

/** Lines are left out when there are more characters than an error shows. */
function itemLines(array: DatumArray, depth: number, left: { characters: number }): string[] {
  const lines: string[] = [];
  for (const item of array) {
    left.characters -= depth + 2;
    if (left.characters < 0) break;
    lines.push(pretty(item, depth + 1, left));
  }
  return lines;
}

function fieldLines(object: DatumObject, depth: number, left: { characters: number }): string[] {
  const lines: string[] = [];
  for (const key of sortedKeys(object)) {
    left.characters -= depth + 2;
    if (left.characters < 0) break;
    const name = taken(JSON.stringify(key), left);
    lines.push(`${name}:\t${pretty(object[key] as Datum, depth + 1, left)}`);
  }
  return lines;
}

function taken(text: string, left: { characters: number }): string {
  left.characters -= text.length;
  return text;
}
