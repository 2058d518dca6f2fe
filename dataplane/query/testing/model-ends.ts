import type { Datum } from '../../datum/datum.ts';
import { compare, entriesOf, equal, field, ModelError, orNothing, unique } from './model-values.ts';
import type { Document, End, Predicate } from './random-query.ts';

/** Of the model: predicates, and what ends a query. */
export function holds(row: Document, predicate: Predicate): boolean {
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

export function grouped(pairs: readonly (readonly [Datum, Document])[]): Datum {
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

type Reduction = Extract<End, { kind: 'sum' | 'avg' | 'min' | 'max' | 'distinct' }>;

function reduced(rows: readonly Document[], end: Reduction): Datum {
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

function groupedBy(
  rows: readonly Document[],
  end: Extract<End, { kind: 'group' | 'groupMulti' }>,
): Datum {
  return grouped(
    rows.flatMap((row) => {
      const value = row[end.field] ?? null;
      const keys = end.kind === 'groupMulti' && Array.isArray(value) ? (value as Datum[]) : [value];
      return (keys.length === 0 ? [null] : keys).map((key) => [key, row] as const);
    }),
  );
}

const isReduction = (end: End): end is Reduction =>
  ['sum', 'avg', 'min', 'max', 'distinct'].includes(end.kind);

export function ended(table: readonly Document[], rows: readonly Document[], end: End): Datum {
  switch (end.kind) {
    case 'ids':
      return rows.map(({ id }) => id);
    case 'count':
      return rows.length;
    case 'countBy':
      return rows.filter((row) => orNothing(() => holds(row, end.by)) ?? false).length;
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
    case 'group':
    case 'groupMulti':
      return groupedBy(rows, end);
    default:
      return isReduction(end) ? reduced(rows, end) : combined(table, rows, end);
  }
}

type Combination = Extract<
  End,
  { kind: 'distinctRows' | 'flatten' | 'fold' | 'reduce' | 'outerJoin' | 'groupBy' }
>;

function combined(table: readonly Document[], rows: readonly Document[], end: Combination): Datum {
  switch (end.kind) {
    case 'distinctRows':
      return unique(rows)
        .map((row) => (row as Document).id)
        .sort(compare);
    case 'flatten':
      return rows.flatMap(({ t }) => (Array.isArray(t) ? (t as Datum[]) : []));
    case 'fold':
      return rows.map(({ id }, at) => [at + 1, id]);
    case 'reduce':
      if (rows.length === 0) throw new ModelError('empty');
      return rows.map(({ id }) => id);
    case 'outerJoin':
      return rows.flatMap((left) => {
        const partners = table.filter((right) =>
          equal(left[end.field] ?? null, right[end.other] ?? null),
        );
        return partners.length === 0
          ? [[left.id, 'alone']]
          : partners.map((right) => [left.id, right.id]);
      });
    default:
      return aggregated(rows, end);
  }
}

/** Of each group; one of which nothing counts is not there. */
function aggregated(
  rows: readonly Document[],
  { field: name, aggregate }: Extract<End, { kind: 'groupBy' }>,
): Datum {
  const keys = unique(rows.map((row) => row[name] ?? null)).sort(compare);
  return keys.flatMap((key) => {
    const own = rows.filter((row) => equal(row[name] ?? null, key));
    if (aggregate === 'count') return [{ group: key, reduction: own.length }];
    if (present(own, 'n').length === 0) return [];
    return [{ group: key, reduction: reduced(own, { kind: aggregate, field: 'n' }) }];
  });
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
