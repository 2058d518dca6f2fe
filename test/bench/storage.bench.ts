import { batchOf } from '../../dataplane/database/testing/edits.ts';
import { createEditEngine } from '../../dataplane/query/edit-engine.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { encodeUtf8 } from '../../dataplane/common/bytes.ts';
import { Prng } from '../../dataplane/common/prng.ts';
import { documentProblem } from '../../dataplane/datum/document.ts';
import { encodeKey } from '../../dataplane/datum/key.ts';
import { RealDisk } from '../../dataplane/disk/real-disk.ts';
import { machineClock } from '../../dataplane/node/clock.ts';
import { Database } from '../../dataplane/database/database.ts';
import { TableScan } from '../../dataplane/shard/scan.ts';
import type { ShardReplica } from '../../dataplane/shard/shard-replica.ts';
import { LmdbStore } from '../../dataplane/storage/lmdb-store.ts';
import { openWal } from '../../dataplane/wal/open-wal.ts';
import { rateOf } from './measure.ts';
import type { Benchmark } from './measure.ts';
import { openLevel, openSqlite } from './peers.ts';
import type { Pair, Peer } from './peers.ts';
import { newTable } from '../../dataplane/metadata/testing/new-table.ts';

/**
 * A table with one secondary index, as the node builds it, without queries and connections, beside
 * two embedded stores with the same two keys for each document.
 */
const { signal } = new AbortController();
const writeMs = Number(process.env['PHOTONDB_BENCH_WRITE_MS'] ?? 12_000);
/** The delay of the event loop needs no full minute. */
const delayMs = Math.min(writeMs, 12_000);
const readMs = 1_500;
const writers = 64;
const documents = 100_000;
const keysMax = 10_000_000;
const memtableBytesMax = 64 * 1_048_576;
const cacheBytesMax = 64 * 1_048_576;
const batch = { rows: 1_000, bytes: 1_048_576 };
const filler = 'x'.repeat(200);

const keyOf = (id: number): string => `k${String(id).padStart(9, '0')}`;
const pairOf = (id: number): Pair => {
  const text = `{"filler":"${filler}","id":"${keyOf(id)}","parity":${id % 997}}`;
  return { key: keyOf(id), indexKey: `${id % 997}/${keyOf(id)}`, text };
};

async function openDatabase(directory: string): Promise<Database> {
  const database = await Database.open({
    clock: machineClock,
    store: new LmdbStore({ clock: machineClock, directory: join(directory, 'store') }),
    openLog: (replay) =>
      openWal({
        ...replay,
        disk: new RealDisk(),
        directory: join(directory, 'wal'),
        clock: machineClock,
        random: () => Math.random(),
      }),
    documents: { problemOf: documentProblem },
    edits: createEditEngine(),
    compileIndex: () => (text) => [
      encodeUtf8(String((JSON.parse(text) as { parity: number }).parity)),
    ],
    memtableBytesMax,
    cacheBytesMax,
    onProgress: () => undefined,
    signal,
  });
  await database.change({ type: 'createDatabase', id: 'd', name: 'd' });
  return database;
}

async function makeTable(database: Database): Promise<ShardReplica> {
  await database.change({ type: 'createTable', table: newTable('t') });
  const index = { name: 'parity', multi: false, geo: false, definition: '' };
  await database.change({ type: 'createIndex', tableId: 't', index });
  const group = database.table('t')?.shards[0];
  if (group === undefined) throw new Error('the table is gone');
  return group;
}

interface Measured extends Omit<Peer, 'get'> {
  /** The JSON text, or a row that has it. */
  get(key: string): ReturnType<ShardReplica['get']> | string | undefined;
  /** Resolves when everything acknowledged is in the store and flushed. */
  settled(): Promise<void>;
}

