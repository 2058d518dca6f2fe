import type { Datum } from '../../datum/datum.ts';
import type { Document, End, IndexName, Predicate, Query, Source, Step } from './random-query.ts';

/**
 * What a query should answer, written as plainly as its description in the reference: over arrays, with
 * an order of its own, without indexes, streams or plans.
 */

/** Something that is asked for is not there. */
class Missing extends Error {}
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
function compare(a: Datum, b: Datum): number {
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

const equal = (a: Datum, b: Datum): boolean => compare(a, b) === 0;

function unique(values: readonly Datum[]): Datum[] {
  return values.filter((value, at) => values.findIndex((other) => equal(value, other)) === at);
}

function field(row: Document, name: string): Datum {
  const value = row[name];
  if (value === undefined) throw new Missing();
  return value;
}

const orNothing = <T>(compute: () => T): T | undefined => {
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

interface Entry {
  readonly value: Datum;
  readonly row: Document;
}

/** All entries of an index by value, then by primary key. */
const entriesOf = (rows: readonly Document[], index: IndexName): Entry[] =>
  rows
    .flatMap((row) => indexValues(row, index).map((value) => ({ value, row })))
    .sort((a, b) => compare(a.value, b.value) || compare(a.row.id, b.row.id));

function entriesIn(rows: readonly Document[], source: Extract<Source, { kind: 'slice' }>): Entry[] {
  const { index, low, high, descending } = source;
  const from = (value: Datum): boolean => {
    if (low === 'minval') return true;
    const order = compare(value, low.value);
    return low.bound === 'open' ? order > 0 : order >= 0;
  };
  const to = (value: Datum): boolean => {
    if (high === 'maxval') return true;
    const order = compare(value, high.value);
    return high.bound === 'closed' ? order <= 0 : order < 0;
  };
  const found = entriesOf(rows, index).filter(({ value }) => from(value) && to(value));
  return descending ? found.reverse() : found;
}

function read(rows: readonly Document[], source: Source): Document[] {
  if (source.kind === 'table') return [...rows];
  if (source.kind === 'slice') return entriesIn(rows, source).map(({ row }) => row);
  const entries = entriesOf(rows, source.index);
  return source.keys.flatMap((key) =>
    entries.filter(({ value }) => equal(value, key)).map(({ row }) => row),
  );
}

function holds(row: Document, predicate: Predicate): boolean {
  switch (predicate.kind) {
    case 'eq':
    case 'lookup':
    case 'pattern':
      return equal(field(row, predicate.field), predicate.value);
    case 'lt':
      return compare(field(row, predicate.field), predicate.value) < 0;
    case 'has':
      return (row[predicate.field] ?? null) !== null;
    case 'truth': {
      const value = field(row, predicate.field);
      return value !== null && value !== false;
    }
    case 'not':
      return !holds(row, predicate.of);
    default:
      return holds(row, predicate.left) && holds(row, predicate.right);
  }
}

function byKeys(keys: Extract<Step, { kind: 'orderBy' }>['keys']) {
  return (a: Document, b: Document): number => {
    for (const { field: name, descending } of keys) {
      const [left, right] = [a[name], b[name]];
      const order =
        left === undefined || right === undefined
          ? Number(left !== undefined) - Number(right !== undefined)
          : compare(left, right);
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  };
}

function stepped(table: readonly Document[], rows: readonly Document[], step: Step): Document[] {
  switch (step.kind) {
    case 'filter':
      return rows.filter((row) => orNothing(() => holds(row, step.by)) ?? step.otherwise);
    case 'orderBy':
      return [...rows].sort(byKeys(step.keys));
    case 'limit':
      return rows.slice(0, step.count);
    case 'skip':
      return rows.slice(step.count);
    case 'slice':
      return rows.slice(step.from, Math.max(step.from, step.to));
    case 'hasFields':
      return rows.filter((row) => (row[step.field] ?? null) !== null);
    case 'union':
      return [...rows, ...read(table, step.with)];
    default:
      return rows.filter((row) => !read(table, step.with).some((other) => equal(other, row)));
  }
}

function grouped(pairs: readonly (readonly [Datum, Document])[]): Datum {
  return unique(pairs.map(([key]) => key))
    .sort(compare)
    .map((key) => ({
      group: key,
      reduction: pairs.filter(([other]) => equal(other, key)).map(([, row]) => row.id),
    }));
}

function number(value: Datum): number {
  if (typeof value !== 'number') throw new ModelError('no number');
  return value;
}

const present = (rows: readonly Document[], name: string): Datum[] =>
  rows.filter((row) => row[name] !== undefined).map((row) => row[name] as Datum);

function extreme(values: readonly Datum[], sign: 1 | -1): Datum {
  const [best] = [...values].sort((a, b) => sign * compare(a, b));
  if (best === undefined) throw new ModelError('empty');
  return best;
}

function reduced(rows: readonly Document[], end: Extract<End, { field: string }>): Datum {
  switch (end.kind) {
    case 'sum':
      return present(rows, end.field).reduce<number>((sum, value) => sum + number(value), 0);
    case 'avg': {
      const values = present(rows, end.field).map(number);
      if (values.length === 0) throw new ModelError('empty');
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    }
    case 'min':
      return extreme(present(rows, end.field), 1);
    case 'max':
      return extreme(present(rows, end.field), -1);
    default:
      return unique(present(rows, end.field)).sort(compare);
  }
}

function ended(table: readonly Document[], rows: readonly Document[], end: End): Datum {
  switch (end.kind) {
    case 'ids':
      return rows.map(({ id }) => id);
    case 'count':
      return rows.length;
    case 'countBy':
      return rows.filter((row) => orNothing(() => holds(row, end.by)) ?? false).length;
    case 'group':
      return grouped(rows.map((row) => [row[end.field] ?? null, row] as const));
    case 'groupMulti':
      return grouped(
        rows.flatMap((row) => {
          const value = row[end.field] ?? null;
          const keys = Array.isArray(value) ? (value as Datum[]) : [value];
          return (keys.length === 0 ? [null] : keys).map((key) => [key, row] as const);
        }),
      );
    case 'nth': {
      const row = rows.at(end.at);
      if (row === undefined) throw new ModelError('no such item');
      return row.id;
    }
    case 'isEmpty':
      return rows.length === 0;
    case 'contains':
      return rows.some((row) => holds(row, end.by));
    case 'eqJoin':
      return joined(table, rows, end);
    default:
      return reduced(rows, end);
  }
}

function joined(
  table: readonly Document[],
  rows: readonly Document[],
  { field: name, index }: Extract<End, { kind: 'eqJoin' }>,
): Datum {
  const entries = entriesOf(table, index);
  return rows.flatMap((left) => {
    const key = left[name] ?? null;
    if (key === null) return [];
    return entries
      .filter(({ value }) => equal(value, key))
      .map(({ row }) => [left.id, row.id] as Datum);
  });
}

function ofIndex(table: readonly Document[], query: Extract<Query, { kind: 'index' }>): Datum {
  const entries = entriesOf(table, query.index);
  const values = entries.map(({ value }) => value);
  if (query.end === 'distinct') return unique(values);
  if (query.end === 'group') return grouped(entries.map(({ value, row }) => [value, row] as const));
  const entry = entries.at(query.end === 'min' ? 0 : -1);
  if (entry === undefined) throw new ModelError('empty');
  return entry.row.id;
}

/** The answer to a query over a table of these documents. */
export function answer(documents: readonly Document[], query: Query): Datum {
  const table = [...documents].sort((a, b) => compare(a.id, b.id));
  if (query.kind === 'index') return ofIndex(table, query);
  const rows = query.steps.reduce<Document[]>(
    (sofar, step) => stepped(table, sofar, step),
    read(table, query.source),
  );
  try {
    return ended(table, rows, query.end);
  } catch (error) {
    throw error instanceof Missing ? new ModelError('missing') : error;
  }
}
