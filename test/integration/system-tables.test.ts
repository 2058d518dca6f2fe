import { expect } from 'chai';
import driver from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';

/** Terms as the driver has them; its types know few of them. */
interface Query {
  (...args: readonly unknown[]): Query;
  readonly [term: string]: Query;
}
type Step = readonly [term: string, ...args: readonly unknown[]];

/** `chain(['table', 't'], ['get', 1])` is `r.table('t').get(1)`. */
function chain(...steps: readonly Step[]): Query {
  return from(driver as unknown as Query, ...steps);
}

function from(start: Query, ...steps: readonly Step[]): Query {
  return steps.reduce((query, [term, ...args]) => (query[term] as Query)(...args), start);
}

const polledMax = 1_000;

describe('the system tables of a node', function systemTables() {
  this.timeout(60_000);
  const directory = temporaryDirectory();
  let served: Served | undefined;
  let connection: Connection | undefined;

  const connect = (): Promise<Connection> =>
    driver.connect({ host: served?.host ?? '', port: served?.driverPort ?? 0 });

  async function run<T>(query: Query, on = connection): Promise<T> {
    const runnable = query as unknown as { run(connection: Connection | undefined): Promise<T> };
    const answer = await runnable.run(on);
    const cursor = answer as { toArray?: () => Promise<T> };
    return typeof cursor.toArray === 'function' ? cursor.toArray() : answer;
  }

  const restart = async (signal: NodeJS.Signals): Promise<void> => {
    await connection?.close({ noreplyWait: false });
    if (served !== undefined) await end(served, signal);
    served = await serve(directory);
    connection = await connect();
  };
  const system = (name: string, ...steps: readonly Step[]): Query =>
    chain(['db', 'rethinkdb'], ['table', name], ...steps);
  const table = (name: string, ...steps: readonly Step[]): Query =>
    chain(['table', name], ...steps);

  before(() => restart('SIGTERM'));

  after(async () => {
    await connection?.close();
    if (served !== undefined) await end(served);
    removeDirectory(directory);
  });

  it('keep what was configured when the node is killed', async () => {
    const hook = (_context: Query, _old: Query, next: Query): Query =>
      from(next, ['merge', { seen: true }]);
    const change = { name: 'papers', durability: 'soft', write_acks: 'single' };
    await run(chain(['tableCreate', 'docs']));
    await run(table('docs', ['setWriteHook', hook]));
    await run(table('docs', ['indexCreate', 'a']));
    await run(table('docs', ['config'], ['update', change]));
    await run(chain(['db', 'test'], ['config'], ['update', { name: 'archive' }]));
    connection?.use('archive');
    await run(table('papers', ['insert', { id: 1, a: 2 }, { durability: 'hard' }]));
    const config = await run(table('papers', ['config']));
    await restart('SIGKILL');
    connection?.use('archive');
    expect(await run(table('papers', ['config']))).to.deep.equal(config);
    expect(config).to.include({ db: 'archive', name: 'papers', write_acks: 'single' });
    await run(table('papers', ['indexWait']));
    const found = await run(table('papers', ['getAll', 2, { index: 'a' }]));
    expect(found).to.deep.equal([{ id: 1, a: 2, seen: true }]);
    await run(table('papers', ['insert', { id: 2 }]));
    expect(await run(table('papers', ['get', 2]))).to.deep.equal({ id: 2, seen: true });
  });

  it('say what process it is and where it listens', async () => {
    interface Status {
      readonly process: { readonly argv: readonly string[] };
      readonly network: { readonly http_admin_port: number };
    }
    const { process, network } = await run<Status>(system('server_status', ['nth', 0]));
    expect(process).to.include({ pid: served?.process.pid });
    expect(process.argv).to.include('--data-dir');
    expect(network).to.include({ reql_port: served?.driverPort });
    expect(served?.webUrl).to.match(new RegExp(`:${network.http_admin_port}$`));
  });

  it('count reads and writes of tables', async () => {
    const id = await run<string>(table('papers', ['config'], ['getField', 'id']));
    const server = system('server_config', ['nth', 0], ['getField', 'id']);
    const row = system('stats', ['get', ['table_server', id, server]]);
    const written = row('query_engine')('written_docs_total');
    const before = await run<number>(written);
    await run(table('papers', ['insert', [{ id: 3 }, { id: 4 }]]));
    expect(await run(written)).to.equal(before + 2);
    const bytes = row('storage_engine')('disk')('space_usage')('data_bytes');
    expect(await run<number>(bytes)).to.be.greaterThan(0);
  });

  it('list a query with its client, and end it', async () => {
    const victim = await connect();
    const increment = (n: Query): Query => from(n, ['add', 1]);
    const ended = run(chain(['range', 1e12], ['map', increment], ['count']), victim).then(
      () => 'ended on its own',
      (error: unknown) => (error as { msg: string }).msg,
    );
    const isVictim = (job: Query): Query =>
      from(job('info')('query'), ['match', '^r.range'], ['ne', null]);
    interface Job {
      readonly id: unknown;
      readonly info: { readonly query: string };
    }
    let jobs: readonly Job[] = [];
    for (let attempt = 0; attempt < polledMax && jobs.length === 0; attempt += 1)
      jobs = await run(system('jobs', ['filter', { type: 'query' }], ['filter', isVictim]));
    expect(jobs.length).to.equal(1);
    const [job] = jobs;
    expect(job?.info).to.include({ client_address: '127.0.0.1', user: 'admin' });
    expect(job?.info.query).to.match(/^r\.range\(1000000000000\)\.map\(function\(var_/);
    await run(system('jobs', ['get', job?.id], ['delete']));
    expect(await ended).to.equal('Query terminated by the `rethinkdb.jobs` table.');
    expect(await run(chain(['expr', 1]), victim)).to.equal(1);
    await victim.close();
  });

  it('show the messages of the log, one user, and no issue', async () => {
    const messages = await run<string[]>(system('logs', ['getField', 'message']));
    expect(messages.some((message) => message.startsWith('the data is open'))).to.equal(true);
    expect(await run(system('users'))).to.deep.equal([{ id: 'admin', password: false }]);
    expect(await run(system('current_issues'))).to.deep.equal([]);
  });
});
