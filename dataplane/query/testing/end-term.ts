import { Term } from '../term-table.ts';
import { entries, fieldTerm, parameter, where } from './index-term.ts';
import type { Plan } from './index-term.ts';
import { data } from './index-term.ts';
import type { End, Predicate } from './random-query.ts';
import { fn } from './run.ts';

/** Predicates and ends of random queries as terms. */
export function predicateTerm(predicate: Predicate, row: unknown, table: unknown): unknown {
  switch (predicate.kind) {
    case 'eq':
    case 'pattern':
      return [Term.EQ, [fieldTerm(row, predicate.field), data(predicate.value)]];
    case 'lookup':
      return [
        Term.EQ,
        [
          fieldTerm([Term.GET, [table, fieldTerm(row, 'id')]], predicate.field),
          data(predicate.value),
        ],
      ];
    case 'lt':
      return [Term.LT, [fieldTerm(row, predicate.field), data(predicate.value)]];
    case 'has':
      return [Term.HAS_FIELDS, [row, predicate.field]];
    case 'truth':
      return fieldTerm(row, predicate.field);
    case 'not':
      return [Term.NOT, [predicateTerm(predicate.of, row, table)]];
    default:
      return [
        Term.AND,
        [predicateTerm(predicate.left, row, table), predicateTerm(predicate.right, row, table)],
      ];
  }
}

export function endTerm(rows: unknown, end: End, { table, useIndex }: Plan): unknown {
  switch (end.kind) {
    case 'ids':
      return fieldTerm(rows, 'id');
    case 'count':
      return [Term.COUNT, [rows]];
    case 'isEmpty':
      return [Term.IS_EMPTY, [rows]];
    case 'countBy':
      return [Term.COUNT, [rows, fn((row) => predicateTerm(end.by, row, table))]];
    case 'contains':
      return [Term.CONTAINS, [rows, fn((row) => predicateTerm(end.by, row, table))]];
    case 'nth':
      return fieldTerm([Term.NTH, [rows, end.at]], 'id');
    case 'eqJoin': {
      const pairs = useIndex
        ? [Term.EQ_JOIN, [rows, end.field, table], { index: end.index }]
        : joinWithoutIndex(rows, end, table);
      return [
        Term.MAP,
        [
          pairs,
          fn((pair) => [
            Term.MAKE_ARRAY,
            [fieldTerm(fieldTerm(pair, 'left'), 'id'), fieldTerm(fieldTerm(pair, 'right'), 'id')],
          ]),
        ],
      ];
    }
    case 'distinctRows':
    case 'flatten':
    case 'fold':
    case 'reduce':
    case 'outerJoin':
    case 'groupBy':
      return combinationTerm(rows, end, table);
    default:
      return reductionTerm(rows, end);
  }
}

function joinWithoutIndex(
  rows: unknown,
  end: Extract<End, { kind: 'eqJoin' }>,
  table: unknown,
): unknown {
  const id = parameter(6, (entry) => fieldTerm(fieldTerm(entry, 'row'), 'id'));
  const sorted = [Term.ORDER_BY, [entries(table, end.index), id]];
  const same = parameter(7, (left) => [
    Term.MAP,
    [
      [
        Term.FILTER,
        [
          sorted,
          parameter(8, (entry) => [
            Term.EQ,
            [fieldTerm(entry, 'value'), [Term.DEFAULT, [fieldTerm(left, end.field), null]]],
          ]),
        ],
      ],
      parameter(9, (entry) => ({ left, right: fieldTerm(entry, 'row') })),
    ],
  ]);
  return [Term.CONCAT_MAP, [rows, same]];
}

type Combination = Extract<
  End,
  { kind: 'distinctRows' | 'flatten' | 'fold' | 'reduce' | 'outerJoin' | 'groupBy' }
>;

const orNull = (row: unknown, name: string): unknown => [
  Term.DEFAULT,
  [fieldTerm(row, name), null],
];

function combinationTerm(rows: unknown, end: Combination, table: unknown): unknown {
  const ids = fn((row) => [Term.MAKE_ARRAY, [fieldTerm(row, 'id')]]);
  switch (end.kind) {
    case 'distinctRows':
      return [Term.ORDER_BY, [fieldTerm([Term.DISTINCT, [rows]], 'id'), fn((id) => id)]];
    case 'flatten':
      return [
        Term.CONCAT_MAP,
        [
          rows,
          fn((row) => [
            Term.DEFAULT,
            [where(row, 't', 'ARRAY', fieldTerm(row, 't')), [Term.MAKE_ARRAY, []]],
          ]),
        ],
      ];
    case 'fold': {
      const next = fn((count) => [Term.ADD, [count, 1]], 2);
      const emit = fn(
        (_, row, count) => [Term.MAKE_ARRAY, [[Term.MAKE_ARRAY, [count, fieldTerm(row, 'id')]]]],
        3,
      );
      return [Term.FOLD, [rows, 0, next], { emit }];
    }
    case 'reduce':
      return [Term.REDUCE, [[Term.MAP, [rows, ids]], fn((a, b) => [Term.ADD, [a, b]], 2)]];
    case 'outerJoin': {
      const same = fn(
        (left, right) => [Term.EQ, [orNull(left, end.field), orNull(right, end.other)]],
        2,
      );
      const pairs = fn((pair) => [
        Term.MAKE_ARRAY,
        [
          fieldTerm(fieldTerm(pair, 'left'), 'id'),
          [Term.DEFAULT, [fieldTerm(fieldTerm(pair, 'right'), 'id'), 'alone']],
        ],
      ]);
      return [Term.MAP, [[Term.OUTER_JOIN, [rows, table, same]], pairs]];
    }
    default:
      return aggregateTerm(rows, end);
  }
}

const aggregates = {
  count: Term.COUNT,
  sum: Term.SUM,
  avg: Term.AVG,
  min: Term.MIN,
  max: Term.MAX,
} as const;

function aggregateTerm(
  rows: unknown,
  { field, aggregate }: Extract<End, { kind: 'groupBy' }>,
): unknown {
  const args = aggregate === 'count' ? [] : ['n'];
  const found = [aggregates[aggregate], [[Term.GROUP, [rows, field]], ...args]];
  const isRow = aggregate === 'min' || aggregate === 'max';
  return [Term.UNGROUP, [isRow ? fieldTerm(found, 'n') : found]];
}

type Reduction = Extract<
  End,
  { kind: 'sum' | 'avg' | 'min' | 'max' | 'distinct' } | { kind: 'group' | 'groupMulti' }
>;

function reductionTerm(rows: unknown, end: Reduction): unknown {
  switch (end.kind) {
    case 'sum':
      return [Term.SUM, [rows, end.field]];
    case 'avg':
      return [Term.AVG, [rows, end.field]];
    case 'min':
    case 'max':
      return fieldTerm([end.kind === 'min' ? Term.MIN : Term.MAX, [rows, end.field]], end.field);
    case 'distinct':
      return [Term.DISTINCT, [fieldTerm(rows, end.field)]];
    default:
      return [
        Term.UNGROUP,
        [fieldTerm([Term.GROUP, [rows, end.field], { multi: end.kind === 'groupMulti' }], 'id')],
      ];
  }
}
