import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { datasets } from './datasets.ts';
import type { Dataset, Document } from './datasets.ts';

/** The database that holds the real data. */
export const datasetDatabase = 'vega';

/** Documents in one insert: large enough to amortise the round trip, small enough for a smooth bar. */
const batchSize = 200;
/** Inserts under way at once, so that the log syncs once for several of them. */
const inFlight = 4;

export interface Progress {
  readonly table: string;
  readonly done: number;
  readonly total: number;
}

export interface Loaded {
  readonly documents: number;
  /** How many of them were written now; the others were there. */
  readonly written: number;
  readonly seconds: number;
}

async function ensureTable(connection: Connection, dataset: Dataset): Promise<void> {
  const database = r.db(datasetDatabase);
  const tables = await database.tableList().run(connection);
  if (!tables.includes(dataset.table)) {
    await database.tableCreate(dataset.table, { primary_key: dataset.primaryKey }).run(connection);
  }
  const table = database.table(dataset.table);
  const existing = await table.indexList().run(connection);
  for (const { name, fields } of dataset.indexes) {
    if (existing.includes(name)) continue;
    const [field = name] = fields;
    await (
      fields.length === 1
        ? table.indexCreate(name, r.row(field))
        : table.indexCreate(
            name,
            fields.map((each) => r.row(each)),
          )
    ).run(connection);
  }
  await table.indexWait().run(connection);
}

/** Inserts or overwrites by primary key: the same documents twice are the same table. */
async function insert(connection: Connection, table: string, batch: Document[]): Promise<void> {
  const result = await r
    .db(datasetDatabase)
    .table(table)
    .insert(batch, { conflict: 'replace' })
    .run(connection);
  if (result.errors > 0) throw new Error(`loading ${table}: ${result.first_error?.message ?? ''}`);
}

async function loadTable(
  connection: Connection,
  dataset: Dataset,
  report: (progress: Progress) => void,
): Promise<Omit<Loaded, 'seconds'>> {
  await ensureTable(connection, dataset);
  const documents = dataset.documents();
  const present = await r.db(datasetDatabase).table(dataset.table).count().run(connection);
  if (present >= documents.length) {
    // Loaded before: what the user has changed since stays as it is.
    report({ table: dataset.table, done: documents.length, total: documents.length });
    return { documents: documents.length, written: 0 };
  }
  let next = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    while (next < documents.length) {
      const batch = documents.slice(next, next + batchSize);
      next += batch.length;
      await insert(connection, dataset.table, batch);
      done += batch.length;
      report({ table: dataset.table, done, total: documents.length });
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return { documents: documents.length, written: documents.length };
}

/**
 * Loads every dataset through the driver protocol. Safe to run again: tables and indexes that exist
 * are kept, whole tables are left alone, and the documents of a table that was interrupted are
 * overwritten by their primary keys.
 */
export async function loadDatasets(
  connection: Connection,
  report: (progress: Progress) => void,
): Promise<Loaded> {
  const started = Date.now();
  const databases = await r.dbList().run(connection);
  if (!databases.includes(datasetDatabase)) await r.dbCreate(datasetDatabase).run(connection);
  const total = { documents: 0, written: 0 };
  for (const dataset of datasets) {
    const { documents, written } = await loadTable(connection, dataset, report);
    total.documents += documents;
    total.written += written;
  }
  return { ...total, seconds: (Date.now() - started) / 1000 };
}
