import { Term } from '../term-table.ts';
import { endTerm, predicateTerm } from './end-term.ts';
import { data, entries, fieldTerm, parameter } from './index-term.ts';
import type { Plan } from './index-term.ts';
import type { Predicate, Query, Source, Step } from './random-query.ts';
import { fn } from './run.ts';

/** Random queries as terms, in two plans: by the indexes of the table, and by looking at every document. */

function sliceTerm(source: Extract<Source, { kind: 'slice' }>, { table, useIndex }: Plan): unknown {
  const { index: name, low, high, ordered, descending } = source;
  const [from, to] = [
    low === 'minval' ? [Term.MINVAL, []] : data(low.value),
    high === 'maxval' ? [Term.MAXVAL, []] : data(high.value),
  ];
  const [left, right] = [
    low === 'minval' ? 'closed' : low.bound,
    high === 'maxval' ? 'open' : high.bound,
  ];
  if (useIndex) {
    const range = [
      Term.BETWEEN,
      [table, from, to],
      { index: name, left_bound: left, right_bound: right },
    ];
    const order = { index: [descending ? Term.DESC : Term.ASC, [name]] };
    return ordered ? [Term.ORDER_BY, [range], order] : range;
  }
  const within = parameter(5, (entry) => [
    Term.AND,
    [
      [left === 'open' ? Term.GT : Term.GE, [fieldTerm(entry, 'value'), from]],
      [right === 'closed' ? Term.LE : Term.LT, [fieldTerm(entry, 'value'), to]],
    ],
  ]);
  const sign = descending ? Term.DESC : Term.ASC;
  const id = parameter(6, (entry) => fieldTerm(fieldTerm(entry, 'row'), 'id'));
  const sorted = [
    Term.ORDER_BY,
    [
      [Term.FILTER, [entries(table, name), within]],
      [sign, ['value']],
      [sign, [id]],
    ],
  ];
  return fieldTerm(sorted, 'row');
}

function sourceTerm(source: Source, plan: Plan): unknown {
  const { table, useIndex } = plan;
  if (source.kind === 'table') return table;
  if (source.kind === 'slice') return sliceTerm(source, plan);
  const { index: name, keys } = source;
  if (useIndex) return [Term.GET_ALL, [table, ...keys.map(data)], { index: name }];
  const found = keys.map((wanted) =>
    sliceTerm(
      {
        kind: 'slice',
        index: name,
        low: { value: wanted, bound: 'closed' },
        high: { value: wanted, bound: 'closed' },
        ordered: false,
        descending: false,
      },
      plan,
    ),
  );
  return [Term.UNION, [data([]), ...found]];
}

const predicateFunction = (by: Predicate, table: unknown): unknown =>
  by.kind === 'pattern'
    ? { [by.field]: data(by.value) }
    : fn((row) => predicateTerm(by, row, table));

function stepTerm(rows: unknown, step: Step, plan: Plan): unknown {
  switch (step.kind) {
    case 'filter':
      return [
        Term.FILTER,
        [rows, predicateFunction(step.by, plan.table)],
        { default: step.otherwise },
      ];
    case 'orderBy':
      return [
        Term.ORDER_BY,
        [
          rows,
          ...step.keys.map(({ field, descending }) => [descending ? Term.DESC : Term.ASC, [field]]),
        ],
      ];
    case 'limit':
      return [Term.LIMIT, [rows, step.count]];
    case 'skip':
      return [Term.SKIP, [rows, step.count]];
    case 'slice':
      return [Term.SLICE, [rows, step.from, step.to]];
    case 'hasFields':
      return [Term.HAS_FIELDS, [rows, step.field]];
    case 'union':
      return [Term.UNION, [rows, sourceTerm(step.with, plan)]];
    default:
      return [Term.DIFFERENCE, [rows, sourceTerm(step.with, plan)]];
  }
}

const ofIndexTerms = { distinct: Term.DISTINCT, min: Term.MIN, max: Term.MAX } as const;

function ofIndexTerm(
  { index: name, end }: Extract<Query, { kind: 'index' }>,
  { table, useIndex }: Plan,
): unknown {
  const options = { index: name };
  if (useIndex) {
    if (end === 'group') return [Term.UNGROUP, [fieldTerm([Term.GROUP, [table], options], 'id')]];
    const found = [ofIndexTerms[end], [table], options];
    return end === 'distinct' ? found : fieldTerm(found, 'id');
  }
  const all = entries(table, name);
  if (end === 'distinct') return [Term.DISTINCT, [fieldTerm(all, 'value')]];
  const id = parameter(6, (entry) => fieldTerm(fieldTerm(entry, 'row'), 'id'));
  const sorted = [Term.ORDER_BY, [all, 'value', id]];
  if (end !== 'group')
    return fieldTerm(fieldTerm([Term.NTH, [sorted, end === 'min' ? 0 : -1]], 'row'), 'id');
  return [Term.UNGROUP, [fieldTerm(fieldTerm([Term.GROUP, [sorted, 'value']], 'row'), 'id')]];
}

/** The term of a query. */
export function queryTerm(query: Query, plan: Plan): unknown {
  if (query.kind === 'index') return ofIndexTerm(query, plan);
  const rows = sourceTerm(query.source, plan);
  const start = query.inMemory ? [Term.COERCE_TO, [rows, 'array']] : rows;
  const stepped = query.steps.reduce((sofar, each) => stepTerm(sofar, each, plan), start);
  return endTerm(stepped, query.end, plan);
}
