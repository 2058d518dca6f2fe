import { expect } from 'chai';
import type { Database } from '../database/database.ts';
import { newFixture, open, signal } from '../database/testing/fixture.ts';
import { Expiry } from '../maintenance/expiry.ts';
import { createQueryEngine } from '../query/create-engine.ts';
import { createEditEngine } from '../query/edit-engine.ts';
import { compileIndex } from '../query/index-function.ts';
import { Term } from '../query/term-table.ts';
import { data } from '../query/testing/index-term.ts';
import { MemoryEnvironment } from '../query/testing/memory-environment.ts';
import { wholeAnswer } from '../query/testing/run.ts';
import { machineChance } from './chance.ts';
import { machineClock } from './clock.ts';
import { createEnvironment } from './environment.ts';

type Run = (term: unknown) => Promise<unknown>;

function runnerOf(database: Database): Run {
  const { server, report } = new MemoryEnvironment();
  const engine = createQueryEngine(
    createEnvironment({
      database,
      disk: { refusal: () => undefined },
      clock: machineClock,
      chance: machineChance,
      server,
      report,
    }),
  );
  return async (term) => wholeAnswer(await engine.run(term, {}, { user: 'admin', signal }), signal);
}

const table = [Term.TABLE, ['t']];
const get = (id: unknown) => [Term.GET, [table, id]];
const field = (of: unknown, name: string) => [Term.BRACKET, [of, name]];
const shardsIn = (of: unknown) => [Term.COUNT, [field(of, 'shards')]];
const rows = Array.from({ length: 40 }, (_, id) => ({ id, v: id % 4 }));

async function refusalOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return (error as Error).message;
  }
  return 'done';
}

