import { expect } from 'chai';
import type { Database } from '../database/database.ts';
import { newFixture, open, signal } from '../database/testing/fixture.ts';
import { encodeKey } from '../datum/key.ts';
import { createQueryEngine } from '../query/create-engine.ts';
import { createEditEngine } from '../query/edit-engine.ts';
import type { NodeEnvironment } from '../query/environment.ts';
import { compileIndex } from '../query/index-function.ts';
import { Term } from '../query/term-table.ts';
import { MemoryEnvironment } from '../query/testing/memory-environment.ts';
import { wholeAnswer } from '../query/testing/run.ts';
import { remoteTable } from '../wire/remote-table.ts';
import type { BatchSource, TableAccess } from '../wire/table-access.ts';
import { describeTableAccess } from '../wire/table-access.compliance.ts';
import type { TableUnderTest } from '../wire/table-access.compliance.ts';
import { answerTableRequest } from '../wire/table-service.ts';
import { machineChance } from './chance.ts';
import { machineClock } from './clock.ts';
import { createEnvironment } from './environment.ts';
import { infoOf } from './served-table.ts';
import { DirectReads } from './workers/direct-reads.ts';
import { directTable } from './workers/direct-table.ts';
import { layoutOf, LocatedTable } from './workers/table-layout.ts';

const table = [Term.TABLE, ['t']];

/** A table with an index over `group`, made by queries. */
async function tableIn(environment: NodeEnvironment, shards: number): Promise<TableAccess> {
  const engine = createQueryEngine(environment);
  const run = async (term: unknown): Promise<unknown> =>
    wholeAnswer(await engine.run(term, {}, { user: 'admin', signal }), signal);
  if (environment.catalog.database('test') === undefined) await run([Term.DB_CREATE, ['test']]);
  await run([Term.TABLE_CREATE, ['t'], { shards }]);
  await run([Term.INDEX_CREATE, [table, 'group']]);
  await run([Term.INDEX_WAIT, [table]]);
  const home = environment.catalog.database('test');
  const info = environment.catalog.table(home?.id ?? '', 't');
  const access = info === undefined ? undefined : environment.table(info.id);
  if (access === undefined) throw new Error('the table was not made');
  return access;
}

const inMemory = async (): Promise<TableUnderTest> => ({
  access: await tableIn(new MemoryEnvironment(), 1),
  keyOf: encodeKey,
  close: () => Promise.resolve(),
});

function environmentOf(database: Database): NodeEnvironment {
  const { server, report } = new MemoryEnvironment();
  return createEnvironment({
    database,
    disk: { refusal: () => undefined },
    clock: machineClock,
    chance: machineChance,
    server,
    report,
  });
}

async function inDatabase(shards: number): Promise<TableUnderTest> {
  const database = await open(newFixture(), { compileIndex, edits: createEditEngine() });
  const access = await tableIn(environmentOf(database), shards);
  return { access, keyOf: encodeKey, close: () => database.stop() };
}

/** As query workers read it: from the store, or by the database. `isSettled`: the store has everything by then. */
async function directly(shards: number, isSettled: boolean): Promise<TableUnderTest> {
  const [fixture, blocks] = [newFixture(), new Map<number, DataView>()];
  const database = await open(fixture, {
    compileIndex,
    edits: createEditEngine(),
    blocks: {
      write: (group, block) => blocks.set(group, new DataView(block.slice().buffer)) !== undefined,
      release: () => undefined,
    },
  });
  const environment = environmentOf(database);
  const remote = await tableIn(environment, shards);
  const [record] = Object.values(database.state.tables);
  if (record === undefined) throw new Error('the table was not made');
  const layout = layoutOf(database, record, infoOf(database, record));
  expect(layout.shards.every(({ version }) => version > 0)).to.equal(true);
  const reads = new DirectReads({
    store: fixture.store,
    blocks: { read: (group) => blocks.get(group) ?? new DataView(new ArrayBuffer(1_024)) },
    isCoreThere: () => true,
  });
  const direct = directTable(remote, new LocatedTable(record.id, layout), reads);
  const close = async (): Promise<void> => {
    const counts = reads.taken();
    await database.stop();
    if (isSettled) expect(counts?.forwarded ?? 0).to.equal(0);
  };
  const access = isSettled ? settling(direct, database) : direct;
  return { access, keyOf: encodeKey, close };
}

/** Reads when the store has what is committed. */
function settling(inner: TableAccess, database: Database): TableAccess {
  const settled = async (): Promise<void> => {
    await database.settled();
    await Promise.resolve();
  };
  const scanned = <T>(source: BatchSource<T>): BatchSource<T> => ({
    next: async (limit, asked) => {
      await settled();
      return source.next(limit, asked);
    },
    close: () => source.close(),
  });
  return {
    ...inner,
    get: async (key, query) => {
      await settled();
      return inner.get(key, query);
    },
    scan: (range, order) => scanned(inner.scan(range, order)),
    scanIndex: (index, range, order, after) => scanned(inner.scanIndex(index, range, order, after)),
  };
}

/** Every call as bytes, and every answer. */
async function behindLink(opened: Promise<TableUnderTest>): Promise<TableUnderTest> {
  const { access: inner, ...rest } = await opened;
  const service = { shard: () => inner, believesChecks: false };
  const link = {
    request: async (bytes: Uint8Array, asked: AbortSignal) =>
      (await answerTableRequest(bytes.slice(), service, asked)).slice(),
  };
  const to = { table: 't', shard: 0, epoch: 1 };
  return { ...rest, access: remoteTable(to, link, signal) };
}

describeTableAccess('in memory', inMemory);
describeTableAccess('of a database', () => inDatabase(1));
describeTableAccess('of four shards', () => inDatabase(4));
describeTableAccess('read directly', () => directly(1, true));
describeTableAccess('of four shards, read directly', () => directly(4, true));
describeTableAccess('read directly where it can be', () => directly(1, false));
describeTableAccess('of four shards, read directly where it can be', () => directly(4, false));
describeTableAccess('in memory, behind a link', () => behindLink(inMemory()));
describeTableAccess('of a database, behind a link', () => behindLink(inDatabase(1)));
describeTableAccess('of four shards, behind a link', () => behindLink(inDatabase(4)));
