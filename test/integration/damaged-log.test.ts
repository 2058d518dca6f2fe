import { batchOf, written } from '../../dataplane/database/testing/edits.ts';
import { randomUUID } from 'node:crypto';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { loadConfig } from '../../dataplane/config/config.ts';
import { documentProblem } from '../../dataplane/datum/document.ts';
import { encodeKey } from '../../dataplane/datum/key.ts';
import { RealDisk } from '../../dataplane/disk/real-disk.ts';
import { machineClock } from '../../dataplane/node/clock.ts';
import { createEditEngine } from '../../dataplane/query/edit-engine.ts';
import { compileIndex } from '../../dataplane/query/index-function.ts';
import type { GroupLog } from '../../dataplane/replication/log.ts';
import { Database } from '../../dataplane/database/database.ts';
import { openDirectory } from '../../dataplane/storage/directory.ts';
import { LmdbStore } from '../../dataplane/storage/lmdb-store.ts';
import { factsOf } from '../../dataplane/wal/damaged-segment.ts';
import { openWal } from '../../dataplane/wal/open-wal.ts';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';
import { machineChance } from '../../dataplane/node/chance.ts';
import { newTable } from '../../dataplane/metadata/testing/new-table.ts';

const segmentBytes = 65_536;
const documentsPerTurn = 400;
const signal = new AbortController().signal;
const filling = 'x'.repeat(300);

const connect = (served: Served): Promise<Connection> =>
  r.connect({ host: served.host, port: served.driverPort, user: 'admin', password: '' });

/** The log of a node that lets go of nothing, so that all segments are there for damage. */
function withoutRelease(log: GroupLog): GroupLog {
  const kept: Partial<GroupLog> = { truncateFront: () => Promise.resolve() };
  return new Proxy(log, {
    get: (target, name) => {
      const own = kept[name as keyof GroupLog] ?? Reflect.get(target, name, target);
      return typeof own === 'function' ? (own.bind(target) as unknown) : own;
    },
  });
}

async function insertInto(database: Database, name: string, first: number): Promise<void> {
  const table = Object.values(database.state.tables).find((each) => each.name === name);
  const group = table === undefined ? undefined : database.table(table.id)?.shards[0];
  if (group === undefined) throw new Error(`no table ${name}`);
  for (let count = first; count < first + documentsPerTurn; count += 1) {
    const id = String(count);
    const document = { filling, id };
    await group.edit(batchOf([{ key: encodeKey(id), change: written(document) }], 'soft'), signal);
  }
  await group.sync();
}

async function createTable(database: Database, name: string): Promise<void> {
  const table = newTable(randomUUID(), { name, databaseId: 'test' });
  await database.change({ type: 'createTable', table });
}

/**
 * The data directory of a node that is not running: tables `well` and `sick` were written in turns, so
 * that the log has segments of one table alone.
 */
async function prepare(path: string): Promise<void> {
  const { 'cluster-name': cluster, 'node-name': node } = loadConfig({
    flags: [],
    environment: {},
    readFile: () => '',
  });
  using opened = openDirectory(path, { cluster, node }, machineChance);
  const directory = opened.path;
  const database = await Database.open({
    clock: machineClock,
    store: new LmdbStore({ clock: machineClock, directory: join(directory, 'store') }),
    openLog: async ({ isFirst: _isFirst, ...replay }) =>
      withoutRelease(
        await openWal({
          ...replay,
          disk: new RealDisk(),
          directory: join(directory, 'wal'),
          segmentBytes,
          clock: machineClock,
          random: Math.random,
        }),
      ),
    documents: { problemOf: documentProblem },
    edits: createEditEngine(),
    compileIndex,
    memtableBytesMax: 16 * 1_048_576,
    cacheBytesMax: 0,
    onProgress: () => undefined,
    signal,
  });
  await database.change({ type: 'createDatabase', id: 'test', name: 'test' });
  for (const table of ['well', 'sick']) await createTable(database, table);
  for (const [turn, table] of ['well', 'sick', 'well'].entries()) {
    await insertInto(database, table, turn * documentsPerTurn);
  }
  await database.stop();
}

interface Segment {
  readonly path: string;
  readonly name: string;
  readonly groups: readonly number[];
}

function finishedSegments(directory: string): Segment[] {
  return readdirSync(join(directory, 'wal')).flatMap((name) => {
    const path = join(directory, 'wal', name);
    const facts = factsOf(readFileSync(path), Number.parseInt(name, 16));
    return facts === undefined ? [] : [{ path, name, groups: [...facts.ranges.keys()] }];
  });
}

function flipBit({ path }: Segment): void {
  const bytes = readFileSync(path);
  const at = 10_000;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
  writeFileSync(path, bytes);
}

