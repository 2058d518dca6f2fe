import type { Datum } from './datum.ts';
import { compareText, isObject, sortedKeys } from './object.ts';

/**
 * Canonical JSON text: keys in the order of their UTF-8 bytes, no white space, numbers in their
 * shortest form. Equal values have equal text.
 */
export function canonicalText(datum: Datum): string {
  if (typeof datum !== 'object' || datum === null) return JSON.stringify(datum);
  if (!isObject(datum)) return `[${datum.map(canonicalText).join(',')}]`;
  const fields = sortedKeys(datum).map(
    (key) => `${JSON.stringify(key)}:${canonicalText(datum[key] as Datum)}`,
  );
  return `{${fields.join(',')}}`;
}

export const parseText = (text: string): Datum => JSON.parse(text) as Datum;

/** How errors show a value: tabs and line breaks, a tab behind each colon. */
export function prettyText(datum: Datum, depth = 0): string {
  if (typeof datum !== 'object' || datum === null) return JSON.stringify(datum);
  if (!isObject(datum)) return `[${datum.map((item) => prettyText(item, depth + 1)).join(', ')}]`;
  const keys = Object.keys(datum).sort(compareText);
  if (keys.length === 0) return '{}';
  const indent = '\t'.repeat(depth + 1);
  const fields = keys.map(
    (key) => `${indent}${JSON.stringify(key)}:\t${prettyText(datum[key] as Datum, depth + 1)}`,
  );
  return `{\n${fields.join(',\n')}\n${'\t'.repeat(depth)}}`;
}
