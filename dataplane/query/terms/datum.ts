import type { Datum, DatumObject } from '../../datum/datum.ts';
import { fieldOf, isObject, pseudoType } from '../../datum/object.ts';
import { logic } from '../failure.ts';

const known = new Set(['TIME', 'BINARY', 'GEOMETRY', 'LITERAL', 'GROUPED_DATA']);

/** A value that a client sent: its pseudo-type must be one that exists. */
export function checkDatum<T extends Datum>(datum: T): T {
  if (!isObject(datum)) return datum;
  const type = pseudoType(datum);
  if (type !== undefined && !known.has(type)) {
    throw logic(`Unknown $reql_type$ \`PTYPE<${type}>\`.`);
  }
  if (type === 'BINARY') checkBase64(datum);
  return datum;
}

function checkBase64(binary: DatumObject): void {
  const data = fieldOf(binary, 'data');
  if (data === undefined) throw logic('Invalid binary pseudotype: lacking `data` key.');
  if (typeof data !== 'string') throw logic('Invalid binary pseudotype: `data` is no STRING.');
  const letters = data.replace(/[=]+$/, '');
  if (/=/.test(letters))
    throw logic("Invalid base64 format, data found after padding character '='.");
  const wrong = /[^A-Za-z0-9+/]/.exec(letters);
  if (wrong !== null) throw logic(`Invalid base64 character found: '${wrong[0]}'.`);
  if (letters.length % 4 === 1)
    throw logic('Invalid base64 length: 1 character remaining, cannot decode a full byte.');
}
