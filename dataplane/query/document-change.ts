import { compareDatum } from '../datum/compare.ts';
import type { Datum } from '../datum/datum.ts';
import { fieldOf, isObject, pseudoType } from '../datum/object.ts';
import { prettyText } from '../datum/text.ts';
import { typeName } from '../datum/type-name.ts';
import type { RuntimeError } from './errors.ts';
import { logic, opFailed } from './failure.ts';
import { merged } from './terms/merging.ts';
import { StoredRow } from './item.ts';
import { datumOf, wrongValue } from './value-reading.ts';
import { holdsBound } from './value.ts';
import type { Value } from './value.ts';

/** What a write makes of a document, wherever it is evaluated. Null is a document that is not there. */

/** A value that is to be written: bounds are for queries. */
export function storable(value: Value | StoredRow): Datum {
  if (value instanceof StoredRow) return value.datum;
  if (holdsBound(value)) throw logic('`r.minval` and `r.maxval` cannot be written to disk.');
  return datumOf(value);
}

/** What `update` makes of a document that is there. */
export function updated(old: Datum, patch: Datum, primaryKey: string): Datum {
  if (patch === null) return old;
  if (!isObject(patch)) throw wrongValue('OBJECT', patch);
  return withKeyOf(old, merged(old, patch), primaryKey);
}

/** What `replace` makes of a document, or of none. */
export const replaced = (old: Datum, next: Datum, primaryKey: string): Datum =>
  next === null ? null : withKeyOf(old, next, primaryKey);

function withKeyOf(old: Datum, next: Datum, primaryKey: string): Datum {
  if (!isObject(next) || pseudoType(next) !== undefined) {
    throw logic(`Inserted value must be an OBJECT (got ${typeName(next)}):\n${prettyText(next)}`);
  }
  const [before, after] = [
    isObject(old) ? fieldOf(old, primaryKey) : undefined,
    fieldOf(next, primaryKey),
  ];
  if (after === undefined)
    throw logic(`Inserted object must have primary key \`${primaryKey}\`:\n${prettyText(next)}`);
  if (before !== undefined && compareDatum(before, after) !== 0) {
    throw logic(
      `Primary key \`${primaryKey}\` cannot be changed (\`${prettyText(old)}\` -> \`${prettyText(next)}\`).`,
    );
  }
  return next;
}

/** What a conflict function is called with. */
export const conflictArguments = (old: Datum, document: Datum, primaryKey: string): Datum[] => [
  isObject(document) ? (fieldOf(document, primaryKey) ?? null) : null,
  old,
  document,
];

export const duplicateKey = (old: Datum, document: Datum, primaryKey: string): RuntimeError =>
  opFailed(`Duplicate primary key \`${primaryKey}\`:\n${prettyText(old)}\n${prettyText(document)}`);
