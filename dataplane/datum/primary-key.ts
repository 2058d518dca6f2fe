import { equalBytes } from '../common/bytes.ts';
import type { Datum } from './datum.ts';
import { InvalidDatumError } from './errors.ts';
import { encodeKey, isEncodedText, primaryKeyTextMax } from './key.ts';
import { prettyText, requireUnicode } from './text.ts';
import { typeName } from './type-name.ts';
import { Walk } from './walk.ts';

/** A key of more parts is too long, whatever they are. */
const primaryKeyPartsMax = 10_000;

/** The bytes of a primary key; what cannot be one is refused in RethinkDB's words. */
export function encodePrimaryKey(datum: Datum): Uint8Array {
  const type = typeName(datum);
  if (type === 'NULL' || type === 'OBJECT') {
    throw new InvalidDatumError(
      `Primary keys must be either a number, string, bool, pseudotype or array (got type ${type}):\n${prettyText(datum)}`,
    );
  }
  checkPart(datum);
  const key = encodeKey(datum);
  if (
    key.byteLength > primaryKeyTextMax + 16 ||
    (typeof datum === 'string' && key.byteLength - 3 > primaryKeyTextMax)
  ) {
    throw new InvalidDatumError(
      `Primary key too long (max ${primaryKeyTextMax} characters): ${prettyText(datum)}`,
    );
  }
  return key;
}

/** Whether a value is the primary key of these bytes. Throws for what cannot be a key at all. */
export function isPrimaryKey(datum: Datum, key: Uint8Array): boolean {
  return (
    (typeof datum === 'string' && isEncodedText(datum, key)) ||
    equalBytes(encodePrimaryKey(datum), key)
  );
}

function checkPart(datum: Datum, parts?: Walk, depth = 0): void {
  if (Array.isArray(datum)) {
    const walk = parts ?? new Walk(primaryKeyPartsMax);
    const inside = walk.into(depth, datum.length);
    for (const item of datum as Datum[]) checkItem(item, walk, inside);
  } else if (typeof datum === 'string') {
    requireUnicode(datum);
    if (datum.includes('\0'))
      throw new InvalidDatumError(
        `Primary keys cannot contain NULL bytes (got ${JSON.stringify(datum)}).`,
      );
  } else if (typeName(datum) === 'PTYPE<GEOMETRY>') {
    throw new InvalidDatumError(
      'Cannot use a geometry value as a key value in a primary or non-geospatial secondary index.',
    );
  }
}

function checkItem(item: Datum, walk: Walk, depth: number): void {
  const type = typeName(item);
  if (type !== 'NULL' && type !== 'OBJECT') return checkPart(item, walk, depth);
  throw new InvalidDatumError(
    `Array keys can only contain numbers, strings, bools,  pseudotypes, or arrays (got ${prettyText(item)} of type ${type}).`,
  );
}
