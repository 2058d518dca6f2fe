import { createEditEngine } from '../../dataplane/query/edit-engine.ts';
import { once } from 'node:events';
import { join } from 'node:path';
import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { Prng } from '../../dataplane/common/prng.ts';
import { documentProblem } from '../../dataplane/datum/document.ts';
import { RealDisk } from '../../dataplane/disk/real-disk.ts';
import { machineClock } from '../../dataplane/node/clock.ts';
import { Database } from '../../dataplane/database/database.ts';
import type { ShardReplica } from '../../dataplane/shard/shard-replica.ts';
import { LmdbStore } from '../../dataplane/storage/lmdb-store.ts';
import { openWal } from '../../dataplane/wal/open-wal.ts';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';
import { keyOf, largeTable, tableName } from './large-table.ts';
import type { Benchmark } from './measure.ts';

/** Recovery of a node after a kill under load, and the cost of ten million documents. */
const loadMs = Number(process.env['PHOTONDB_BENCH_LOAD_MS'] ?? 8_000);
const connectionsMax = 8;
const documentsPerInsert = 100;
const insertsAtOnce = 4;
const documentText = 'x'.repeat(200);
const few = 100_000;
const many = 10_000_000;
const reads = 200_000;
const driverReads = 20_000;
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
    clock: machineClock,
    store: new LmdbStore({ clock: machineClock, directory: join(directory, 'store') }),
    openLog: ({ isFirst: _isFirst, ...replay }) =>
      openWal({
        ...replay,
        disk: new RealDisk(),
        directory: join(directory, 'wal'),
        clock: machineClock,
        random: () => Math.random(),
      }),
    documents: { problemOf: documentProblem },
    edits: createEditEngine(),
    compileIndex: () => () => [],
    memtableBytesMax: mebibyte,
    cacheBytesMax: cacheMib * mebibyte,
    onProgress: () => undefined,
    signal,
  });
}

/** A table with so many documents. */
interface Readable {
  readonly name: string;
  readonly documents: number;
  /** Answers what reads the document; null or undefined is none. */
  readonly reader: (id: number) => () => unknown;
}

/** A percentile of the times of reads of random keys, in microseconds. */
async function readMicros(
  { documents, reader }: Readable,
  { count, seed, share }: { count: number; seed: number; share: number },
): Promise<number> {
  const prng = new Prng(seed);
  const times = new Float64Array(count);
  for (let at = 0; at < count; at += 1) {
    const read = reader(prng.below(documents));
    const started = performance.now();
    const found = await read();
    times[at] = (performance.now() - started) * 1_000;
    if (found === undefined || found === null) throw new Error('a document is missing');
  }
  times.sort();
  return times[Math.floor(count * share)] ?? Number.NaN;
}

function groupOf(database: Database): ShardReplica {
  const table = Object.values(database.state.tables).find(({ name }) => name === tableName);
  const group = table === undefined ? undefined : database.table(table.id)?.shards[0];
  if (group === undefined) throw new Error('the table is gone');
  return group;
}

type Compare = Parameters<Benchmark['run']>[0];

async function compareReads(
  compare: Compare,
  tables: readonly Readable[],
  { about, count }: { readonly about: string; readonly count: number },
): Promise<void> {
  for (const [percentile, share] of [
    ['p50', 0.5],
    ['p99', 0.99],
  ] as const) {
    let seed = 0;
    await compare({
      about: `Point reads, ${percentile}, ${about}`,
      unit: 'µs',
      subjects: tables.map((table) => ({
        name: table.name,
        run: () => readMicros(table, { count, seed: (seed += 1), share }),
      })),
    });
  }
}

type Sizes = readonly (readonly [name: string, documents: number])[];

async function compareReadsInside(compare: Compare, sizes: Sizes, cacheMib: number): Promise<void> {
  const databases: Database[] = [];
  const tables: Readable[] = [];
  for (const [name, documents] of sizes) {
    const database = await openDatabase(await largeTable(documents), cacheMib);
    const group = groupOf(database);
    const reader = (id: number): (() => unknown) => {
      const key = keyOf(id);
      return () => group.get(key);
    };
    tables.push({ name, documents, reader });
    databases.push(database);
  }
  await compareReads(compare, tables, { about: `${cacheMib} MiB of cache`, count: reads });
  for (const database of databases) await database.stop();
}

/** By a driver, one after the other, from nodes as they are started by default. */
async function compareReadsByDriver(compare: Compare, sizes: Sizes): Promise<void> {
  const nodes: { served: Served; connection: Connection }[] = [];
  const tables: Readable[] = [];
  for (const [name, documents] of sizes) {
    const served = await serve(await largeTable(documents));
    const connection = await connect(served);
    // The types of the driver know texts alone as keys.
    const reader = (id: number) => (): unknown =>
      r
        .table(tableName)
        .get(id as unknown as string)
        .run(connection);
    tables.push({ name, documents, reader });
    nodes.push({ served, connection });
  }
  await compareReads(compare, tables, { about: 'by a driver', count: driverReads });
  for (const { served, connection } of nodes) {
    await connection.close({ noreplyWait: false });
    await end(served);
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
    for (const cacheMib of [0, 64]) await compareReadsInside(compare, sizes, cacheMib);
    await compareReadsByDriver(compare, sizes);
  },
};
