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
import type { TableAccess } from '../wire/table-access.ts';
import { describeTableAccess } from '../wire/table-access.compliance.ts';
import type { TableUnderTest } from '../wire/table-access.compliance.ts';
import { answerTableRequest } from '../wire/table-service.ts';
import { machineChance } from './chance.ts';
import { machineClock } from './clock.ts';
import { createEnvironment } from './environment.ts';

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

async function inDatabase(shards: number): Promise<TableUnderTest> {
  const database = await open(newFixture(), { compileIndex, edits: createEditEngine() });
  const { server, report } = new MemoryEnvironment();
  const environment = createEnvironment({
    database,
    disk: { refusal: () => undefined },
    clock: machineClock,
    chance: machineChance,
    server,
    report,
  });
  const access = await tableIn(environment, shards);
  return { access, keyOf: encodeKey, close: () => database.stop() };
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
describeTableAccess('in memory, behind a link', () => behindLink(inMemory()));
describeTableAccess('of a database, behind a link', () => behindLink(inDatabase(1)));
describeTableAccess('of four shards, behind a link', () => behindLink(inDatabase(4)));
