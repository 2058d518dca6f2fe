import type { Datum } from '../../datum/datum.ts';
import type { Document, IndexName } from './random-query.ts';

/** Of the model: an order of all values of its own, and what indexes would hold. */
/** Something that is asked for is not there. */
export class Missing extends Error {}
export class ModelError extends Error {}

const typeOf = (datum: Datum): string => {
  if (datum === null) return 'NULL';
  if (Array.isArray(datum)) return 'ARRAY';
  if (typeof datum !== 'object')
    return { number: 'NUMBER', string: 'STRING', boolean: 'BOOL' }[typeof datum as 'number'];
  const pseudo = (datum as Record<string, Datum>)['$reql_type$'];
  return typeof pseudo === 'string' ? `PTYPE<${pseudo}>` : 'OBJECT';
};

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function byItems(a: readonly Datum[], b: readonly Datum[]): number {
  const at = a.findIndex(
    (item, position) => position < b.length && compare(item, b[position] as Datum) !== 0,
  );
  return at < 0 ? a.length - b.length : compare(a[at] as Datum, b[at] as Datum);
}

/** Types by their names, then values; times by their moment. */
export function compare(a: Datum, b: Datum): number {
  const [type, other] = [typeOf(a), typeOf(b)];
  if (type !== other) return byText(type, other);
  if (type === 'ARRAY') return byItems(a as Datum[], b as Datum[]);
  const [left, right] = [a, b] as Record<string, Datum>[];
  if (type === 'PTYPE<TIME>') return Number(left?.['epoch_time']) - Number(right?.['epoch_time']);
  if (type === 'PTYPE<BINARY>') return byText(bytesOf(left), bytesOf(right));
  if (type === 'OBJECT') return byItems(fieldsOf(a), fieldsOf(b));
  if (type === 'STRING') return byText(a as string, b as string);
  return Number(a) - Number(b);
}

const fieldsOf = (object: Datum): Datum[] =>
  Object.entries(object as Record<string, Datum>)
    .sort(([a], [b]) => byText(a, b))
    .flat();

const bytesOf = (binary: Record<string, Datum> | undefined): string =>
  atob((binary?.['data'] ?? '') as string);

export const equal = (a: Datum, b: Datum): boolean => compare(a, b) === 0;

export function unique(values: readonly Datum[]): Datum[] {
  return values.filter((value, at) => values.findIndex((other) => equal(value, other)) === at);
}

export function field(row: Document, name: string): Datum {
  const value = row[name];
  if (value === undefined) throw new Missing();
  return value;
}

export const orNothing = <T>(compute: () => T): T | undefined => {
  try {
    return compute();
  } catch (error) {
    if (error instanceof Missing) return undefined;
    throw error;
  }
};

/** The values of an index for a document: none for null and for what cannot be computed. */
function indexValues(row: Document, index: IndexName): Datum[] {
  const value = orNothing((): Datum => {
    if (index === 'id' || index === 'a' || index === 't') return field(row, index);
    if (index === 'ab') return [field(row, 'a'), field(row, 'b')];
    if (index === 'next') return typeof row['n'] === 'number' ? row['n'] + 1 : null;
    const t = field(row, 't');
    return Array.isArray(t) ? (t as Datum[]).map((item) => [item, field(row, 'n')]) : null;
  });
  if (value === undefined) return [];
  const isMulti = index === 't' || index === 'tn';
  const values = isMulti && Array.isArray(value) ? (value as Datum[]) : [value];
  return unique(values.filter((each) => each !== null));
}

export interface Entry {
  readonly value: Datum;
  readonly row: Document;
}

/** All entries of an index by value, then by primary key. */
export const entriesOf = (rows: readonly Document[], index: IndexName): Entry[] =>
  rows
    .flatMap((row) => indexValues(row, index).map((value) => ({ value, row })))
    .sort((a, b) => compare(a.value, b.value) || compare(a.row.id, b.row.id));
