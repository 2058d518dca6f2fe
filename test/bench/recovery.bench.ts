import { once } from 'node:events';
import { join } from 'node:path';
import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { Prng } from '../../dataplane/common/prng.ts';
import { canonicalText, parseText } from '../../dataplane/datum/text.ts';
import { RealDisk } from '../../dataplane/disk/real-disk.ts';
import { machineClock } from '../../dataplane/node/clock.ts';
import { Database } from '../../dataplane/replication/database.ts';
import type { TableGroup } from '../../dataplane/replication/table-group.ts';
import { LmdbStore } from '../../dataplane/storage/lmdb-store.ts';
import { openWal } from '../../dataplane/wal/open-wal.ts';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';
import { keyOf, largeTable, tableName } from './large-table.ts';
import type { Benchmark } from './measure.ts';

/** How a node comes back after a kill under load, and what ten million documents cost it. */
const loadMs = Number(process.env['PHOTONDB_BENCH_LOAD_MS'] ?? 8_000);
const connectionsMax = 8;
const documentsPerInsert = 100;
const insertsAtOnce = 4;
const documentText = 'x'.repeat(200);
const few = 100_000;
const many = 10_000_000;
const reads = 200_000;
const mebibyte = 1_048_576;
const { signal } = new AbortController();

const connect = ({ host, driverPort: port }: Served): Promise<Connection> =>
  r.connect({ host, port });

/** Inserts as fast as the node takes it, until the connection ends. */
async function insertForEver(connection: Connection, prng: Prng): Promise<never> {
  for (;;) {
    const documents = Array.from({ length: documentsPerInsert }, () => ({
      id: `${prng.below(2 ** 40)}`,
      text: documentText,
    }));
    await r.table('load').insert(documents, { conflict: 'replace' }).run(connection);
  }
}

async function loadAndKill(served: Served): Promise<void> {
  const first = await connect(served);
  await r.db('test').tableCreate('load').run(first);
  await r.table('load').indexCreate('text').run(first);
  const connections = [first];
  while (connections.length < connectionsMax) connections.push(await connect(served));
  for (const [at, connection] of connections.entries()) {
    connection.on('error', () => undefined);
    for (let count = 0; count < insertsAtOnce; count += 1) {
      insertForEver(connection, new Prng(at * insertsAtOnce + count)).catch(() => undefined);
    }
  }
  await machineClock.sleep(loadMs, signal);
  await end(served, 'SIGKILL');
}

async function replayedMib({ httpUrl }: Served): Promise<number> {
  const text = await (await fetch(`http://${httpUrl}/_metrics`)).text();
  const bytes = /^photondb_wal_replayed_bytes(?:\{[^}]*\})? ([\d.e+]+)$/m.exec(text)?.[1];
  return Number(bytes) / mebibyte;
}

interface Recovery {
  readonly ms: number;
  readonly replayedMib: number;
}

async function killAndRecover(): Promise<Recovery> {
  const directory = temporaryDirectory();
  try {
    await loadAndKill(await serve(directory));
    const started = performance.now();
    const again = await serve(directory);
    const connection = await connect(again);
    await r.table('load').get('1').run(connection);
    const ms = performance.now() - started;
    const recovery = { ms, replayedMib: await replayedMib(again) };
    await connection.close({ noreplyWait: false });
    await end(again, 'SIGKILL');
    return recovery;
  } finally {
    removeDirectory(directory);
  }
}

async function startMs(directory: string): Promise<number> {
  const started = performance.now();
  const served = await serve(directory);
  const ms = performance.now() - started;
  served.process.kill('SIGTERM');
  if (served.process.exitCode === null) await once(served.process, 'exit');
  return ms;
}

async function openDatabase(directory: string, cacheMib: number): Promise<Database> {
  return Database.open({
    store: new LmdbStore({ directory: join(directory, 'store') }),
    openLog: ({ isFirst: _isFirst, ...replay }) =>
      openWal({
        ...replay,
        disk: new RealDisk(),
        directory: join(directory, 'wal'),
        clock: machineClock,
        random: () => Math.random(),
      }),
    codec: { parse: parseText, format: canonicalText },
    compileIndex: () => () => [],
    overlayBytesMax: mebibyte,
    cacheBytesMax: cacheMib * mebibyte,
    onProgress: () => undefined,
    signal,
  });
}

/** A percentile of the times of reads of random keys, in microseconds. */
async function readMicros(
  group: TableGroup,
  { documents, seed, share }: { documents: number; seed: number; share: number },
): Promise<number> {
  const prng = new Prng(seed);
  const times = new Float64Array(reads);
  for (let count = 0; count < reads; count += 1) {
    const key = keyOf(prng.below(documents));
    const started = performance.now();
    const row = await group.get(key);
    times[count] = (performance.now() - started) * 1_000;
    if (row === undefined) throw new Error('a document is missing');
  }
  times.sort();
  return times[Math.floor(reads * share)] ?? Number.NaN;
}

function groupOf(database: Database): TableGroup {
  const table = Object.values(database.state.tables).find(({ name }) => name === tableName);
  const group = table === undefined ? undefined : database.group(table.id);
  if (group === undefined) throw new Error('the table is gone');
  return group;
}

type Compare = Parameters<Benchmark['run']>[0];

async function compareReads(
  compare: Compare,
  sizes: readonly (readonly [string, number])[],
): Promise<void> {
  for (const cacheMib of [0, 64]) {
    const opened: { name: string; documents: number; database: Database }[] = [];
    for (const [name, documents] of sizes) {
      const database = await openDatabase(await largeTable(documents), cacheMib);
      opened.push({ name, documents, database });
    }
    for (const [about, share] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const) {
      let seed = 0;
      await compare({
        about: `Point reads, ${about}, ${cacheMib} MiB of cache`,
        unit: 'µs',
        subjects: opened.map(({ name, documents, database }) => ({
          name,
          run: () => readMicros(groupOf(database), { documents, seed: (seed += 1), share }),
        })),
      });
    }
    for (const { database } of opened) await database.stop();
  }
}

export const benchmark: Benchmark = {
  about: `A node killed after ${loadMs / 1_000} s of full write load, and a table of ${many / 1e6} million small documents.`,

  async run(compare) {
    const replayed: number[] = [];
    await compare({
      about: 'From the start after a kill to the first answer',
      unit: 'ms',
      subjects: [
        {
          name: 'node',
          async run() {
            const recovery = await killAndRecover();
            replayed.push(recovery.replayedMib);
            return recovery.ms;
          },
        },
      ],
    });
    let next = 0;
    await compare({
      about: 'The same rounds, the log that was read',
      unit: 'MiB',
      subjects: [{ name: 'node', run: () => Promise.resolve(replayed[next++] ?? Number.NaN) }],
    });
    const sizes = [
      [few.toLocaleString('en'), few],
      [many.toLocaleString('en'), many],
    ] as const;
    const directories = [];
    for (const [name, documents] of sizes)
      directories.push([name, await largeTable(documents)] as const);
    await compare({
      about: 'From the start of the process to its ready line',
      unit: 'ms',
      subjects: directories.map(([name, directory]) => ({ name, run: () => startMs(directory) })),
    });
    await compareReads(compare, sizes);
  },
};
