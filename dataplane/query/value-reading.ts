import type { Datum, DatumArray, DatumObject } from '../datum/datum.ts';
import { isObject } from '../datum/object.ts';
import { prettyText } from '../datum/text.ts';
import { typeName } from '../datum/type-name.ts';
import type { RuntimeError } from './errors.ts';
import { about, logic, nonExistence } from './failure.ts';
import { BoundArray, BoundObject, BoundValue, holdsBound, OpaqueValue, RowValue } from './value.ts';
import type { Value } from './value.ts';

/** A value as a number, a text, a datum, or the error of its type. */

const datumTypes = new Set(['NUMBER', 'STRING', 'BOOL', 'ARRAY', 'OBJECT', 'PTYPE<TIME>']);

/** A value of another type than wanted, in RethinkDB's words. */
export function wrongValue(expected: string, value: Value): RuntimeError {
  if (value instanceof OpaqueValue && !(value instanceof RowValue && datumTypes.has(expected))) {
    const wanted = datumTypes.has(expected) ? 'DATUM' : expected;
    const message = `Expected type ${wanted} but found ${value.errorName}:\n${value.shown}`;
    const isMissing = value instanceof RowValue && value.row === undefined;
    return about(isMissing ? nonExistence(message) : logic(message), value);
  }
  const datum = value instanceof OpaqueValue ? value.datum : value;
  return about(wrongDatum(expected, datum), value);
}

/** The same for a value that is not an argument of a term: the error is that of the term. */
export function wrongDatum(expected: string, datum: Datum): RuntimeError {
  if (!datumTypes.has(expected))
    return logic(`Expected type ${expected} but found DATUM:\n${prettyText(datum)}`);
  const message = `Expected type ${expected} but found ${typeName(datum)}.`;
  return datum === null ? nonExistence(message) : logic(message);
}

/** A value as a datum, when it is one without reading more. */
export function datumOf(value: Value): Datum {
  if (!(value instanceof OpaqueValue)) return value;
  if (value instanceof RowValue) return value.datum;
  if (value instanceof BoundValue) throw logic(`Cannot convert \`r.${value.end}\` to JSON.`);
  if (value instanceof BoundArray || value instanceof BoundObject) {
    for (const part of value instanceof BoundArray ? value.items : value.fields.values())
      datumOf(part);
    return [];
  }
  throw wrongValue('DATUM', value);
}

export function numberOf(value: Value): number {
  const datum = datumOf(value);
  if (typeof datum !== 'number') throw wrongValue('NUMBER', value);
  return datum;
}

/** Beyond, doubles skip integers. */
const integerMax = 2 ** 53;

export const isExactInteger = (number: number): boolean =>
  Number.isInteger(number) && Math.abs(number) <= integerMax;

export function integerOf(value: Value): number {
  const number = numberOf(value);
  if (isExactInteger(number)) return number;
  const beyond = number < -integerMax ? ' (<-2^53)' : number > integerMax ? ' (>2^53)' : '';
  throw about(logic(`Number not an integer${beyond}: ${exactText(number)}`), value);
}

/** So many digits that the number can be read back. */
export function exactText(number: number): string {
  const text = number.toPrecision(20);
  const [digits = '', exponent] = text.split('e');
  const short = digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
  return exponent === undefined ? short : `${short}e${exponent}`;
}

export function textOf(value: Value): string {
  const datum = datumOf(value);
  if (typeof datum !== 'string') throw wrongValue('STRING', value);
  return datum;
}

/** Arrays and objects are judged by the term that takes them: an error stands at the term. */
export function arrayOf(value: Value): DatumArray {
  const datum = datumOf(value);
  if (!Array.isArray(datum)) throw wrongDatum('ARRAY', datum);
  return datum as DatumArray;
}

export function objectOfValue(value: Value): DatumObject {
  const datum = datumOf(value);
  if (!isObject(datum)) throw wrongDatum('OBJECT', datum);
  return datum;
}

/** Everything but `false` and `null` is true. */
export function truth(value: Value): boolean {
  if (!(value instanceof OpaqueValue)) return value !== false && value !== null;
  if (value instanceof RowValue) return value.row !== undefined;
  if (value instanceof BoundValue) return true;
  throw wrongValue('DATUM', value);
}

/** Items as an array, whatever they are. */
export const arrayValue = (items: readonly Value[]): Value =>
  items.some(holdsBound) ? new BoundArray(items) : items.map(datumOf);
