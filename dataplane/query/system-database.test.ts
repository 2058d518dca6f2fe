import { expect } from 'chai';
import { Bench } from './testing/run.ts';

const system = (name: string, options = {}): unknown => [15, [[14, ['rethinkdb']], name], options];

describe('the system database', () => {
  const bench = new Bench();
  before(() => bench.table('docs', [{ id: 1 }]));

  it('has the rows that config and status answer', async () => {
    const table = [15, ['docs']];
    expect(await bench.run(system('table_config'))).to.deep.equal([
      await bench.run([174, [table]]),
    ]);
    expect(await bench.run(system('table_status'))).to.deep.equal([
      await bench.run([175, [table]]),
    ]);
    expect(await bench.run([170, [system('db_config'), 'name']])).to.deep.equal(['test']);
    expect(await bench.run([170, [system('server_config'), 'name']])).to.deep.equal(['here']);
  });

  it('names databases by their ids when it is asked to', async () => {
    const config = system('table_config', { identifier_format: 'uuid' });
    expect(await bench.run([170, [config, 'db']])).to.deep.equal(['d-test']);
  });

  it('is read-only', async () => {
    const failures: readonly (readonly [unknown, string])[] = [
      [[54, [system('db_config')]], "It's illegal to write to the `rethinkdb.db_config` table."],
      [[58, ['rethinkdb']], "Database `rethinkdb` is special; you can't delete it."],
      [[57, ['rethinkdb']], 'Database `rethinkdb` already exists.'],
      [
        [60, [[14, ['rethinkdb']], 'x']],
        "Database `rethinkdb` is special; you can't create new tables in it.",
      ],
      [
        [75, [system('db_config'), 'x']],
        "Database `rethinkdb` is special; you can't create indexes in it.",
      ],
    ];
    for (const [term, message] of failures)
      expect((await bench.failure(term)).slice(0, 2)).to.deep.equal([4_100_000, message]);
  });

  it('says which tables it does not have', async () => {
    const [, message] = await bench.failure(system('jobs'));
    expect(message).to.equal(
      'The table `rethinkdb.jobs` is not implemented in this version of PhotonDB.',
    );
  });
});
