import type { Datum } from '../../datum/datum.ts';
import { Term } from '../term-table.ts';
import type { IndexName } from './random-query.ts';
import { fn } from './run.ts';

/** The indexes of random queries as terms, and what they would hold, found by looking at every document. */

/** Data as a term. */
export function data(datum: Datum): unknown {
  if (Array.isArray(datum)) return [Term.MAKE_ARRAY, (datum as Datum[]).map(data)];
  if (typeof datum !== 'object' || datum === null) return datum;
  return Object.fromEntries(Object.entries(datum).map(([name, each]) => [name, data(each)]));
}

export const fieldTerm = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];

/** `body` where a field has a type, and null elsewhere. */
export const where = (row: unknown, name: string, type: string, body: unknown): unknown => [
  Term.BRANCH,
  [[Term.EQ, [[Term.TYPE_OF, [fieldTerm(row, name)]], type]], body, null],
];

export function parameter(id: number, body: (parameter: unknown) => unknown): unknown {
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
export function entries(table: unknown, name: IndexName): unknown {
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
