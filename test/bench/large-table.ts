import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import r from 'rethinkdb';
import { encodeUtf8 } from '../../dataplane/common/bytes.ts';
import { encodeKey } from '../../dataplane/datum/key.ts';
import { writeApplied } from '../../dataplane/apply/applied-position.ts';
import { readMetadata } from '../../dataplane/apply/catalog.ts';
import { LmdbStore } from '../../dataplane/storage/lmdb-store.ts';
import { encodeEnvelope, keyspaceKey } from '../../dataplane/table/envelope.ts';
import { StatisticsChange } from '../../dataplane/table/statistics.ts';
import { end, serve } from '../drivers/serve.ts';
import { machineClock } from '../../dataplane/node/clock.ts';

/**
 * Data directories with many small documents, made once and kept: a node makes the table, the rows go
 * into its store without the log, as an import brings them in. Deterministic but for identifiers.
 */
export const tableName = 'documents';
/** Of the documents; a change of anything about them, or of the disk formats, is another version. */
const version = 1;
const rowsPerWrite = 500;
const writesAtOnce = 16;
const envelopeVersion = 1;

/** The text of a document, canonical. */
const textOf = (id: number): string =>
  `{"group":${id % 997},"id":${id},"name":"name of the document ${id}"}`;

export const keyOf = (id: number): Uint8Array => encodeKey(id);

const cacheFolder = (): string =>
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'photondb');

async function makeTable(directory: string): Promise<void> {
  const served = await serve(directory);
  const connection = await r.connect({ host: served.host, port: served.driverPort });
  await r.db('test').tableCreate(tableName).run(connection);
  await connection.close();
  await end(served);
}

async function fill(directory: string, documents: number): Promise<void> {
  const store = new LmdbStore({ clock: machineClock, directory: join(directory, 'store') });
  const tables = Object.values(store.read(readMetadata)?.tables ?? {});
  const keyspace = tables.find(({ name }) => name === tableName)?.keyspace;
  if (keyspace === undefined) throw new Error('the table is not in the store');
  const writeSome = (from: number): Promise<void> =>
    store.write((transaction) => {
      const statistics = new StatisticsChange(keyspace);
      for (let id = from; id < Math.min(documents, from + rowsPerWrite); id += 1) {
        const key = keyspaceKey(keyspace, keyOf(id));
        const value = encodeEnvelope(key, {
          version: envelopeVersion,
          body: encodeUtf8(textOf(id)),
        });
        transaction.put('data', key, value);
        statistics.add(key, value);
      }
      statistics.write(transaction);
    });
  const step = rowsPerWrite * writesAtOnce;
  for (let from = 0; from < documents; from += step) {
    const starts = Array.from({ length: writesAtOnce }, (_, at) => from + at * rowsPerWrite);
    await Promise.all(starts.map(writeSome));
  }
  await store.write((transaction) =>
    writeApplied(transaction, keyspace, { index: envelopeVersion, term: 1 }),
  );
  await store.close();
}

/** Answers the data directory; building ten million takes minutes, once. */
export async function largeTable(documents: number): Promise<string> {
  const directory = join(cacheFolder(), `bench-${documents}-${version}`);
  const complete = join(directory, 'complete');
  if (existsSync(complete)) return directory;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  await makeTable(directory);
  await fill(directory, documents);
  writeFileSync(complete, '');
  return directory;
}
