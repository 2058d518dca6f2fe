import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeUtf8 } from '../../dataplane/common/bytes.ts';
import { canonicalText, parseText } from '../../dataplane/datum/text.ts';
import { RealDisk } from '../../dataplane/disk/real-disk.ts';
import { Database } from '../../dataplane/replication/database.ts';
import { IndexScan } from '../../dataplane/replication/index-scan.ts';
import { TableScan } from '../../dataplane/replication/scan.ts';
import type { TableGroup } from '../../dataplane/replication/table-group.ts';
import { LmdbStore } from '../../dataplane/storage/lmdb-store.ts';
import { openWal } from '../../dataplane/wal/open-wal.ts';
import { machineClock } from '../../dataplane/node/clock.ts';
import { rateOf } from './measure.ts';
import type { Benchmark } from './measure.ts';

/** A table with one secondary index, as the node builds it, without queries and connections. */
const { signal } = new AbortController();
const roundMs = 1_500;
const documents = 20_000;
const overlayBytesMax = 64 * 1_048_576;
const batch = { rows: 1_000, bytes: 1_048_576 };
const filler = 'x'.repeat(200);

const keyOf = (id: number): Uint8Array => encodeUtf8(`k${String(id).padStart(9, '0')}`);

function openDatabase(directory: string): Promise<Database> {
  return Database.open({
    store: new LmdbStore({ directory: join(directory, 'store') }),
    openLog: (replay) =>
      openWal({
        ...replay,
        disk: new RealDisk(),
        directory: join(directory, 'wal'),
        clock: machineClock,
        random: () => Math.random(),
      }),
    codec: { parse: parseText, format: canonicalText },
    compileIndex: () => (text) => [
      encodeUtf8(String((JSON.parse(text) as { parity: number }).parity)),
    ],
    overlayBytesMax,
    onProgress: () => undefined,
    signal,
  });
}

async function makeTable(database: Database, id: string): Promise<TableGroup> {
  const options = { durability: 'hard', shards: 1, replicas: 1 } as const;
  const kind = { replication: 'sync', partition: 'hash' } as const;
  const table = { id, name: id, databaseId: 'd', primaryKey: 'id', ...options, ...kind };
  await database.change({ type: 'createTable', table });
  const index = { name: 'parity', multi: false, geo: false, definition: '' };
  await database.change({ type: 'createIndex', tableId: id, index });
  const group = database.group(id);
  if (group === undefined) throw new Error('the table is gone');
  return group;
}

const edit = (
  id: number,
): { key: Uint8Array; evaluate: () => Record<string, string | number> } => ({
  key: keyOf(id),
  evaluate: () => ({ filler, id, parity: id % 97 }),
});

/** Rows a second of whole walks. */
async function walkRate(open: () => TableScan | IndexScan): Promise<number> {
  const walks = await rateOf(roundMs, async () => {
    const source = open();
    while ((await source.next(batch, signal)) !== undefined);
  });
  return walks * documents;
}

export const benchmark: Benchmark = {
  about:
    'A table with one secondary index over the log and LMDB: documents of about 240 bytes, without queries and connections.',

  async run(compare) {
    const directory = await mkdtemp(join(tmpdir(), 'photondb-bench-'));
    const database = await openDatabase(directory);
    await database.change({ type: 'createDatabase', id: 'd', name: 'd' });
    const [written, read] = [
      await makeTable(database, 'written'),
      await makeTable(database, 'read'),
    ];
    let next = 0;
    const write = (writers: number, durability: 'hard' | 'soft') => async (): Promise<number> => {
      await database.settled();
      const rates = Array.from({ length: writers }, () =>
        rateOf(roundMs, async () => {
          next += 1;
          await written.edit([edit(next)], durability, signal);
        }),
      );
      return (await Promise.all(rates)).reduce((sum, rate) => sum + rate, 0);
    };
    const index = database.index(database.state.tables['read']?.indexes[0]?.keyspace ?? -1);
    if (index === undefined) throw new Error('the index is gone');
    try {
      await compare({
        about: 'inserts',
        unit: '/s',
        subjects: [
          { name: '1 writer, hard', run: write(1, 'hard') },
          { name: '64 writers, hard', run: write(64, 'hard') },
          { name: '64 writers, soft', run: write(64, 'soft') },
        ],
      });
      const edits = Array.from({ length: documents }, (_, id) => edit(id));
      await read.edit(edits, 'hard', signal);
      await database.settled();
      await compare({
        about: 'rows read',
        unit: '/s',
        subjects: [
          {
            name: 'point reads',
            run: () =>
              rateOf(
                roundMs,
                async (count) => void (await read.get(keyOf((count * 7_919) % documents))),
              ),
          },
          { name: 'whole table', run: () => walkRate(() => new TableScan(read, {}, 'ascending')) },
          {
            name: 'whole index',
            run: () =>
              walkRate(() => new IndexScan(read, { index, range: {}, order: 'ascending' })),
          },
        ],
      });
    } finally {
      await database.stop();
      await rm(directory, { recursive: true, force: true });
    }
  },
};