/** The segment of the table that was written second, and nothing else. */
function damageSick(directory: string): Segment {
  const alone = finishedSegments(directory).filter(({ groups }) => groups.length === 1);
  const [wellGroup] = alone[0]?.groups ?? [];
  const segment = alone.find(({ groups }) => groups[0] !== wellGroup);
  if (segment === undefined) throw new Error('no segment of one table');
  flipBit(segment);
  return segment;
}

async function refusalOf(query: Promise<unknown>): Promise<string> {
  try {
    await query;
  } catch (error) {
    expect((error as Error).name).to.equal('ReqlOpFailedError');
    return (error as Error).message;
  }
  throw new Error('it was not refused');
}

interface Health {
  readonly state: string;
  readonly message: string;
  readonly data: { readonly damagedTables: readonly { readonly name: string }[] };
}

const healthOf = async (served: Served): Promise<Health> =>
  (await (await fetch(`http://${served.httpUrl}/health`)).json()) as Health;

const damagedMetric = async (served: Served): Promise<string | undefined> =>
  /^photondb_tables_damaged (\d+)$/m.exec(
    await (await fetch(`http://${served.httpUrl}/_metrics`)).text(),
  )?.[1];

async function readyTables(connection: Connection): Promise<readonly string[]> {
  const cursor = await r.db('rethinkdb').table('table_status').run(connection);
  const rows = (await cursor.toArray()) as {
    name: string;
    status: { ready_for_writes: boolean };
  }[];
  return rows.filter(({ status }) => status.ready_for_writes).map(({ name }) => name);
}

describe('a node whose log is damaged', function node() {
  this.timeout(60_000);
  let directory: string;

  beforeEach(async () => {
    directory = temporaryDirectory();
    await prepare(directory);
  });

  afterEach(() => removeDirectory(directory));

  it('serves every table but the damaged one, reports it, and is healthy when that is dropped', async () => {
    const { name } = damageSick(directory);
    for (let start = 0; start < 2; start += 1) {
      const served = await serve(directory);
      const connection = await connect(served);
      const [sick, well] = [r.table('sick'), r.table('well')];
      for (const query of [
        sick.get(String(documentsPerTurn)),
        sick.count(),
        sick.insert({ id: 'new' }),
        sick.get(String(documentsPerTurn)).delete(),
        sick.orderBy('id'),
        sick.indexCreate('filling'),
      ]) {
        const message = await refusalOf(query.run(connection));
        expect(message)
          .to.contain('Table `test.sick` is damaged')
          .and.to.contain(`segment ${name}`);
        expect(message)
          .to.match(/offset \d+ \(position \d+\)/)
          .and.to.contain('from a backup');
      }
      expect(await well.count().run(connection)).to.equal(2 * documentsPerTurn + start);
      await well.insert({ id: `new ${start}` }).run(connection);
      expect(await readyTables(connection)).to.deep.equal(['well']);
      const health = await healthOf(served);
      expect(health.state).to.equal('Degraded');
      expect(health.data.damagedTables.map((table) => table.name)).to.deep.equal(['test.sick']);
      expect((await fetch(`http://${served.httpUrl}/health/ready`)).status).to.equal(200);
      expect(await damagedMetric(served)).to.equal('1');
      await connection.close();
      expect(await end(served)).to.equal(0);
    }
    const served = await serve(directory);
    const connection = await connect(served);
    await r.db('test').tableDrop('sick').run(connection);
    await r.db('test').tableCreate('sick').run(connection);
    await r.table('sick').insert({ id: 1 }).run(connection);
    expect((await healthOf(served)).state).to.equal('Ready');
    expect(await damagedMetric(served)).to.equal('0');
    await connection.close();
    await end(served);
    const asides = readdirSync(join(directory, 'wal')).filter((each) => !each.endsWith('.wal'));
    expect(asides).to.deep.equal([]);
    const again = await serve(directory);
    expect((await healthOf(again)).state).to.equal('Ready');
    const reader = await connect(again);
    expect(await r.table('sick').count().run(reader)).to.equal(1);
    await reader.close();
    await end(again);
  });

  it('does not start when the metadata may be touched, and says where', async () => {
    const [first] = finishedSegments(directory);
    if (first === undefined) throw new Error('no finished segment');
    expect(first.groups).to.include(0);
    flipBit(first);
    const ports = ['driver', 'cluster', 'http', 'web', 'admin'];
    const free = ports.flatMap((name) => [`--${name}-port`, '0']);
    const args = ['dataplane/node/main.ts', '--data-dir', directory, ...free];
    const outcome = await promisify(execFile)(process.execPath, args, { timeout: 20_000 }).catch(
      (error: unknown) => error as { code: number; stderr: string },
    );
    expect(outcome).to.include({ code: 1 });
    expect(outcome.stderr).to.contain(`damaged in segment ${first.name} at offset`);
    expect(outcome.stderr).to.contain('Restore this node from a backup');
  });
});
