import type { Datum, DatumArray, DatumObject } from './datum.ts';
import { InvalidDatumError, noValue, nonFinite, tooDeep } from './errors.ts';
import { datumDepthMax } from './limits.ts';
import { compareText, isObject, sortedKeys } from './object.ts';

/** What a writer of text does with each array and object before it writes it. */
export interface ContainerChecks {
  array(array: DatumArray): void;
  /** Answers the object in the form that it is written in. */
  object(object: DatumObject): DatumObject;
}

/**
 * Canonical JSON text: keys in the order of their UTF-8 bytes, no white space, numbers in their shortest
 * form. Equal values have equal text, but for -0.0, which keeps its sign. Text that is no Unicode and
 * numbers that are none are refused: JSON would make other values of them.
 */
export const canonicalText = (datum: Datum): string => textOf(datum, undefined, 0);

export const checkedText = (datum: Datum, checks: ContainerChecks): string =>
  textOf(datum, checks, 0);

function textOf(datum: Datum, checks: ContainerChecks | undefined, depth: number): string {
  if (typeof datum === 'string') return quoted(datum);
  if (typeof datum === 'number') return numberText(datum);
  if (typeof datum === 'boolean' || datum === null) return String(datum);
  // What the types exclude would become text that is not JSON, and stay.
  if (typeof datum !== 'object') throw noValue(typeof datum);
  if (depth >= datumDepthMax) throw tooDeep();
  let [text, glue] = ['', ''];
  if (!isObject(datum)) {
    checks?.array(datum);
    for (const item of datum) {
      text += glue + textOf(item, checks, depth + 1);
      glue = ',';
    }
    return `[${text}]`;
  }
  const object = checks?.object(datum) ?? datum;
  for (const key of sortedKeys(object)) {
    text += `${glue}${quoted(key)}:${textOf(object[key] as Datum, checks, depth + 1)}`;
    glue = ',';
  }
  return `{${text}}`;
}

function numberText(value: number): string {
  if (!Number.isFinite(value)) throw nonFinite(value);
  return Object.is(value, -0) ? '-0.0' : String(value);
}

function quoted(text: string): string {
  requireUnicode(text);
  return JSON.stringify(text);
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

/** How errors show a value: tabs and line breaks, a tab behind each colon. */
export function prettyText(datum: Datum, depth = 0): string {
  if (typeof datum === 'number' && Object.is(datum, -0)) return '-0.0';
  if (typeof datum !== 'object' || datum === null) return JSON.stringify(datum);
  if (depth >= datumDepthMax) return '...';
  const indent = '\t'.repeat(depth + 1);
  const end = '\t'.repeat(depth);
  if (!isObject(datum)) {
    if (datum.length === 0) return '[]';
    const items = datum.map((item) => `${indent}${prettyText(item, depth + 1)}`);
    return `[\n${items.join(',\n')}\n${end}]`;
  }
  const keys = Object.keys(datum).sort(compareText);
  if (keys.length === 0) return '{}';
  const fields = keys.map(
    (key) => `${indent}${JSON.stringify(key)}:\t${prettyText(datum[key] as Datum, depth + 1)}`,
  );
  return `{\n${fields.join(',\n')}\n${end}}`;
}
