import { decodeBase64, encodeBase64 } from '../common/bytes.ts';
import type { Datum, DatumObject } from './datum.ts';
import { InvalidDatumError, nonFinite } from './errors.ts';
import { fieldOf, objectOf } from './object.ts';
import { prettyText } from './text.ts';
import { readZone } from './time-zone.ts';
import { typeName } from './type-name.ts';

/**
 * Objects with the field `$reql_type$`. Every object that a query makes goes through here, so that an
 * object which claims to be a time is one: comparison, keys and drivers rely on its fields.
 */
const typeField = '$reql_type$';

/** A pseudo-type is one that exists, has the fields that it must, in their one form; others are refused. */
export function checkedObject(object: DatumObject): DatumObject {
  const type = fieldOf(object, typeField);
  if (type === undefined) return object;
  if (typeof type !== 'string') {
    throw new InvalidDatumError(
      `Error: Field \`${typeField}\` must be a string (got \`${shown(type)}\` of type ${typeName(type)}):\n${shown(object)}`,
    );
  }
  switch (type) {
    case 'TIME':
      return checkedTime(object);
    case 'BINARY':
      return checkedBinary(object);
    case 'GEOMETRY':
      return checkedGeometry(object);
    case 'LITERAL':
      return checkedLiteral(object);
    default:
      throw new InvalidDatumError(`Unknown $reql_type$ \`PTYPE<${type}>\`.`);
  }
}

const shownMax = 300;

/** As RethinkDB cuts what it shows of a value. */
function shown(datum: Datum): string {
  const text = prettyText(datum);
  return text.length > shownMax ? `${text.slice(0, shownMax - 3)}...` : text;
}

/** Times count milliseconds. */
export function wholeMilliseconds(seconds: number): number {
  const milliseconds = Math.abs(seconds) * 1_000;
  return Number.isFinite(milliseconds)
    ? (Math.sign(seconds) * Math.round(milliseconds)) / 1_000
    : seconds;
}

function checkedTime(time: DatumObject): DatumObject {
  const invalid = (why: string): Error =>
    new InvalidDatumError(`Invalid time object constructed (${why}):\n${shown(time)}`);
  for (const name of Object.keys(time)) {
    if (name === typeField || name === 'epoch_time' || name === 'timezone') continue;
    throw invalid(`unrecognized field \`${name}\``);
  }
  const [seconds, zone] = [fieldOf(time, 'epoch_time'), fieldOf(time, 'timezone')];
  const wrong = (name: string, wanted: string, found: Datum): Error =>
    invalid(
      `field \`${name}\` must be a ${wanted} (got \`${shown(found)}\` of type ${typeName(found)})`,
    );
  if (seconds === undefined) throw invalid('no field `epoch_time`');
  if (typeof seconds !== 'number') throw wrong('epoch_time', 'number', seconds);
  if (!Number.isFinite(seconds)) throw nonFinite(seconds);
  if (zone === undefined) throw invalid('no field `timezone`');
  if (typeof zone !== 'string') throw wrong('timezone', 'string', zone);
  const reading = readZone(zone);
  if (reading.type === 'invalid') throw invalid(`invalid timezone string \`${shown(zone)}\``);
  const exact = wholeMilliseconds(seconds);
  if (exact === seconds && reading.zone === zone) return time;
  return objectOf([
    [typeField, 'TIME'],
    ['epoch_time', exact],
    ['timezone', reading.zone],
  ]);
}

function checkedBinary(binary: DatumObject): DatumObject {
  const illegal = Object.keys(binary).find((name) => name !== typeField && name !== 'data');
  if (illegal !== undefined)
    throw new InvalidDatumError(`Invalid binary pseudotype: illegal \`${illegal}\` key.`);
  const data = fieldOf(binary, 'data');
  if (data === undefined)
    throw new InvalidDatumError('Invalid binary pseudotype: lacking `data` key.');
  if (typeof data !== 'string')
    throw new InvalidDatumError(`Expected type STRING but found ${typeName(data)}.`);
  const exact = encodeBase64(decodeBase64(checkedBase64(data)));
  if (exact === data) return binary;
  return objectOf([
    [typeField, 'BINARY'],
    ['data', exact],
  ]);
}

/** Line breaks and blanks stand for nothing; padding may be missing. */
function checkedBase64(data: string): string {
  const letters = data.replace(/[=\s]+$/, '').replaceAll(/[\r\n\t ]/g, '');
  if (letters.includes('='))
    throw new InvalidDatumError("Invalid base64 format, data found after padding character '='.");
  const wrong = /[^A-Za-z0-9+/]/u.exec(letters);
  if (wrong !== null) throw new InvalidDatumError(`Invalid base64 character found: '${wrong[0]}'.`);
  if (letters.length % 4 === 1)
    throw new InvalidDatumError(
      'Invalid base64 length: 1 character remaining, cannot decode a full byte.',
    );
  return letters;
}

const geometryFields = new Set([typeField, 'type', 'coordinates', 'crs']);

function checkedGeometry(geometry: DatumObject): DatumObject {
  const unknown = Object.keys(geometry).find((name) => !geometryFields.has(name));
  if (unknown !== undefined)
    throw new InvalidDatumError(`Unrecognized field \`${unknown}\` found in geometry object.`);
  const [type, coordinates] = [fieldOf(geometry, 'type'), fieldOf(geometry, 'coordinates')];
  if (type === undefined) throw new InvalidDatumError('Field `type` not found in geometry object.');
  if (typeof type !== 'string')
    throw new InvalidDatumError(`Expected type STRING but found ${typeName(type)}.`);
  if (coordinates === undefined)
    throw new InvalidDatumError('Field `coordinates` not found in geometry object.');
  if (!Array.isArray(coordinates))
    throw new InvalidDatumError(`Expected type ARRAY but found ${typeName(coordinates)}.`);
  return geometry;
}

function checkedLiteral(literal: DatumObject): DatumObject {
  const illegal = Object.keys(literal).find((name) => name !== typeField && name !== 'value');
  if (illegal === undefined) return literal;
  throw new InvalidDatumError(`Invalid literal term with illegal key \`${illegal}\`.`);
}
