import type { Datum } from './datum.ts';
import { isObject, pseudoType } from './object.ts';

/** The same of what JSON.parse answers, before anything is known of it. */
export function jsonTypeName(value: unknown): string {
  if (value === null) return 'NULL';
  if (Array.isArray(value)) return 'ARRAY';
  return typeof value === 'boolean' ? 'BOOL' : (typeof value).toUpperCase();
}

/** ReQL's name of a value's type, as errors and `typeOf` say it. */
export function typeName(datum: Datum): string {
  if (datum === null) return 'NULL';
  if (typeof datum === 'boolean') return 'BOOL';
  if (typeof datum === 'number') return 'NUMBER';
  if (typeof datum === 'string') return 'STRING';
  if (!isObject(datum)) return 'ARRAY';
  const type = pseudoType(datum);
  return type === undefined ? 'OBJECT' : `PTYPE<${type}>`;
}
