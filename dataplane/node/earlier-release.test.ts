import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { expect } from 'chai';
import { batchOf } from '../database/testing/edits.ts';
import type { Database } from '../database/database.ts';
import { encodeKey } from '../datum/key.ts';
import { keyspacesOf, shardsOf } from '../metadata/shards.ts';
import { newTable } from '../metadata/testing/new-table.ts';
import { createLogger } from '../observability/logger.ts';
import type { BatchSource, Row } from '../wire/table-access.ts';
import { machineChance } from './chance.ts';
import { machineClock } from './clock.ts';
import { openData } from './open-data.ts';

/**
 * A data directory that the release before shards has written, killed while its log was ahead of its store: `d.t`
 * (60 documents, index `v`, made with `shards: 4`), `d.u` (3 documents, document TTL), `d.late` (2 documents, known to
 * the log alone), and a table that was dropped.
 */
const written = new URL('testing/data/before-shards.json.br', import.meta.url);

interface Packed {
  readonly files: readonly {
    readonly path: string;
    readonly size: number;
    /** Base64, without the zeros at the end. */
    readonly data: string;
  }[];
}

function unpack(directory: string): void {
  const { files } = JSON.parse(brotliDecompressSync(readFileSync(written)).toString()) as Packed;
  for (const { path, size, data } of files) {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, Buffer.from(data, 'base64'));
    truncateSync(file, size);
  }
}

const { signal } = new AbortController();

const open = (path: string): Promise<Database> =>
  openData({
    path,
    clock: machineClock,
    chance: machineChance,
    logger: createLogger('error', {}),
    memtableBytesMax: 1 << 24,
    cacheBytesMax: 0,
    onProgress: () => undefined,
    signal,
  });

function tableOf(database: Database, id: string) {
  const [table, record] = [database.table(id), database.state.tables[id]];
  if (table === undefined || record === undefined) throw new Error(`no table ${id}`);
  return { table, record };
}

async function textsOf(source: BatchSource<Row>): Promise<string[]> {
  const texts: string[] = [];
  for (;;) {
    const rows = await source.next({ rows: 100, bytes: 1_000_000 }, signal);
    if (rows === undefined) return texts;
    texts.push(...rows.map(({ text }) => text));
  }
}

describe('a data directory of the release before shards', () => {
  let path: string;

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'photondb-earlier-'));
    unpack(path);
  });

  afterEach(() => rmSync(path, { recursive: true }));

  async function isWhole(database: Database): Promise<void> {
    const { table, record } = tableOf(database, 't');
    const texts = await textsOf(table.scan({}, 'ascending'));
    expect(texts).to.have.length(60);
    expect(texts.filter((text) => text.includes('"logged"'))).to.have.length(30);
    expect((await table.get(encodeKey('k45')))?.text).to.equal('{"id":"k45","v":3,"w":"logged"}');
    const [index] = record.indexes;
    const parts = (index === undefined ? [] : keyspacesOf(index)).flatMap(
      (keyspace) => database.index(keyspace) ?? [],
    );
    expect(
      await textsOf(table.scanIndex(parts, { range: {}, order: 'descending' })),
    ).to.have.length(60);
    expect(tableOf(database, 'u').table.count).to.equal(3);
    expect(tableOf(database, 'late').table.count).to.equal(2);
    expect(Object.keys(database.state.tables).sort()).to.deep.equal(['late', 't', 'u']);
    expect(await database.scrub()).to.deep.equal([]);
  }

  it('opens, with one shard for each table whose group has the number of its keyspace', async () => {
    let database = await open(path);
    for (const id of ['t', 'u', 'late']) {
      const { table, record } = tableOf(database, id);
      expect(record).to.not.have.property('placement');
      expect(shardsOf(record).map(({ group, keyspace }) => [group, keyspace])).to.deep.equal([
        [record.keyspace, record.keyspace],
      ]);
      expect(table.shards).to.have.length(1);
    }
    await isWhole(database);
    await database.stop();
    database = await open(path);
    await isWhole(database);
    await database.stop();
  });

  it('continues to serve: documents, indexes, shards beside it, an export of its tables', async () => {
    let database = await open(path);
    const { table, record } = tableOf(database, 't');
    const text = '{"id":"k60","v":1}';
    const edits = [{ key: encodeKey('k60'), change: { type: 'replace', by: { text } } as const }];
    const [outcome] = await table.edit(batchOf(edits), signal);
    expect(outcome?.error).to.equal(undefined);
    expect(await database.reshard('t', 4)).to.include({ type: 'refused' });
    const made = { type: 'createTable', format: 2, table: newTable('new', { shards: 4 }) } as const;
    expect(await database.change(made)).to.not.have.property('type');
    const numbers = Object.values(database.state.tables).flatMap((each) => [
      ...shardsOf(each).map(({ group }) => group),
      ...each.indexes.flatMap(keyspacesOf),
    ]);
    expect(new Set(numbers).size).to.equal(numbers.length);
    await database.transfers.import(
      database.transfers.export(record, signal),
      { id: 'copy', as: { database: 'd', table: 'copy' }, refusal: () => undefined },
      signal,
    );
    await database.stop();
    database = await open(path);
    const copied = await textsOf(tableOf(database, 'copy').table.scan({}, 'ascending'));
    expect(copied).to.have.length(61);
    expect(await textsOf(tableOf(database, 't').table.scan({}, 'ascending'))).to.deep.equal(copied);
    expect(await database.scrub()).to.deep.equal([]);
    await database.stop();
  });
});
