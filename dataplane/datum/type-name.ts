import type { Datum } from './datum.ts';
import { isObject, pseudoType } from './object.ts';

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
