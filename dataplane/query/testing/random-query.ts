import * as fc from 'fast-check';
import type { Datum } from '../../datum/datum.ts';

/** Random documents, and random queries over them as data: query-term.ts makes terms of them, model.ts answers. */
export interface Document {
  readonly id: Datum;
  readonly [field: string]: Datum;
}

export type IndexName = 'id' | 'a' | 'next' | 'ab' | 't' | 'tn';

interface Bound {
  readonly value: Datum;
  readonly bound: 'open' | 'closed';
}

export type Source =
  | { readonly kind: 'table' }
  | {
      readonly kind: 'slice';
      readonly index: IndexName;
      readonly low: Bound | 'minval';
      readonly high: Bound | 'maxval';
      readonly ordered: boolean;
      readonly descending: boolean;
    }
  | { readonly kind: 'getAll'; readonly index: IndexName; readonly keys: readonly Datum[] };

export type Predicate =
  | {
      readonly kind: 'eq' | 'lt' | 'lookup' | 'pattern';
      readonly field: string;
      readonly value: Datum;
    }
  | { readonly kind: 'has' | 'truth'; readonly field: string }
  | { readonly kind: 'not'; readonly of: Predicate }
  | { readonly kind: 'and'; readonly left: Predicate; readonly right: Predicate };

export type Step =
  | { readonly kind: 'filter'; readonly by: Predicate; readonly otherwise: boolean }
  | { readonly kind: 'orderBy'; readonly keys: readonly { field: string; descending: boolean }[] }
  | { readonly kind: 'limit' | 'skip'; readonly count: number }
  | { readonly kind: 'slice'; readonly from: number; readonly to: number }
  | { readonly kind: 'hasFields'; readonly field: string }
  | { readonly kind: 'union' | 'difference'; readonly with: Source };

export type End =
  | { readonly kind: 'ids' | 'count' | 'isEmpty' }
  | { readonly kind: 'countBy' | 'contains'; readonly by: Predicate }
  | {
      readonly kind: 'sum' | 'avg' | 'min' | 'max' | 'distinct';
      readonly field: string;
    }
  | { readonly kind: 'group' | 'groupMulti'; readonly field: string }
  | { readonly kind: 'nth'; readonly at: number }
  | { readonly kind: 'distinctRows' | 'flatten' | 'fold' | 'reduce' }
  | { readonly kind: 'outerJoin'; readonly field: string; readonly other: string }
  | {
      readonly kind: 'groupBy';
      readonly field: string;
      readonly aggregate: 'count' | 'sum' | 'avg' | 'min' | 'max';
    }
  | { readonly kind: 'eqJoin'; readonly field: string; readonly index: IndexName };

export type Query =
  | {
      readonly kind: 'rows';
      readonly source: Source;
      /** Whether everything is read into an array first. */
      readonly inMemory: boolean;
      readonly steps: readonly Step[];
      readonly end: End;
    }
  | {
      readonly kind: 'index';
      readonly index: IndexName;
      readonly end: 'distinct' | 'group' | 'min' | 'max';
    };

const time = (epoch_time: number, timezone: string): Datum => ({
  $reql_type$: 'TIME',
  epoch_time,
  timezone,
});

/** Few values, so that they meet; of every type that has an order, and of types that look alike. */
const scalar = fc.constantFrom<Datum>(
  null,
  false,
  true,
  -1,
  0,
  1,
  2,
  1.5,
  '',
  'a',
  'b',
  'ab',
  '1',
  time(0, '+00:00'),
  time(0, '+02:00'),
  time(0.001, '-03:00'),
  { $reql_type$: 'BINARY', data: 'YQ==' },
  { $reql_type$: 'BINARY', data: '' },
);
const value: fc.Arbitrary<Datum> = fc.oneof(
  { arbitrary: scalar, weight: 6 },
  { arbitrary: fc.array(scalar, { maxLength: 2 }), weight: 1 },
  { arbitrary: fc.record({ x: scalar }, { requiredKeys: [] }), weight: 1 },
);
const key = fc.oneof(fc.nat({ max: 9 }), fc.constantFrom('k', '', time(3, 'Z'), [1, 'k'], true));
const small = fc.integer({ min: -1, max: 2 });

export const documents: fc.Arbitrary<readonly Document[]> = fc.uniqueArray(
  fc.record(
    {
      id: key,
      a: value,
      b: scalar,
      n: fc.oneof({ arbitrary: small, weight: 12 }, { arbitrary: scalar, weight: 1 }),
      t: fc.oneof(fc.array(scalar, { maxLength: 3 }), scalar),
    },
    { requiredKeys: ['id'] },
  ),
  { maxLength: 12, selector: ({ id }) => JSON.stringify(id) },
) as fc.Arbitrary<readonly Document[]>;

