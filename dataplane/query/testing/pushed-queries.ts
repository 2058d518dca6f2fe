import * as fc from 'fast-check';
import { Term } from '../term-table.ts';
import { array, fn } from './run.ts';

/** Queries of the table `t`, with an index over `a`, that shards may evaluate a part of. */
const table = [Term.TABLE, ['t']];
const get = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];

export const documents = [
  { id: 1, a: 1, b: 'x', c: array(1, 2) },
  { id: 2, a: 2, b: 'y' },
  { id: 3, a: 2, c: array() },
  { id: 4, a: 'text', b: null, d: { e: 1 } },
  { id: 5, b: 'x' },
  { id: 6, a: -1, b: 'é"\\', c: array('z'), d: { e: 2, f: array({ e: 3 }) } },
];

const field = fc.constantFrom('a', 'b', 'c', 'd', 'id');
const value = fc.constantFrom<unknown>(0, 1, 2, 'x', null, true, array(1, 2), { e: 1 });
/** Functions of a row that hold, fail, or lack what they ask for. */
const aFunction = fc.oneof(
  fc.tuple(field, value).map(([name, other]) => fn((row) => [Term.GT, [get(row, name), other]])),
  fc.tuple(field, value).map(([name, other]) => fn((row) => [Term.ADD, [get(row, name), other]])),
  field.map((name) => fn((row) => get(row, name))),
  field.map((name) => fn((row) => [Term.DEFAULT, [get(row, name), [Term.ERROR, ['none']]]])),
  field.map((name) =>
    fn((row) => ({ made: get(row, name), kept: [Term.HAS_FIELDS, [row, name]] })),
  ),
  fc.constant(fn((row) => row)),
  fc.constant(fn((row) => [Term.DIV, [1, [Term.SUB, [get(row, 'id'), 3]]]])),
  fc.constant(fn(() => [Term.NOW, []])),
);
type Wrap = (sequence: unknown) => unknown;
const step: fc.Arbitrary<Wrap> = fc.oneof(
  aFunction.map((by): Wrap => (sequence) => [Term.FILTER, [sequence, by]]),
  fc
    .tuple(aFunction, fc.constantFrom<unknown>(true, [Term.ERROR, []]))
    .map(([by, otherwise]): Wrap => (sequence) => [
      Term.FILTER,
      [sequence, by],
      { default: otherwise },
    ]),
  fc.tuple(field, value).map(([name, wanted]): Wrap => (sequence) => [
    Term.FILTER,
    [sequence, { [name]: wanted }],
  ]),
  aFunction.map((by): Wrap => (sequence) => [Term.MAP, [sequence, by]]),
  aFunction.map((by): Wrap => (sequence) => [Term.CONCAT_MAP, [sequence, by]]),
  fc
    .tuple(
      fc.constantFrom(Term.PLUCK, Term.WITHOUT, Term.WITH_FIELDS, Term.HAS_FIELDS, Term.MERGE),
      fc.constantFrom<unknown>('a', { d: 'e' }, { d: array('e', 'f') }, { d: { e: true } }),
    )
    .map(([term, pattern]): Wrap => (sequence) => [term, [sequence, pattern]]),
  field.map((name): Wrap => (sequence) => [Term.GET_FIELD, [sequence, name]]),
  field.map(
    (name): Wrap =>
      (sequence) =>
        get(sequence, name),
  ),
  fc.nat({ max: 3 }).map((most): Wrap => (sequence) => [Term.LIMIT, [sequence, most]]),
);
const by = fc.oneof(field, aFunction);
const folds = [Term.SUM, Term.AVG, Term.MIN, Term.MAX];
const fold: fc.Arbitrary<Wrap> = fc.oneof(
  fc.constant<Wrap>((sequence) => [Term.COUNT, [sequence]]),
  fc.oneof(value, aFunction).map((of): Wrap => (sequence) => [Term.COUNT, [sequence, of]]),
  fc.tuple(fc.constantFrom(...folds), by).map(([term, of]): Wrap => (sequence) => [
    term,
    [sequence, of],
  ]),
  fc.constantFrom(...folds).map((term): Wrap => (sequence) => [term, [sequence]]),
  fc.constant<Wrap>((sequence) => [Term.DISTINCT, [sequence]]),
);
const end: fc.Arbitrary<Wrap> = fc.oneof(
  fc.constant<Wrap>((sequence) => sequence),
  fold,
  fc.tuple(fc.array(by, { minLength: 1, maxLength: 2 }), fc.boolean(), fold).map(
    ([keys, multi, last]): Wrap =>
      (sequence) =>
        last([Term.GROUP, [sequence, ...keys], { multi }]),
  ),
  by.map((key): Wrap => (sequence) => [Term.GROUP, [sequence, key]]),
);
const source = fc.constantFrom<unknown>(
  table,
  [Term.BETWEEN, [table, 2, 6]],
  [Term.BETWEEN, [table, 0, 'z'], { index: 'a' }],
  [Term.ORDER_BY, [table], { index: [Term.DESC, ['a']] }],
  [Term.ORDER_BY, [table], { index: 'id' }],
);
export const queries = fc
  .tuple(source, fc.array(step, { maxLength: 3 }), end)
  .map(([from, steps, last]) => last(steps.reduce((sequence, wrap) => wrap(sequence), from)));
