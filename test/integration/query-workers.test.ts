import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import driver from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { Client } from '../../dataplane/driver-protocol/testing/port.ts';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';

/** Terms as the driver has them; its types know few of them. */
interface Query {
  (...args: readonly unknown[]): Query;
  readonly [term: string]: Query;
}

const r = driver as unknown as Query;
const term = (start: Query, name: string, ...args: readonly unknown[]): Query =>
  (start[name] as Query)(...args);

async function run<T>(query: Query, on: Connection): Promise<T> {
  const runnable = query as unknown as { run(connection: Connection): Promise<T> };
  const answer = await runnable.run(on);
  const cursor = answer as { toArray?: () => Promise<T> };
  return typeof cursor?.toArray === 'function' ? cursor.toArray() : answer;
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it succeeded');
}

/** The processes that a process has started. */
function childrenOf(pid: number | undefined): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

/** Resolves when the condition holds; the test's own time-out is the bound. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20);
}

/** One query that computes for a long time, and reads nothing. */
const longQuery = (): Query =>
  term(
    term(term(r, 'range', 1e9), 'map', (row: Query) => term(row, 'mul', 2)),
    'sum',
  );

const workerCount = 2;

describe('a node with query workers', function () {
  this.timeout(180_000);
  let directory: string;
  let node: Served;
  const connections: Connection[] = [];

  async function open(on = node): Promise<Connection> {
    const connection = await driver.connect({ host: on.host, port: on.driverPort });
    // Its worker may be killed.
    (connection as unknown as NodeJS.EventEmitter).on('error', () => undefined);
    connections.push(connection);
    return connection;
  }

  const serveWith = async (...flags: readonly string[]): Promise<void> => {
    node = await serve(directory, ['--query-workers', `${workerCount}`, ...flags]);
  };
  const workers = (): number[] => childrenOf(node.process.pid);
  const jobs = (on: Connection): Promise<{ id: unknown; info: { query: string } }[]> =>
    run(term(term(r, 'db', 'rethinkdb'), 'table', 'jobs'), on);

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`http://${node.httpUrl}/_metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  }

  beforeEach(() => {
    directory = temporaryDirectory();
  });

  afterEach(async () => {
    for (const connection of connections.splice(0)) {
      await connection.close({ noreplyWait: false }).catch(() => undefined);
    }
    await end(node, 'SIGKILL');
    removeDirectory(directory);
  });

  it('loses a killed worker and the connections of it, and no write that it acknowledged', async () => {
    await serveWith();
    const first = await open();
    await run(term(r, 'tableCreate', 't'), first);
    const table = term(r, 'table', 't');
    const acknowledged: number[] = [];
    const over = new AbortController();
    let next = 0;
    const lost = new Set<Connection>();
    const write = async (connection: Connection): Promise<void> => {
      while (!over.signal.aborted) {
        const id = (next += 1);
        try {
          await run(term(table, 'insert', { id, text: 'x'.repeat(100) }), connection);
        } catch {
          lost.add(connection);
          return;
        }
        acknowledged.push(id);
      }
    };
    const clients = await Promise.all(Array.from({ length: 12 }, () => open()));
    const writers = clients.map(write);
    for (let round = 0; round < 3; round += 1) {
      const before = acknowledged.length;
      await until(() => acknowledged.length > before + 100);
      const [victim = 0] = workers();
      process.kill(victim, 'SIGKILL');
      await until(() => workers().length === workerCount && !workers().includes(victim));
      // Other clients continue, and new clients are served.
      const kept = clients.filter((client) => !lost.has(client));
      for (const client of kept)
        await run(term(r, 'expr', 1), client).catch(() => lost.add(client));
      const fresh = await open();
      clients.push(fresh);
      writers.push(write(fresh));
    }
    over.abort();
    await Promise.all(writers);
    expect(lost.size).to.be.greaterThan(0);
    const reader = await open();
    const found = new Set(await run<number[]>(term(table, 'getField', 'id'), reader));
    expect(acknowledged.filter((id) => !found.has(id))).to.deep.equal([]);
    expect(await metric('photondb_query_workers_replaced_total')).to.equal(3);
    await until(() => (node.log().match(/a query worker has ended/g) ?? []).length === 3);
    expect(node.log()).to.match(/"lastQueries":\["\[1,/);
    // Log and files agree with it.
    expect(await end(node)).to.equal(0);
    await serveWith();
    const again = await open();
    const count = await run<number>(term(term(r, 'table', 't'), 'count'), again);
    expect(count).to.equal(found.size);
  });

  it('replaces a worker that does not answer, and keeps no new client waiting meanwhile', async () => {
    await serveWith();
    const [victim = 0] = workers();
    process.kill(victim, 'SIGSTOP');
    for (let at = 0; at < 20; at += 1) {
      const connection = await open();
      expect(await run(term(r, 'expr', at), connection)).to.equal(at);
    }
    expect(await (await fetch(`http://${node.httpUrl}/health/ready`)).json()).to.include({
      state: 'Ready',
    });
    await until(() => workers().length === workerCount && !workers().includes(victim));
    expect(node.log()).to.contain('it has not answered for 10 s');
  });

  it('shows what one connection defines to all others at once', async () => {
    await serveWith();
    const clients = await Promise.all(Array.from({ length: 8 }, () => open()));
    for (let at = 0; at < 5; at += 1) {
      const [maker, ...others] = clients as [Connection, ...Connection[]];
      const table = term(r, 'table', `t${at}`);
      await run(term(r, 'tableCreate', `t${at}`), maker);
      await Promise.all(others.map((other) => run(term(table, 'insert', { at }), other)));
      await run(term(table, 'indexCreate', 'at'), maker);
      await run(term(table, 'indexWait'), maker);
      for (const other of others) {
        const found = term(term(table, 'getAll', at, { index: 'at' }), 'count');
        expect(await run(found, other)).to.equal(others.length);
      }
      await run(term(r, 'tableDrop', `t${at}`), maker);
      for (const other of others) {
        expect((await failure(run(table, other))).message).to.contain('does not exist');
      }
      clients.push(clients.shift() as Connection);
    }
  });

  it('lists the queries of all workers, and ends one wherever it runs', async () => {
    await serveWith();
    const clients = await Promise.all(Array.from({ length: 6 }, () => open()));
    const watcher = await open();
    const running = clients.map((client) => failure(run(longQuery(), client)));
    const listed = async (): Promise<unknown[]> =>
      (await jobs(watcher)).filter(({ info }) => info.query.includes('range')).map(({ id }) => id);
    await until(async () => (await listed()).length === clients.length);
    for (const id of await listed()) {
      const job = term(term(term(r, 'db', 'rethinkdb'), 'table', 'jobs'), 'get', id);
      await run(term(job, 'delete'), watcher);
    }
    for (const error of await Promise.all(running)) {
      expect(error.message).to.contain('Query terminated by the `rethinkdb.jobs` table');
    }
    expect(await listed()).to.deep.equal([]);
  });

  it('counts connections over all workers, and gives the places of a killed one back', async () => {
    const connectionsMax = 16;
    await serveWith('--connections-max', `${connectionsMax}`);
    const clients = await Promise.all(Array.from({ length: connectionsMax }, () => open()));
    expect(await greeting(node)).to.contain('Too many connections');
    expect(await metric('photondb_connections')).to.equal(connectionsMax);
    const ended = clients.map((client) => once(client as unknown as NodeJS.EventEmitter, 'close'));
    const [victim = 0] = workers();
    process.kill(victim, 'SIGKILL');
    await Promise.race(ended);
    await until(async () => (await metric('photondb_connections')) < connectionsMax);
    const again = await open();
    expect(await run(term(r, 'expr', 1), again)).to.equal(1);
  });

  it('answers what runs before it stops', async () => {
    await serveWith();
    const clients = await Promise.all(Array.from({ length: 4 }, () => open()));
    const sum = term(
      term(term(r, 'range', 300_000), 'map', (row: Query) => term(row, 'add', 1)),
      'sum',
    );
    const answers = clients.map((client) => run<number>(sum, client));
    const watcher = await open();
    await until(async () => (await jobs(watcher)).length > 1);
    const exit = end(node);
    expect(await Promise.all(answers)).to.deep.equal(answers.map(() => 45_000_150_000));
    expect(await exit).to.equal(0);
  });

  it('leaves no worker behind when it is killed, and starts again at the same port', async () => {
    await serveWith();
    const pids = workers();
    const port = node.driverPort;
    await end(node, 'SIGKILL');
    node = await serve(directory, [`--query-workers=${workerCount}`, `--driver-port=${port}`]);
    expect(node.driverPort).to.equal(port);
    expect(await run(term(r, 'expr', 1), await open())).to.equal(1);
    await until(() => pids.every((pid) => !isAlive(pid)));
  });

  it('says that another process listens at the port', async () => {
    await serveWith();
    const other = temporaryDirectory();
    try {
      const flags = ['--query-workers', '1', '--driver-port', `${node.driverPort}`];
      const error = await failure(serve(other, flags));
      expect(error.message).to.contain('another process listens there');
    } finally {
      removeDirectory(other);
    }
  });

  it('counts guesses of passwords over all workers', async () => {
    const file = `${directory}.password`;
    writeFileSync(file, 'correct horse');
    try {
      await serveWith('--admin-password-file', file);
      const guess = async (): Promise<string> => {
        const client = new Client(dial(node.driverPort, node.host));
        client.key('wrong');
        return client.text();
      };
      const said: string[] = [];
      // A refusal lasts for a second at first, and doubles.
      while (said.length < 12 && !said.at(-1)?.includes('Too many failed logins')) {
        said.push(await guess());
      }
      expect(said.at(-1)).to.contain('Too many failed logins');
      const first = said.slice(0, 6);
      expect(first.every((text) => text.includes('Incorrect authorization key'))).to.equal(true);
    } finally {
      rmSync(file);
    }
  });

  it('survives clients that send nothing, garbage, or half a query', async () => {
    await serveWith();
    for (const bytes of ['', 'GET / HTTP/1.1\r\n\r\n', '\0'.repeat(100)]) {
      const socket = dial(node.driverPort, node.host);
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.end(bytes);
      await once(socket.resume(), 'close');
    }
    expect(await run(term(r, 'expr', 1), await open())).to.equal(1);
    expect(workers()).to.have.length(workerCount);
  });
});

/** What the node says to a client that has said nothing. */
async function greeting({ host, driverPort }: Served): Promise<string> {
  const socket = dial(driverPort, host);
  let text = '';
  socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
  await once(socket, 'close');
  return text;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
