import type { Datum } from '../../datum/datum.ts';
import { ended, grouped, holds } from './model-ends.ts';
import {
  compare,
  entriesOf,
  equal,
  Missing,
  ModelError,
  orNothing,
  unique,
} from './model-values.ts';
import type { Entry } from './model-values.ts';
import type { Document, Query, Source, Step } from './random-query.ts';

/**
 * What a query should answer, written as plainly as its description in the reference: over arrays, with
 * an order of its own, without indexes, streams or plans.
 */

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