const fields = fc.constantFrom('id', 'a', 'b', 'n', 't');
const index = fc.constantFrom<IndexName>('id', 'a', 'next', 'ab', 't', 'tn');
const indexed = fc.oneof(value, small, key, fc.tuple(scalar, scalar), fc.tuple(scalar, small));
const bound = fc.record({
  value: indexed.filter((each) => each !== null),
  bound: fc.constantFrom('open', 'closed'),
});

const source: fc.Arbitrary<Source> = fc.oneof(
  fc.constant({ kind: 'table' } as const),
  fc
    .record({
      kind: fc.constant('slice' as const),
      index,
      low: fc.oneof(bound, fc.constant('minval' as const)),
      high: fc.oneof(bound, fc.constant('maxval' as const)),
      ordered: fc.boolean(),
      descending: fc.boolean(),
    })
    .map((slice) => ({ ...slice, descending: slice.ordered && slice.descending })),
  fc
    .record({
      kind: fc.constant('getAll' as const),
      index,
      keys: fc.array(
        indexed.filter((each) => each !== null),
        { maxLength: 3 },
      ),
    })
    .map((all) => (all.index === 'id' ? { ...all, keys: all.keys.filter(isKey) } : all)),
) as fc.Arbitrary<Source>;

/** What may be a primary key. */
const isKey = (datum: Datum): boolean =>
  typeof datum !== 'object' || (datum !== null && !Array.isArray(datum) && '$reql_type$' in datum);

const predicate: fc.Arbitrary<Predicate> = fc.letrec<{ predicate: Predicate }>((tie) => ({
  predicate: fc.oneof(
    { maxDepth: 2 },
    fc.record({
      kind: fc.constantFrom('eq', 'lt', 'lookup', 'pattern'),
      field: fields,
      value: scalar,
    }),
    fc.record({ kind: fc.constantFrom('has', 'truth'), field: fields }),
    fc.record({ kind: fc.constant('not'), of: tie('predicate') }),
    fc.record({ kind: fc.constant('and'), left: tie('predicate'), right: tie('predicate') }),
  ) as fc.Arbitrary<Predicate>,
})).predicate;

const count = fc.nat({ max: 6 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('filter'), by: predicate, otherwise: fc.boolean() }),
  fc.record({
    kind: fc.constant('orderBy'),
    keys: fc.array(fc.record({ field: fields, descending: fc.boolean() }), {
      minLength: 1,
      maxLength: 2,
    }),
  }),
  fc.record({ kind: fc.constantFrom('limit', 'skip'), count }),
  fc.record({ kind: fc.constant('slice'), from: count, to: count }),
  fc.record({ kind: fc.constant('hasFields'), field: fields }),
  fc.record({ kind: fc.constantFrom('union', 'difference'), with: source }),
) as fc.Arbitrary<Step>;

const end: fc.Arbitrary<End> = fc.oneof(
  fc.record({ kind: fc.constantFrom('ids', 'count', 'isEmpty') }),
  fc.record({ kind: fc.constantFrom('countBy', 'contains'), by: predicate }),
  fc.record({ kind: fc.constantFrom('sum', 'avg'), field: fc.constantFrom('n', 'n', 'n', 'b') }),
  fc.record({
    kind: fc.constantFrom('min', 'max', 'distinct', 'group', 'groupMulti'),
    field: fields,
  }),
  fc.record({ kind: fc.constant('nth'), at: fc.integer({ min: -1, max: 4 }) }),
  fc.record({ kind: fc.constant('eqJoin'), field: fields, index }),
  fc.record({ kind: fc.constantFrom('distinctRows', 'flatten', 'fold', 'reduce') }),
  fc.record({ kind: fc.constant('outerJoin'), field: fields, other: fields }),
  fc.record({
    kind: fc.constant('groupBy'),
    field: fields,
    aggregate: fc.constantFrom('count', 'sum', 'avg', 'min', 'max'),
  }),
) as fc.Arbitrary<End>;

export const queries: fc.Arbitrary<Query> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('rows' as const),
      source,
      inMemory: fc.boolean(),
      steps: fc.array(step, { maxLength: 4 }),
      end,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('index' as const),
      index,
      end: fc.constantFrom('distinct' as const, 'group' as const, 'min' as const, 'max' as const),
    }),
  },
);
