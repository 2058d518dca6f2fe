import { expect } from 'chai';
import { array, Bench, fn } from './testing/run.ts';

const system = (name: string, options = {}): unknown => [15, [[14, ['rethinkdb']], name], options];
const field = (value: unknown, name: string): unknown => [170, [value, name]];
const docs = [15, ['docs']];
const config = [174, [docs]];
const update = (target: unknown, change: unknown): unknown => [53, [target, change]];

describe('the system database', () => {
  let bench = new Bench();
  beforeEach(async () => {
    bench = new Bench();
    await bench.table('docs', [{ id: 1 }]);
  });
  const run = (term: unknown): Promise<unknown> => bench.run(term);
  /** What became of a write. */
  const outcome = async (term: unknown): Promise<Record<string, unknown>> =>
    (await run(term)) as Record<string, unknown>;
  const failed = async (term: unknown): Promise<unknown> => {
    const result = await outcome(term);
    expect(result['errors'], JSON.stringify(result)).to.equal(1);
    return result['first_error'];
  };
  const refused = async (term: unknown): Promise<[number, string]> => {
    const [type, message] = await bench.failure(term);
    return [type, message];
  };

  it('has the tables of RethinkDB, and hides one', async () => {
    expect(await run([62, [[14, ['rethinkdb']]]])).to.deep.equal([
      'cluster_config',
      'current_issues',
      'db_config',
      'jobs',
      'logs',
      'permissions',
      'server_config',
      'server_status',
      'stats',
      'table_config',
      'table_status',
      'users',
    ]);
    expect(await refused(system('_debug_x'))).to.deep.equal([
      4_100_000,
      'Table `rethinkdb._debug_x` does not exist.',
    ]);
  });

  it('has the rows that config and status answer', async () => {
    expect(await run(system('table_config'))).to.deep.equal([await run(config)]);
    expect(await run(system('table_status'))).to.deep.equal([await run([175, [docs]])]);
    expect(await run(system('db_config'))).to.deep.equal([await run([174, [[14, ['test']]]])]);
    expect(await run([52, [config]])).to.equal('SELECTION<OBJECT>');
  });

  it('names databases and servers by their ids when it is asked to', async () => {
    const uuids = system('table_config', { identifier_format: 'uuid' });
    expect(await run(field(uuids, 'db'))).to.deep.equal(['d-test']);
    expect(
      await run(field([45, [field([45, [uuids, 0]], 'shards'), 0]], 'primary_replica')),
    ).to.equal(bench.environment.server.id);
  });

  describe('the configuration of a table', () => {
    it('changes names, durability, acknowledgements, shards and TTL', async () => {
      const result = await outcome([
        53,
        [config, { name: 'papers', durability: 'soft', write_acks: 'single', expire_at: 'ends' }],
        { return_changes: true },
      ]);
      expect(result).to.include({ replaced: 1, errors: 0 });
      const papers = [174, [[15, ['papers']]]];
      expect(await run(papers)).to.deep.include({
        name: 'papers',
        durability: 'soft',
        write_acks: 'single',
        expire_at: 'ends',
      });
      expect(await run([43, [[15, ['papers']]]])).to.equal(1);
      expect((await refused(docs))[1]).to.equal('Table `test.docs` does not exist.');
      const shard = {
        primary_replica: 'here',
        replicas: array('here'),
        nonvoting_replicas: array(),
      };
      await run(update(papers, { shards: array(shard, shard) }));
      expect(await run([43, [field(papers, 'shards')]])).to.equal(2);
      expect(await run([43, [field([175, [[15, ['papers']]]], 'shards')]])).to.equal(2);
      await run([55, [papers, fn((row) => [34, [row, 'expire_at']])]]);
      expect(await run([32, [papers, 'expire_at']])).to.equal(false);
    });

    it('moves a table to another database', async () => {
      await run([57, ['other']]);
      expect(await outcome(update(config, { db: 'other' }))).to.include({ replaced: 1 });
      expect(await run([62, [[14, ['other']]]])).to.deep.equal(['docs']);
    });

    it('is unchanged by what says the same', async () => {
      expect(await outcome(update(config, { durability: 'hard' }))).to.include({ unchanged: 1 });
    });

    it('refuses the rest with the reason', async () => {
      const wrong =
        "The change you're trying to make to `rethinkdb.table_config` has the wrong format. ";
      const shard = { primary_replica: 'here', replicas: array('here') };
      const shards = (change: object): object => ({ shards: array({ ...shard, ...change }) });
      const cases: readonly (readonly [unknown, string])[] = [
        [
          { name: 'a b' },
          `${wrong}In \`name\`: "a b" is not a valid table name; Use A-Z, a-z, 0-9, _ and - only`,
        ],
        [{ name: 5 }, `${wrong}In \`name\`: Expected a table name; got 5`],
        [{ db: 'none' }, `${wrong}Database \`none\` does not exist.`],
        [
          { durability: 'firm' },
          `${wrong}In \`durability\`: Expected "soft" or "hard", got: "firm"`,
        ],
        [
          { write_acks: 'all' },
          `${wrong}In \`write_acks\`: Expected "single" or "majority", got: "all"`,
        ],
        [
          { indexes: array('a') },
          `${wrong}The \`indexes\` field is read-only and can't be used to create or drop indexes.`,
        ],
        [{ indexes: 5 }, `${wrong}In \`indexes\`: Expected an array, got 5`],
        [
          { write_hook: { a: 1 } },
          `${wrong}The \`write_hook\` field is read-only and can't be used to create or drop a write hook function.`,
        ],
        [{ more: 1, extra: 2 }, `${wrong}Unexpected key(s): extra more`],
        [{ primary_key: 'key' }, "It's illegal to change a table's primary key"],
        [{ shards: array() }, `${wrong}In \`shards\`: You must specify at least one shard.`],
        [{ shards: 1 }, `${wrong}In \`shards\`: Expected an array, got 1`],
        [
          shards({ replicas: array() }),
          `${wrong}In \`shards\`: You must specify at least one replica for each shard.`,
        ],
        [
          shards({ replicas: array('here', 'here') }),
          `${wrong}In \`shards\`: In \`replicas\`: Server \`here\` is listed more than once.`,
        ],
        [
          shards({ replicas: array('there') }),
          `${wrong}In \`shards\`: In \`replicas\`: Server \`there\` does not exist or is not connected.`,
        ],
        [
          shards({ primary_replica: 'there' }),
          `${wrong}In \`shards\`: In \`primary_replica\`: Server \`there\` does not exist or is not connected.`,
        ],
        [
          shards({ nonvoting_replicas: array('here') }),
          `${wrong}In \`shards\`: The primary replica (\`here\`) must not be a nonvoting replica.`,
        ],
        [shards({ more: 1 }), `${wrong}In \`shards\`: Unexpected key(s): more`],
        [{ expire_at: 5 }, `${wrong}In \`expire_at\`: Expected a string; got 5`],
      ];
      for (const [change, message] of cases)
        expect(await failed(update(config, change))).to.equal(message);
      const without = (name: string): unknown => [55, [config, fn((row) => [34, [row, name]])]];
      for (const name of [
        'name',
        'db',
        'indexes',
        'primary_key',
        'shards',
        'durability',
        'write_hook',
      ])
        expect(await failed(without(name))).to.equal(`${wrong}Expected a field named \`${name}\`.`);
      expect(await run(config)).to.include({ name: 'docs', durability: 'hard' });
    });

    it('creates and drops tables', async () => {
      const created = await outcome([56, [system('table_config'), { name: 'fresh', db: 'test' }]]);
      expect(created).to.include({ inserted: 1 });
      expect(await run([174, [[15, ['fresh']]]])).to.include({ primary_key: 'id' });
      expect(
        await failed([56, [system('table_config'), { name: 'x', db: 'test', id: 'own' }]]),
      ).to.contain('you must let the database generate the primary key automatically');
      expect(
        await failed([
          56,
          [system('table_config'), { name: 'y', db: 'test', indexes: array('a') }],
        ]),
      ).to.contain("can't be used to create indexes.");
      const dropped = await outcome([54, [[39, [system('table_config'), { name: 'fresh' }]]]]);
      expect(dropped).to.include({ deleted: 1 });
      expect(await run([62, []])).to.deep.equal(['docs']);
    });
  });

  describe('the configuration of databases', () => {
    const test = [174, [[14, ['test']]]];

    it('renames one with its tables', async () => {
      expect(await outcome(update(test, { name: 'prod' }))).to.include({ replaced: 1 });
      expect(await run([59, []])).to.deep.equal(['prod', 'rethinkdb']);
      expect(await run([43, [[15, [[14, ['prod']], 'docs']]]])).to.equal(1);
      expect(await run(field([174, [[15, [[14, ['prod']], 'docs']]]], 'db'))).to.equal('prod');
    });

    it('creates and drops databases', async () => {
      expect(await outcome([56, [system('db_config'), { name: 'made' }]])).to.include({
        inserted: 1,
      });
      expect(await run([62, [[14, ['made']]]])).to.deep.equal([]);
      expect(await outcome([54, [[174, [[14, ['made']]]]]])).to.include({ deleted: 1 });
      expect(await run([59, []])).to.deep.equal(['rethinkdb', 'test']);
    });

    it('refuses the rest with the reason', async () => {
      const wrong =
        "The change you're trying to make to `rethinkdb.db_config` has the wrong format. ";
      expect(await failed(update(test, { name: 'rethinkdb' }))).to.equal(
        'Cannot rename database `test` to `rethinkdb` because database `rethinkdb` already exists.',
      );
      expect(await failed(update(test, { name: '' }))).to.contain(
        `${wrong}In \`name\`: "" is not a valid db name`,
      );
      expect(await failed(update(test, { more: 1 }))).to.equal(`${wrong}Unexpected key(s): more`);
      expect(await failed([56, [system('db_config'), { name: 'x', id: 'own' }]])).to.contain(
        'auto-generated primary key',
      );
      expect(await failed([56, [system('db_config'), { name: 'rethinkdb' }]])).to.equal(
        'Database `rethinkdb` already exists.',
      );
    });
  });

  it('keeps its own database and tables as they are', async () => {
    const special = 'Database `rethinkdb` is special; ';
    const own = system('stats');
    const cases: readonly (readonly [unknown, string])[] = [
      [[58, ['rethinkdb']], `${special}you can't delete it.`],
      [[57, ['rethinkdb']], 'Database `rethinkdb` already exists.'],
      [[60, [[14, ['rethinkdb']], 'x']], `${special}you can't create new tables in it.`],
      [[61, [[14, ['rethinkdb']], 'stats']], `${special}you can't drop tables in it.`],
      [[174, [[14, ['rethinkdb']]]], `${special}you can't configure it.`],
      [[174, [own]], `${special}you can't configure the tables in it.`],
      [[175, [own]], `${special}the system tables in it don't have meaningful status information.`],
      [[176, [own], { shards: 1, replicas: 1 }], `${special}you can't configure the tables in it.`],
      [[179, [own]], `${special}you can't rebalance the tables in it.`],
      [[75, [own, 'x']], `${special}you can't create secondary indexes on the tables in it.`],
      [[76, [own, 'x']], 'Index `x` does not exist on table `rethinkdb.stats`.'],
      [[78, [own, 1], { index: 'x' }], 'Index `x` was not found on table `rethinkdb.stats`.'],
      [[138, [own]], "Artificial tables don't support `sync()`."],
    ];
    for (const [term, message] of cases)
      expect(await refused(term), message).to.deep.equal([4_100_000, message]);
  });

  it('says what the server is, and takes no other answer', async () => {
    const status = [45, [system('server_status'), 0]];
    expect(await run(field(field(status, 'process'), 'version'))).to.match(/^rethinkdb 2\.4\.4 /);
    expect(await run(field(field(status, 'process'), 'cache_size_mb'))).to.equal(2);
    expect(await run(field(status, 'network'))).to.deep.include({
      canonical_addresses: [{ host: '127.0.0.1', port: 29_015 }],
      http_admin_port: 8_080,
      reql_port: 28_015,
    });
    bench.environment.report.webPort = undefined;
    expect(await run(field(field(status, 'network'), 'http_admin_port'))).to.equal(
      '<no http admin>',
    );
    expect(await failed(update(status, { name: 'x' }))).to.equal(
      "It's illegal to write to the `rethinkdb.server_status` table.",
    );
    const server = [45, [system('server_config'), 0]];
    expect(await outcome(update(server, { name: 'here' }))).to.include({ unchanged: 1 });
    expect(await failed(update(server, { name: 'there' }))).to.contain('change its options');
    expect(await failed(update(server, { more: 1 }))).to.contain('Unexpected key(s): more');
    expect(await failed([54, [server]])).to.contain("It's illegal to delete rows from");
    expect(await failed([56, [system('server_config'), { id: 'x' }]])).to.contain(
      "It's illegal to insert new rows",
    );
    expect(await run(system('cluster_config'))).to.deep.equal([
      { id: 'heartbeat', heartbeat_timeout_secs: 10 },
    ]);
  });

  it('has a row for each other node of the cluster, also when it is dead or says nothing', async () => {
    const member = {
      isSelf: false,
      reason: 'does not answer',
      sinceMs: 1_600_000_000_000,
      isConnected: false,
      roles: ['coordinator'],
      version: '1.2.3',
    };
    bench.environment.report.others.push(
      {
        ...member,
        id: 'n2',
        name: 'second',
        status: 'dead',
        cluster: { host: '10.0.0.2', port: 29_015 },
        driver: { host: '10.0.0.2', port: 28_015 },
      },
      { ...member, id: 'n3', name: '', status: 'alive', cluster: undefined, driver: undefined },
      {
        ...member,
        id: 'own',
        name: 'own',
        isSelf: true,
        status: 'alive',
        cluster: undefined,
        driver: undefined,
      },
    );
    const row = (id: string) => [16, [system('server_status'), id]];
    expect(await run([43, [system('server_status')]])).to.equal(3);
    expect(await run(row('n2'))).to.deep.include({
      name: 'second',
      status: 'dead',
      status_reason: 'does not answer',
      roles: ['coordinator'],
      network: {
        canonical_addresses: [{ host: '10.0.0.2', port: 29_015 }],
        cluster_port: 29_015,
        reql_port: 28_015,
      },
    });
    expect(await run(field(field(row('n3'), 'network'), 'canonical_addresses'))).to.deep.equal([]);
    const own = row(bench.environment.server.id);
    expect(await run(field(own, 'status'))).to.equal('alive');
    expect(await run(field(field(own, 'network'), 'connected_to'))).to.deep.equal({
      '': false,
      second: false,
    });
    expect(await failed([54, [row('n2')]])).to.contain("It's illegal to write to");
  });

  it('counts documents and queries', async () => {
    const id = await run(field(config, 'id'));
    const counted = { total: 5, perSecond: 1 };
    bench.environment.report.tables.set(String(id), {
      reads: counted,
      writes: { total: 7, perSecond: 0 },
      dataBytes: 1_000,
      cachedBytes: 10,
    });
    const stats = system('stats');
    const rows = await run(field(stats, 'id'));
    const server = bench.environment.server.id;
    expect(rows).to.have.deep.members([
      ['cluster'],
      ['server', server],
      ['table', id],
      ['table_server', id, server],
    ]);
    expect(await run(field([16, [stats, array('cluster')]], 'query_engine'))).to.deep.equal({
      client_connections: 3,
      clients_active: 1,
      queries_per_sec: 2,
      read_docs_per_sec: 1,
      written_docs_per_sec: 0,
    });
    const own = (await run([16, [stats, array('table_server', id, server)]])) as Record<
      string,
      unknown
    >;
    expect(own).to.deep.include({ db: 'test', table: 'docs', server: 'here' });
    expect(own['query_engine']).to.include({ read_docs_total: 5, written_docs_total: 7 });
    expect(await run([16, [stats, array('table', 'none')]])).to.equal(null);
  });

  it('lists queries and index builds, and ends a query', async () => {
    const { report } = bench.environment;
    report.running.push({
      id: 'q1',
      runningMs: 1_500,
      user: 'admin',
      client: { address: '::1', port: 5 },
      text: 'r.now()',
    });
    expect(await run(system('jobs'))).to.deep.equal([
      {
        duration_sec: 1.5,
        id: ['query', 'q1'],
        info: { client_address: '::1', client_port: 5, query: 'r.now()', user: 'admin' },
        servers: ['here'],
        type: 'query',
      },
    ]);
    expect(await failed(update(system('jobs'), { duration_sec: 1 }))).to.contain(
      'only allows deletions',
    );
    expect(await outcome([54, [[16, [system('jobs'), array('query', 'q1')]]]])).to.include({
      deleted: 1,
    });
    expect(report.cancelled).to.deep.equal(['q1']);
  });

  it('shows the messages of the log and what somebody has to look at', async () => {
    const { report } = bench.environment;
    report.logged.push({ atMs: 1_600_000_001_500, level: 'info', message: 'serving' });
    const [line] = (await run(system('logs'))) as Record<string, unknown>[];
    expect(line).to.deep.include({
      level: 'info',
      message: 'serving',
      server: 'here',
      uptime: 1.5,
    });
    expect(await run(system('current_issues'))).to.deep.equal([]);
    const id = String(await run(field(config, 'id')));
    report.problems.push({ type: 'table_availability', description: 'it is damaged', tableId: id });
    report.problems.push({ type: 'disk_full', description: 'it is full' });
    const issues = (await run(system('current_issues'))) as Record<string, unknown>[];
    expect(issues.map(({ type }) => type)).to.have.members(['table_availability', 'disk_full']);
    expect(issues.find(({ type }) => type === 'table_availability')?.['info']).to.include({
      table: 'docs',
    });
  });

  it('has one user, who may do everything', async () => {
    const users = system('users');
    expect(await run(users)).to.deep.equal([{ id: 'admin', password: false }]);
    expect(await failed([56, [users, { id: 'ann', password: 'x' }]])).to.contain(
      'one user, `admin`',
    );
    expect(await failed([56, [users, { password: 'x' }]])).to.contain(
      'Expected a username as the primary key',
    );
    expect(await failed([54, [users]])).to.equal("The user `admin` can't be deleted.");
    expect(await run([43, [system('permissions')]])).to.equal(2);
    expect(await failed([54, [[16, [system('permissions'), array('admin')]]]])).to.equal(
      "The permissions of the user `admin` can't be modified.",
    );
  });

  it('has a scratch table for the suites of drivers', async () => {
    const scratch = system('_debug_scratch');
    await run([56, [scratch, array({ id: 1, a: 1 }, { id: 'two' })]]);
    await run(update([16, [scratch, 1]], { a: 2 }));
    expect(await run([16, [scratch, 1]])).to.deep.equal({ id: 1, a: 2 });
    expect(await run([54, [scratch]])).to.include({ deleted: 2 });
    expect(await run([43, [scratch]])).to.equal(0);
    await run([68, [[173, [1_001]], fn((id) => [56, [scratch, { id }]])]]);
    expect(await run([43, [scratch]])).to.equal(1_000);
  });

  it('evaluates and makes one write at a time', async () => {
    const scratch = system('_debug_scratch');
    await run([56, [scratch, { id: 1, n: 0 }]]);
    const increment = update(
      [16, [scratch, 1]],
      fn((row) => ({ n: [24, [field(row, 'n'), 1]] })),
    );
    await Promise.all(Array.from({ length: 20 }, () => run(increment)));
    expect(await run(field([16, [scratch, 1]], 'n'))).to.equal(20);
  });

  it('refuses rows that take the key of another one', async () => {
    const scratch = system('_debug_scratch');
    await run([56, [scratch, { id: 1 }]]);
    expect(await failed([55, [[16, [scratch, 1]], { id: 2 }]])).to.contain('cannot be changed');
    expect(await failed([55, [[16, [scratch, 3]], { id: 4 }]])).to.contain('cannot be changed');
  });
});
