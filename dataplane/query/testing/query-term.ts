import type { Datum } from '../../datum/datum.ts';
import { Term } from '../term-table.ts';
import type { End, IndexName, Predicate, Query, Source, Step } from './random-query.ts';
import { fn } from './run.ts';

/** Random queries as terms, in two plans: by the indexes of the table, and by looking at every document. */

/** Data as a term. */
export function data(datum: Datum): unknown {
  if (Array.isArray(datum)) return [Term.MAKE_ARRAY, (datum as Datum[]).map(data)];
  if (typeof datum !== 'object' || datum === null) return datum;
  return Object.fromEntries(Object.entries(datum).map(([name, each]) => [name, data(each)]));
}

const fieldTerm = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];

/** `body` where a field has a type, and null elsewhere. */
const where = (row: unknown, name: string, type: string, body: unknown): unknown => [
  Term.BRANCH,
  [[Term.EQ, [[Term.TYPE_OF, [fieldTerm(row, name)]], type]], body, null],
];

function parameter(id: number, body: (parameter: unknown) => unknown): unknown {
  return [Term.FUNC, [[Term.MAKE_ARRAY, [id]], body([Term.VAR, [id]])]];
}

/** The functions of the indexes, of a document. */
const indexBodies: Readonly<Record<Exclude<IndexName, 'id'>, (row: unknown) => unknown>> = {
  a: (row) => fieldTerm(row, 'a'),
  next: (row) => where(row, 'n', 'NUMBER', [Term.ADD, [fieldTerm(row, 'n'), 1]]),
  ab: (row) => [Term.MAKE_ARRAY, [fieldTerm(row, 'a'), fieldTerm(row, 'b')]],
  t: (row) => fieldTerm(row, 't'),
  tn: (row) =>
    where(row, 't', 'ARRAY', [
      Term.MAP,
      [
        fieldTerm(row, 't'),
        parameter(10, (item) => [Term.MAKE_ARRAY, [item, fieldTerm(row, 'n')]]),
      ],
    ]),
};

const isMulti = (name: IndexName): boolean => name === 't' || name === 'tn';

export const indexTerms = (table: unknown): unknown[] =>
  Object.entries(indexBodies).map(([name, body]) => [
    Term.INDEX_CREATE,
    [table, name, fn(body)],
    { multi: isMulti(name as IndexName) },
  ]);

export interface Plan {
  readonly table: unknown;
  /** Whether sources are read by their index, or by looking at every document. */
  readonly useIndex: boolean;
}

/** Each entry that the index would have, as `{value, row}`, found without it. */
function entries(table: unknown, name: IndexName): unknown {
  const body = name === 'id' ? (row: unknown): unknown => fieldTerm(row, 'id') : indexBodies[name];
  const values = (value: unknown): unknown =>
    isMulti(name)
      ? [
          Term.BRANCH,
          [
            [Term.EQ, [[Term.TYPE_OF, [value]], 'ARRAY']],
            [Term.SET_UNION, [value, data([])]],
            [Term.MAKE_ARRAY, [value]],
          ],
        ]
      : [Term.MAKE_ARRAY, [value]];
  return [
    Term.CONCAT_MAP,
    [
      table,
      parameter(1, (row) => [
        Term.MAP,
        [
          [
            Term.FILTER,
            [
              [Term.FUNCALL, [parameter(2, values), [Term.DEFAULT, [body(row), null]]]],
              parameter(3, (value) => [Term.NE, [value, null]]),
            ],
          ],
          parameter(4, (value) => ({ value, row })),
        ],
      ]),
    ],
  ];
}

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

function predicateTerm(predicate: Predicate, row: unknown, table: unknown): unknown {
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

function endTerm(rows: unknown, end: End, { table, useIndex }: Plan): unknown {
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

function reductionTerm(rows: unknown, end: Extract<End, { field: string }>): unknown {
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
