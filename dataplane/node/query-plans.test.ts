import { expect } from 'chai';
import * as fc from 'fast-check';
import { createQueryEngine } from '../query/create-engine.ts';
import { createEditEngine } from '../query/edit-engine.ts';
import { compileIndex } from '../query/index-function.ts';
import { Term } from '../query/term-table.ts';
import { differential, table } from '../query/testing/differential.ts';
import type { Load } from '../query/testing/differential.ts';
import { MemoryEnvironment } from '../query/testing/memory-environment.ts';
import { data, indexTerms } from '../query/testing/index-term.ts';
import { wholeAnswer } from '../query/testing/run.ts';
import type { Database } from '../database/database.ts';
import { newFixture, open, signal } from '../database/testing/fixture.ts';
import type { NodeEnvironment } from '../query/environment.ts';
import { remoteTable } from '../wire/remote-table.ts';
import { answerTableRequest } from '../wire/table-service.ts';
import { createEnvironment } from './environment.ts';
import { machineClock } from './clock.ts';
import { machineChance } from './chance.ts';

interface Way {
  readonly shards: number;
  /** Whether each call of a table crosses as bytes. */
  readonly isBehindLink: boolean;
}

function behindLink(environment: NodeEnvironment): NodeEnvironment {
  const to = { table: 't', shard: 0, epoch: 1 };
  return {
    ...environment,
    table: (id) => {
      const inner = environment.table(id);
      if (inner === undefined) return undefined;
      const service = { shard: () => inner, believesChecks: false };
      const link = {
        request: (bytes: Uint8Array, asked: AbortSignal) =>
          answerTableRequest(bytes.slice(), service, asked),
      };
      return remoteTable(to, link, signal);
    },
  };
}

/** One table whose documents are replaced again and again, with its indexes kept up to date. */
async function loading(database: Database, { shards, isBehindLink }: Way): Promise<Load> {
  const { server, report } = new MemoryEnvironment();
  const disk = { refusal: () => undefined };
  const environment = createEnvironment({
    database,
    disk,
    clock: machineClock,
    chance: machineChance,
    server,
    report,
  });
  const engine = createQueryEngine(isBehindLink ? behindLink(environment) : environment);
  const session = { user: 'admin', signal };
  const run = async (term: unknown): Promise<unknown> =>
    wholeAnswer(await engine.run(term, {}, session), signal);
  await run([Term.DB_CREATE, ['test']]);
  await run([Term.TABLE_CREATE, ['t'], { shards }]);
  for (const term of indexTerms(table)) await run(term);
  await run([Term.INDEX_WAIT, [table]]);
  return async (rows) => {
    const odd = [Term.FILTER, [table, { n: 1 }]];
    await run([Term.DELETE, [odd]]);
    await run([Term.INSERT, [table, data(rows)], { conflict: 'replace', durability: 'soft' }]);
    const kept = [Term.GET_ALL, [table, ...rows.map(({ id }) => data(id))]];
    await run([Term.DELETE, [[Term.DIFFERENCE, [table, [Term.COERCE_TO, [kept, 'array']]]]]]);
    return run;
  };
}

const edits = createEditEngine();

describe('a database', () => {
  // A memtable that is full makes every write wait for the store: fewer rounds take as long.
  for (const [what, shards, memtableBytesMax, numRuns] of [
    ['in its memtable', 1, 1_000_000, 60],
    ['in its store', 1, 1, 10],
    ['in the memtables of four shards', 4, 1_000_000, 60],
    ['in the stores of four shards', 4, 1, 10],
    ['that cross as bytes', 4, 1_000_000, 30],
  ] as const)
    it(`answers what a model answers, of documents ${what}`, async function () {
      this.timeout(60_000);
      const database = await open(newFixture(), { compileIndex, edits, memtableBytesMax });
      try {
        await fc.assert(
          differential(
            await loading(database, { shards, isBehindLink: what === 'that cross as bytes' }),
          ),
          { numRuns },
        );
      } finally {
        await database.stop();
      }
    });

  const keepsOrder = async (shards: number): Promise<void> => {
    const database = await open(newFixture(), { compileIndex, edits });
    try {
      const load = await loading(database, { shards, isBehindLink: false });
      const start = 'x'.repeat(3_000);
      const ends = ['c', 'a', 'b', 'a', '', 'd'];
      const run = await load([
        ...ends.map((end, id) => ({ id, a: `${start}${end}` })),
        { id: 6, a: 'w' },
        { id: 7, a: `${start.slice(0, 2_500)}y` },
      ]);
      const byIndex = { index: 'a' };
      const ids = (rows: unknown): unknown => [Term.BRACKET, [rows, 'id']];
      const ordered = ids([Term.ORDER_BY, [table], byIndex]);
      expect(await run(ordered)).to.deep.equal([6, 4, 1, 3, 2, 0, 5, 7]);
      const down = ids([Term.ORDER_BY, [table], { index: [Term.DESC, ['a']] }]);
      expect(await run(down)).to.deep.equal([7, 5, 0, 2, 3, 1, 4, 6]);
      expect(await run([Term.COUNT, [[Term.DISTINCT, [table], byIndex]]])).to.equal(7);
      expect(await run(ids([Term.MAX, [table], byIndex]))).to.equal(7);
      const some = [Term.BETWEEN, [table, `${start}a`, `${start}c`], byIndex];
      expect(await run(ids(some))).to.deep.equal([1, 3, 2]);
      expect(await run(ids([Term.GET_ALL, [table, `${start}a`], byIndex]))).to.deep.equal([1, 3]);
      expect(await run(ids([Term.LIMIT, [[Term.ORDER_BY, [table], byIndex], 3]]))).to.deep.equal([
        6, 4, 1,
      ]);
    } finally {
      await database.stop();
    }
  };

  for (const shards of [1, 4])
    it(`keeps the order of an index beyond the length of its keys, over ${shards} shards`, () =>
      keepsOrder(shards));
});
