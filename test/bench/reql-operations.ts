import { queryText } from './raw-connection.ts';

/** The operations of the `reql` benchmark as terms of the protocol, over a table of documents that are known. */
const documentsCount = 20_000;
const databaseName = 'bench';
const groups = 100;
const rangeRows = 100;

const db = [14, [databaseName]];
const table = [15, [db, 'documents']];
const other = [15, [db, 'others']];
const makeArray = (items: readonly unknown[]): unknown => [2, items];
/** A function of a document. */
const ofRow = (body: (row: unknown) => unknown): unknown => [69, [[2, [1]], body([10, [1]])]];
const field = (row: unknown, name: string): unknown => [170, [row, name]];

const idOf = (number: number): string => `d${String(number).padStart(8, '0')}`;

const documentOf = (number: number): object => ({
  id: idOf(number),
  number,
  group: number % groups,
  partner: idOf((number * 7) % documentsCount),
  text: `text of ${number} `.padEnd(200, 'x'),
});

/** Run once, before anything is measured. */
export function* preparation(): Generator<string> {
  yield queryText([57, [databaseName]]);
  yield queryText([60, [db, 'documents']]);
  yield queryText([60, [db, 'others']]);
  yield queryText([75, [table, 'group']]);
  for (const target of [table, other]) {
    for (let at = 0; at < documentsCount; at += 200) {
      const batch = Array.from({ length: 200 }, (_, place) => documentOf(at + place));
      yield queryText([56, [target, makeArray(batch)]]);
    }
  }
  yield queryText([140, [table]]);
}

export interface Operation {
  readonly name: string;
  /** The text of the `count`th query; `random` is below 1. */
  query(count: number, random: number): string;
}

const some = (random: number, below = documentsCount): number => Math.floor(random * below);
let inserted = documentsCount;

export const operations: readonly Operation[] = [
  { name: 'point read', query: (_, random) => queryText([16, [table, idOf(some(random))]]) },
  {
    name: 'insert',
    query: () => queryText([56, [other, documentOf((inserted += 1))]], { durability: 'hard' }),
  },
  {
    name: 'update',
    query: (count, random) => queryText([53, [[16, [other, idOf(some(random))]], { count }]]),
  },
  {
    name: 'range of 100',
    query: (_, random) => {
      const first = some(random, documentsCount - rangeRows);
      return queryText([182, [table, idOf(first), idOf(first + rangeRows)]]);
    },
  },
  { name: 'scan of 2,000', query: () => queryText([71, [table, 2_000]]) },
  {
    name: 'getAll of 10',
    query: (_, random) =>
      queryText([
        78,
        [table, ...Array.from({ length: 10 }, (_, at) => idOf(some(random / (at + 1))))],
      ]),
  },
  {
    name: 'getAll by index',
    query: (_, random) => queryText([78, [table, some(random, groups)], { index: 'group' }]),
  },
  {
    name: 'filter + count',
    query: () =>
      queryText([
        43,
        [[39, [[71, [table, 2_000]], ofRow((row) => [17, [field(row, 'group'), 5]])]]],
      ]),
  },
  {
    name: 'map + sum',
    query: () =>
      queryText([145, [[38, [[71, [table, 2_000]], ofRow((row) => field(row, 'number'))]]]]),
  },
  {
    name: 'group + count',
    query: () => queryText([43, [[144, [[71, [table, 2_000]], 'group']]]]),
  },
  {
    name: 'orderBy index + limit',
    query: () => queryText([71, [[41, [table], { index: 'group' }], 20]]),
  },
  {
    name: 'eqJoin of 100',
    query: (_, random) => {
      const first = some(random, documentsCount - rangeRows);
      const range = [182, [table, idOf(first), idOf(first + rangeRows)]];
      return queryText([50, [range, 'partner', other]]);
    },
  },
];

/** Eight connections with batches of 200 documents of 1 KB. */
export const sustained = { connections: 8, batch: 200 } as const;

export function batchQuery(): string {
  const batch = Array.from({ length: sustained.batch }, () => {
    inserted += 1;
    return {
      id: `s${(inserted * 0x9e_37_79_b1) % 0x1_0000_0000}-${inserted}`,
      text: 'x'.repeat(940),
    };
  });
  return queryText([56, [other, makeArray(batch)]], { durability: 'hard' });
}
