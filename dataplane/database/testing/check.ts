import { expect } from 'chai';
import { decodeUtf8, encodeUtf8, toHex } from '../../common/bytes.ts';
import type { ApplyStore, Entry, ReadTransaction } from '../../kv/store.ts';
import { keyspacesOf, shardsOf } from '../../metadata/shards.ts';
import type { TableRecord } from '../../metadata/state.ts';
import { decodeDocument, envelopeHash } from '../../table/envelope.ts';
import { indexEntryKey } from '../../table/index-entry.ts';
import { storedRange } from '../../table/key-range.ts';
import type { KeyspaceStatistics } from '../../table/row-sum.ts';
import { readStatistics } from '../../table/statistics.ts';
import type { Database } from '../database.ts';
import type { Rows, SchemaModel } from './model.ts';
import { quiet } from './workload.ts';
import type { Document } from './workload.ts';

const limit = { rows: 50, bytes: 1_000_000 };
const signal = new AbortController().signal;

/** What a workload knows of tables, indexes and rows. */
export interface Expected {
  readonly schema: SchemaModel;
  readonly tables: Map<string, { adopt(found: Rows, about: string): void }>;
}

/** Looks at everything that a database has. */
export async function checkDatabase(
  { database, store }: { readonly database: Database; readonly store: ApplyStore },
  workload: Expected,
  about: string,
): Promise<void> {
  const tables = Object.values(database.state.tables);
  const schema = new Map(tables.map(({ id, indexes }) => [id, indexes.map(({ name }) => name)]));
  workload.schema.adopt(schema, about);
  for (const { id } of tables)
    workload.tables.get(id)?.adopt(await rowsOf(database, id), `${about}: ${id}`);
  for (const id of workload.tables.keys()) if (!schema.has(id)) workload.tables.delete(id);
  await quiet(database);
  store.read((view) => checkStore(view, Object.values(database.state.tables), about));
}

async function rowsOf(database: Database, id: string): Promise<Rows> {
  const table = database.table(id);
  if (table === undefined) throw new Error(`no shards of ${id}`);
  const scan = table.scan({}, 'ascending');
  const rows: Rows = new Map();
  for (;;) {
    const batch = await scan.next(limit, signal);
    if (batch === undefined) break;
    for (const { key, text } of batch) rows.set(decodeUtf8(key), text);
  }
  expect(table.count, id).to.equal(rows.size);
  return rows;
}

/** Rows, index entries and counters against each other, each recomputed from the rows alone. */
function checkStore(view: ReadTransaction, tables: readonly TableRecord[], about: string): void {
  const rows = new Set<string>();
  const entries = new Set<string>();
  const shards = tables.flatMap((table) =>
    shardsOf(table).map(({ keyspace }, at) => {
      const indexes = table.indexes.map((index) => {
        return { name: index.name, keyspace: keyspacesOf(index)[at] ?? 0 };
      });
      return { id: table.id, keyspace, indexes };
    }),
  );
  for (const { keyspace, id, indexes } of shards) {
    const data = [...view.entries('data', storedRange(keyspace, {}, 'ascending'))];
    for (const { key, value } of data) {
      const { v } = JSON.parse(decodeDocument(key, value).text) as Document;
      rows.add(toHex(key));
      for (const index of indexes) {
        entries.add(toHex(indexEntryKey(index.keyspace, encodeUtf8(v), key.subarray(4))));
      }
    }
    expect(readStatistics(view, keyspace), `${about}: ${id}`).to.deep.equal(countedAnew(data));
    for (const index of indexes) {
      const stored = view.entries('index', storedRange(index.keyspace, {}, 'ascending'));
      const counted = readStatistics(view, index.keyspace);
      expect(counted, `${about}: ${id}(${index.name})`).to.deep.equal(countedAnew(stored));
    }
  }
  const keysIn = (name: 'data' | 'index'): string[] =>
    [...view.entries(name, {})].map(({ key }) => toHex(key));
  expect(keysIn('data'), `${about}: rows of tables`).to.have.members([...rows]);
  expect(keysIn('index'), `${about}: index entries`).to.have.members([...entries]);
}

function countedAnew(values: Iterable<Entry>): KeyspaceStatistics {
  let [count, bytes, hash] = [0, 0, 0];
  for (const { key, value } of values) {
    count += 1;
    bytes += key.byteLength + value.byteLength;
    hash = (hash + envelopeHash(key, value)) % 2 ** 52;
  }
  return { count, bytes, hash };
}
