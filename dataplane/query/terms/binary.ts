import type { Datum, DatumObject } from '../../datum/datum.ts';
import { decodeUtf8, encodeUtf8 } from '../../common/bytes.ts';
import { isObject, objectOf, pseudoType } from '../../datum/object.ts';
import { binaryText } from '../../datum/compare.ts';

/** Binary values: bytes as base64 text, as they travel. */

export const isBinary = (datum: Datum): datum is DatumObject =>
  isObject(datum) && pseudoType(datum) === 'BINARY';

export const bytesOf = (binary: DatumObject): Uint8Array =>
  Uint8Array.from(binaryText(binary), (unit) => unit.charCodeAt(0));

export function binaryDatum(bytes: Uint8Array): Datum {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return objectOf([
    ['$reql_type$', 'BINARY'],
    ['data', btoa(text)],
  ]);
}

export const binaryOfText = (text: string): Datum => binaryDatum(encodeUtf8(text));
export const textOfBinary = (binary: DatumObject): string => decodeUtf8(bytesOf(binary));