describe('queries of a table of four shards', () => {
  let database: Database;
  let run: Run;

  beforeEach(async () => {
    database = await open(newFixture(), { compileIndex, edits: createEditEngine() });
    run = runnerOf(database);
    await run([Term.DB_CREATE, ['test']]);
    await run([Term.TABLE_CREATE, ['t'], { shards: 4 }]);
  });

  afterEach(() => database.stop());

  it('show the shards in its configuration, its status and the system tables', async () => {
    expect(await run(shardsIn([Term.CONFIG, [table]]))).to.equal(4);
    expect(await run(shardsIn([Term.STATUS, [table]]))).to.equal(4);
    expect(
      await run(field(field([Term.STATUS, [table]], 'status'), 'all_replicas_ready')),
    ).to.equal(true);
    const system = (name: string) => [
      Term.NTH,
      [[Term.TABLE, [[Term.DB, ['rethinkdb']], name]], 0],
    ];
    expect(await run(shardsIn(system('table_config')))).to.equal(4);
    expect(await run(shardsIn(system('table_status')))).to.equal(4);
    expect(await run(field([Term.INFO, [table]], 'type'))).to.equal('TABLE');
  });

  it('write, refuse conflicts, pass the hook, sync and delete everything', async () => {
    expect(await run([Term.INSERT, [table, data(rows)]])).to.include({ inserted: 40, errors: 0 });
    const again = data([
      { id: 3, v: 9 },
      { id: 99, v: 9 },
    ]);
    expect(await run([Term.INSERT, [table, again]])).to.include({ inserted: 1, errors: 1 });
    const updates = { conflict: 'update', durability: 'soft' };
    expect(await run([Term.INSERT, [table, again], updates])).to.include({
      replaced: 1,
      unchanged: 1,
    });
    expect(await run([Term.SYNC, [table]])).to.deep.equal({ synced: 1 });
    const merged = [Term.MERGE, [[Term.VAR, [3]], { hooked: true }]];
    const hook = [
      Term.FUNC,
      [
        [Term.MAKE_ARRAY, [1, 2, 3]],
        [Term.BRANCH, [[Term.EQ, [[Term.VAR, [3]], null]], null, merged]],
      ],
    ];
    await run([Term.SET_WRITE_HOOK, [table, hook]]);
    expect(await run([Term.UPDATE, [table, { n: 1 }]])).to.include({ replaced: 41, errors: 0 });
    const hooked = [Term.FILTER, [table, { hooked: true, n: 1 }]];
    expect(await run([Term.COUNT, [hooked]])).to.equal(41);
    expect(await run([Term.COUNT, [table]])).to.equal(41);
    expect(await run([Term.DELETE, [table]])).to.include({ deleted: 41, errors: 0 });
    expect(await run([Term.COUNT, [table]])).to.equal(0);
  });

  it('wait for an index until all its parts are built, and read it in order', async () => {
    await run([Term.INSERT, [table, data(rows)]]);
    await run([Term.INDEX_CREATE, [table, 'v']]);
    await run([Term.INDEX_WAIT, [table]]);
    const status = [Term.NTH, [[Term.INDEX_STATUS, [table]], 0]];
    expect(await run(field(status, 'ready'))).to.equal(true);
    const byIndex = { index: 'v' };
    const ids = (of: unknown) => [Term.BRACKET, [of, 'id']];
    const values = (of: unknown) => [Term.BRACKET, [of, 'v']];
    const sorted = rows.map(({ v }) => v).sort((a, b) => a - b);
    expect(await run(values([Term.ORDER_BY, [table], byIndex]))).to.deep.equal(sorted);
    const down = [Term.ORDER_BY, [table], { index: [Term.DESC, ['v']] }];
    expect(await run(values(down))).to.deep.equal([...sorted].reverse());
    expect(await run(values([Term.LIMIT, [down, 3]]))).to.deep.equal([3, 3, 3]);
    expect(await run([Term.COUNT, [[Term.GET_ALL, [table, 2], byIndex]]])).to.equal(10);
    expect(await run([Term.COUNT, [[Term.BETWEEN, [table, 1, 3], byIndex]]])).to.equal(20);
    const up = [Term.ORDER_BY, [table], { index: 'id' }];
    expect(await run(ids(up))).to.deep.equal(rows.map(({ id }) => id));
    expect(await run(ids([Term.ORDER_BY, [[Term.GET_ALL, [table, 5, 1, 9]], 'id']]))).to.deep.equal(
      [1, 5, 9],
    );
  });

  it('remove documents whose time is over, whichever shard has them', async () => {
    await run([Term.RECONFIGURE, [table], { expire_at: 'ends' }]);
    const ended = rows.map(({ id }) => ({ id, ends: [Term.EPOCH_TIME, [id < 30 ? 1 : 4e9]] }));
    await run([Term.INSERT, [table, [Term.MAKE_ARRAY, ended]]]);
    const expiry = new Expiry({
      tables: () => database.expiringTables(),
      isRefused: () => false,
      clock: machineClock,
      delayed: (_name, error) => {
        throw error;
      },
    });
    const isReady = (): boolean => database.expiringTables().length === 4;
    while (!isReady() || (await run([Term.COUNT, [table]])) !== 10) {
      await database.settled();
      await expiry.look(signal);
    }
    expect(await run(get(31))).to.not.equal(null);
    expect(await run(get(2))).to.equal(null);
  });

  it('change the number of shards while there are no documents, and are refused then', async () => {
    const reconfigure = (shards: number) => [Term.RECONFIGURE, [table], { shards, replicas: 1 }];
    expect(await run(field(reconfigure(2), 'reconfigured'))).to.equal(1);
    expect(await run(shardsIn([Term.CONFIG, [table]]))).to.equal(2);
    await run([Term.INSERT, [table, data(rows)]]);
    expect(await run(field(reconfigure(2), 'reconfigured'))).to.equal(1);
    expect(await refusalOf(run(reconfigure(4)))).to.contain(
      'Table `test.t` has 2 shards, and this version cannot move its documents into 4',
    );
    expect(await run([Term.COUNT, [table]])).to.equal(40);
    expect(await run(shardsIn([Term.CONFIG, [table]]))).to.equal(2);
  });
});
