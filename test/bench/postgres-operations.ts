import { batches, groups, nextBatch, nextDocument, rangeRows } from './bench-documents.ts';
import { documentsCount, scanRows, some, someId, someIds, someRange } from './bench-documents.ts';
import type { Document } from './bench-documents.ts';
import type { Statement } from './postgres-connection.ts';
import type { OperationName } from './reql-operations.ts';

/**
 * The operations of the `reql` benchmark in SQL, over tables of a key and a `jsonb`. The index is on the `jsonb` of the
 * field, which like an index of ReQL takes values of all types.
 */
const insertAll = (target: string): string =>
  `insert into ${target} select each->>'id', each from jsonb_array_elements($1::jsonb) as each`;
const scanned = `(select doc from documents limit ${scanRows}) as scanned`;

const inserting = (target: string, documents: readonly Document[]): Statement => ({
  sql: insertAll(target),
  values: [JSON.stringify(documents)],
  rows: documents.length,
});

/** Run once, before anything is measured. */
export function* postgresPreparation(): Generator<Statement> {
  const bare = (sql: string): Statement => ({ sql, values: [] });
  yield bare('create table documents (id text primary key, doc jsonb not null)');
  yield bare('create table others (id text primary key, doc jsonb not null)');
  yield bare(`create index documents_group on documents ((doc->'group'))`);
  for (const batch of batches()) {
    for (const target of ['documents', 'others']) yield inserting(target, batch);
  }
  // What a long-running server has done automatically.
  yield bare('vacuum analyze documents');
  yield bare('vacuum analyze others');
}

/** The `count`th statement; `random` is below 1. */
type Operation = (count: number, random: number) => Statement;

export const postgresOperations: Readonly<Record<OperationName, Operation>> = {
  'point read': (_, random) => ({
    sql: 'select doc from documents where id = $1',
    values: [someId(random)],
    rows: 1,
  }),
  insert: () => {
    const document = nextDocument();
    const values = [document.id, JSON.stringify(document)];
    return { sql: 'insert into others values ($1, $2)', values, rows: 1 };
  },
  update: (count, random) => ({
    sql: 'update others set doc = doc || $2::jsonb where id = $1',
    values: [someId(random), JSON.stringify({ count })],
    rows: 1,
  }),
  'range of 100': (_, random) => ({
    sql: 'select doc from documents where id >= $1 and id < $2',
    values: someRange(random),
    rows: rangeRows,
  }),
  'scan of 2,000': () => ({ sql: `select doc from ${scanned}`, values: [], rows: scanRows }),
  'getAll of 10': (_, random) => ({
    sql: 'select doc from documents where id = any($1::text[])',
    values: [`{${someIds(random).join(',')}}`],
    rows: 10,
  }),
  'getAll by index': (_, random) => ({
    sql: `select doc from documents where doc->'group' = $1::jsonb`,
    values: [`${some(random, groups)}`],
    rows: documentsCount / groups,
  }),
  'filter + count': () => ({
    sql: `select count(*) from ${scanned} where doc->'group' = '5'`,
    values: [],
    rows: 1,
  }),
  'map + sum': () => ({
    sql: `select sum((doc->>'number')::float8) from ${scanned}`,
    values: [],
    rows: 1,
  }),
  'group + count': () => ({
    sql: `select doc->'group', count(*) from ${scanned} group by 1`,
    values: [],
    rows: groups,
  }),
  'orderBy index + limit': () => ({
    sql: `select doc from documents order by doc->'group' limit 20`,
    values: [],
    rows: 20,
  }),
  'eqJoin of 100': (_, random) => ({
    sql: `select one.doc, other.doc from documents as one join others as other on other.id = one.doc->>'partner'
      where one.id >= $1 and one.id < $2`,
    values: someRange(random),
    rows: rangeRows,
  }),
};

export const batchStatement = (): Statement => inserting('others', nextBatch());
