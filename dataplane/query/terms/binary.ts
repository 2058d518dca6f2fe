import type { Datum, DatumObject } from '../../datum/datum.ts';
import { decodeUtf8, encodeBase64, encodeUtf8 } from '../../common/bytes.ts';
import { readUtf8 } from '../../common/utf8.ts';
import { isObject, objectOf, pseudoType } from '../../datum/object.ts';
import { binaryBytes } from '../../datum/compare.ts';
import { logic } from '../failure.ts';

/** Binary values: bytes as base64 text, as they travel. */

export const isBinary = (datum: Datum): datum is DatumObject =>
  isObject(datum) && pseudoType(datum) === 'BINARY';

export function binaryDatum(bytes: Uint8Array): Datum {
  return objectOf([
    ['$reql_type$', 'BINARY'],
    ['data', encodeBase64(bytes)],
  ]);
}

export const binaryOfText = (text: string): Datum => binaryDatum(encodeUtf8(text));

export function textOfBinary(binary: DatumObject): string {
  const bytes = binaryBytes(binary);
  const read = readUtf8(bytes);
  if (typeof read === 'string') return read;
  const { position, reason } = read;
  const before = decodeUtf8(bytes.subarray(0, Math.min(position, 20)));
  throw logic(
    `String \`${before}\` (truncated) is not a UTF-8 string; ${reason} at position ${position}.`,
  );
}
