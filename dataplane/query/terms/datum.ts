import type { Datum } from '../../datum/datum.ts';
import { isObject, pseudoType } from '../../datum/object.ts';
import { logic } from '../failure.ts';

const known = new Set(['TIME', 'BINARY', 'GEOMETRY', 'LITERAL', 'GROUPED_DATA']);

/** A value that a client sent: its pseudo-type must be one that exists. */
export function checkDatum<T extends Datum>(datum: T): T {
  if (!isObject(datum)) return datum;
  const type = pseudoType(datum);
  if (type !== undefined && !known.has(type)) {
    throw logic(`Unknown $reql_type$ \`PTYPE<${type}>\`.`);
  }
  return datum;
}