async function openOurs(directory: string): Promise<Measured> {
  const database = await openDatabase(directory);
  const group = await makeTable(database);
  return {
    name: 'PhotonDB',
    async write({ key, text }) {
      await group.edit(
        batchOf([{ key: encodeKey(key), change: { type: 'replace', by: { text } } }]),
        signal,
      );
    },
    get: (key) => group.get(encodeKey(key)),
    async scan() {
      const source = new TableScan(group, {}, 'ascending');
      let count = 0;
      for (;;) {
        const rows = await source.next(batch, signal);
        if (rows === undefined) return count;
        count += rows.length;
      }
    },
    settled: () => database.settled(),
    close: () => database.stop(),
  };
}

/** Documents a second by so many writers of random keys, until everything is in its place. */
async function writeRate(subject: Measured, seed: number, ms: number): Promise<number> {
  const prng = new Prng(seed);
  const started = performance.now();
  let count = 0;
  await Promise.all(
    Array.from({ length: writers }, async () => {
      while (performance.now() - started < ms) {
        await subject.write(pairOf(prng.below(keysMax)));
        count += 1;
      }
    }),
  );
  await subject.settled();
  return (count * 1_000) / (performance.now() - started);
}

async function fill(subject: Measured): Promise<void> {
  for (let from = 0; from < documents; from += 1_000) {
    await Promise.all(Array.from({ length: 1_000 }, (_, at) => subject.write(pairOf(from + at))));
  }
  await subject.settled();
}

const asMeasured = (peer: Peer): Measured => ({ ...peer, settled: () => Promise.resolve() });

async function openAll(directory: string): Promise<Measured[]> {
  return [
    asMeasured(openSqlite(directory)),
    asMeasured(await openLevel(directory)),
    await openOurs(directory),
  ];
}

/** The 99th percentile of how late the event loop was, in ms, while the subject wrote at its full rate. */
async function loopDelayMs(subject: Measured, seed: number): Promise<number> {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  await writeRate(subject, seed, delayMs);
  delays.disable();
  return delays.percentile(99) / 1e6;
}

async function withSubjects(use: (subjects: readonly Measured[]) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'photondb-bench-'));
  const subjects = await openAll(directory);
  try {
    await use(subjects);
  } finally {
    for (const subject of subjects) await subject.close();
    await rm(directory, { recursive: true, force: true });
  }
}

export const benchmark: Benchmark = {
  about: `A table with one secondary index over the log and LMDB, documents of about 240 bytes, ${writers} writers of random keys; beside two embedded stores.`,

  async run(compare) {
    let seed = 0;
    await withSubjects(async (subjects) => {
      await compare({
        about: 'Durable writes',
        unit: '/s',
        subjects: subjects.map((each) => ({
          name: each.name,
          run: () => writeRate(each, (seed += 1), writeMs),
        })),
      });
      await compare({
        about: 'Delay of the event loop while writing, 99th percentile',
        unit: 'ms',
        subjects: subjects.map((each) => ({
          name: each.name,
          run: () => loopDelayMs(each, (seed += 1)),
        })),
      });
    });
    await withSubjects(async (subjects) => {
      for (const subject of subjects) await fill(subject);
      await compare({
        about: 'Point reads as JSON text',
        unit: '/s',
        subjects: subjects.map((each) => ({
          name: each.name,
          run: () =>
            rateOf(readMs, async (count) => {
              for (let at = 0; at < 100; at += 1) {
                const found = each.get(keyOf(((count * 100 + at) * 7_919) % documents));
                if ((found instanceof Promise ? await found : found) === undefined)
                  throw new Error('a document is missing');
              }
            }).then((rate) => rate * 100),
        })),
      });
      await compare({
        about: `Scans of ${documents.toLocaleString('en')} documents as JSON text`,
        unit: 'documents/s',
        subjects: subjects.map((each) => ({
          name: each.name,
          run: () =>
            rateOf(readMs, async () => {
              if ((await each.scan()) !== documents) throw new Error('a document is missing');
            }).then((rate) => rate * documents),
        })),
      });
    });
  },
};
