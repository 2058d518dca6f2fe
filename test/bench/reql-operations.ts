import {
  batches,
  nextBatch,
  nextDocument,
  scanRows,
  some,
  someId,
  someIds,
} from './bench-documents.ts';
import { groups, someRange } from './bench-documents.ts';
import { queryText } from './raw-connection.ts';

/** The operations of the `reql` benchmark as terms of the protocol. */
const databaseName = 'bench';

const db = [14, [databaseName]];
const table = [15, [db, 'documents']];
const other = [15, [db, 'others']];
const makeArray = (items: readonly unknown[]): unknown => [2, items];
/** A function of a document. */
const ofRow = (body: (row: unknown) => unknown): unknown => [69, [[2, [1]], body([10, [1]])]];
const field = (row: unknown, name: string): unknown => [170, [row, name]];
const scanned = [71, [table, scanRows]];

/** Run once, before anything is measured. */
export function* preparation(): Generator<string> {
  yield queryText([57, [databaseName]]);
  yield queryText([60, [db, 'documents']]);
  yield queryText([60, [db, 'others']]);
  yield queryText([75, [table, 'group']]);
  for (const batch of batches()) {
    for (const target of [table, other]) yield queryText([56, [target, makeArray(batch)]]);
  }
  yield queryText([140, [table]]);
}

/** The text of the `count`th query; `random` is below 1. */
type Query = (count: number, random: number) => string;

export const reqlOperations = {
  'point read': (_, random) => queryText([16, [table, someId(random)]]),
  insert: () => queryText([56, [other, nextDocument()]], { durability: 'hard' }),
  update: (count, random) => queryText([53, [[16, [other, someId(random)]], { count }]]),
  'range of 100': (_, random) => queryText([182, [table, ...someRange(random)]]),
  'scan of 2,000': () => queryText(scanned),
  'getAll of 10': (_, random) => queryText([78, [table, ...someIds(random)]]),
  'getAll by index': (_, random) =>
    queryText([78, [table, some(random, groups)], { index: 'group' }]),
  'filter + count': () =>
    queryText([43, [[39, [scanned, ofRow((row) => [17, [field(row, 'group'), 5]])]]]]),
  'map + sum': () => queryText([145, [[38, [scanned, ofRow((row) => field(row, 'number'))]]]]),
  'group + count': () => queryText([43, [[144, [scanned, 'group']]]]),
  'orderBy index + limit': () => queryText([71, [[41, [table], { index: 'group' }], 20]]),
  'eqJoin of 100': (_, random) =>
    queryText([50, [[182, [table, ...someRange(random)]], 'partner', other]]),
} as const satisfies Record<string, Query>;

export type OperationName = keyof typeof reqlOperations;

export const operationNames = Object.keys(reqlOperations) as OperationName[];

export const batchQuery = (): string =>
  queryText([56, [other, makeArray(nextBatch())]], { durability: 'hard' });
