import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect } from 'chai';
import r from 'rethinkdb';
import type { Connection, Operation } from 'rethinkdb';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';
import { sayOfPassword } from '../drivers/wrong-password.ts';

const execute = promisify(execFile);

const connect = (served: Served, password = ''): Promise<Connection> =>
  r.connect({ host: served.host, port: served.driverPort, user: 'admin', password });

/** A query that takes its time; the types of the driver do not know `range`. */
const counting = (numbers: number): Operation<number> =>
  (r as unknown as { range(end: number): { count(): Operation<number> } }).range(numbers).count();

const pollMs = 20;
const polledMax = 1_000;

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let count = 0; count < polledMax; count += 1) {
    if (await isSo()) return;
    await sleep(pollMs);
  }
  throw new Error('it did not come to be');
}

const said = (served: Served, text: string): Promise<void> =>
  until(async () => served.log().includes(text));

const metricsOf = async ({ httpUrl }: Served): Promise<string> =>
  (await fetch(`http://${httpUrl}/_metrics`)).text();

interface Refused {
  readonly code: number;
  readonly stderr: string;
}

/** Starts a node that must not come up, and answers how it ended. */
async function refused(flags: readonly string[]): Promise<Refused> {
  const ports = ['driver', 'cluster', 'http', 'web', 'admin'].flatMap((name) => [
    `--${name}-port`,
    '0',
  ]);
  const args = ['dataplane/node/main.ts', ...ports, ...flags];
  try {
    await execute(process.execPath, args, { timeout: 15_000 });
  } catch (error) {
    return error as Refused;
  }
  throw new Error('the node came up');
}

describe('a node', function node() {
  this.timeout(60_000);
  let directory: string;

  beforeEach(() => {
    directory = temporaryDirectory();
  });

  afterEach(() => removeDirectory(directory));

  it('stops cleanly at SIGTERM, and finds everything again', async () => {
    const served = await serve(directory);
    const connection = await connect(served);
    await r.db('test').tableCreate('t').run(connection);
    await r.table('t').insert({ id: 'one' }, { durability: 'soft' }).run(connection);
    expect(await end(served)).to.equal(0);
    const again = await serve(directory);
    const document = await r
      .table('t')
      .get('one')
      .run(await connect(again));
    expect(document).to.deep.equal({ id: 'one' });
    await end(again);
  });

  it('lets in only who knows the password', async () => {
    const file = join(directory, 'password');
    writeFileSync(file, 'correct horse\n');
    const served = await serve(join(directory, 'data'), ['--admin-password-file', file]);
    const outcome = await sayOfPassword(served.host, served.driverPort, 'wrong');
    expect(outcome).to.contain('Wrong password');
    const connection = await connect(served, 'correct horse');
    expect(await r.expr(1).add(1).run(connection)).to.equal(2);
    const page = await fetch(`http://${served.webUrl}/_admin`);
    expect(page.status).to.equal(401);
    const authorization = `Basic ${Buffer.from('admin:correct horse').toString('base64')}`;
    const status = await fetch(`http://${served.webUrl}/api/v1/status`, {
      headers: { authorization },
    });
    expect(await status.json()).to.have.property('tables');
    await end(served);
  });

  it('follows the password of a mounted Secret while it runs, and keeps it over a restart', async () => {
    // As the kubelet does it: a link to a directory of one generation is replaced by a rename.
    const volume = join(directory, 'secret');
    const mount = (generation: string, password: string): void => {
      mkdirSync(join(volume, generation), { recursive: true });
      writeFileSync(join(volume, generation, 'password'), password);
      symlinkSync(generation, join(volume, '..next'));
      renameSync(join(volume, '..next'), join(volume, '..data'));
    };
    mount('..1', 'former');
    symlinkSync('..data/password', join(volume, 'password'));
    const flags = ['--admin-password-file', join(volume, 'password')];
    const served = await serve(join(directory, 'data'), flags);
    const before = await connect(served, 'former');
    mount('..2', 'next');
    await said(served, 'the password of the admin was changed');
    expect(await r.expr(1).add(1).run(before)).to.equal(2);
    expect(await sayOfPassword(served.host, served.driverPort, 'former')).to.contain(
      'Wrong password',
    );
    const statusFor = async (password: string): Promise<number> => {
      const authorization = `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;
      const url = `http://${served.webUrl}/api/v1/status`;
      return (await fetch(url, { headers: { authorization } })).status;
    };
    expect([await statusFor('former'), await statusFor('next')]).to.deep.equal([401, 200]);
    await (await connect(served, 'next')).close();
    // It was made durable when it was changed: a kill forgets nothing of it.
    await end(served, 'SIGKILL');
    const again = await serve(join(directory, 'data'), flags);
    await (await connect(again, 'next')).close();
    expect(again.log()).to.not.contain('next');
    await end(again);
  });

  it('answers on loopback for no host that a page from elsewhere has made up', async () => {
    const served = await serve(directory, ['--web-hosts', 'db.example']);
    const ask = (address: string, host: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const asked = request(`http://${address}/`, { headers: { host } }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        asked.on('error', reject).end();
      });
    for (const address of [served.webUrl, served.httpUrl]) {
      expect(await ask(address, 'evil.example')).to.equal(421);
      expect(await ask(address, 'db.example:80')).to.not.equal(421);
      expect(await ask(address, address)).to.not.equal(421);
    }
    await end(served);
  });

  it('answers those without a name at once, however many they are', async () => {
    const file = join(directory, 'password');
    writeFileSync(file, 'correct horse');
    const served = await serve(join(directory, 'data'), ['--admin-password-file', file]);
    const asked = Array.from({ length: 256 }, () => fetch(`http://${served.webUrl}/_admin`));
    const statuses = new Set((await Promise.all(asked)).map(({ status }) => status));
    expect([...statuses]).to.deep.equal([401]);
    await end(served);
  });

  it('answers --version, -h and --help and does nothing else', async () => {
    const run = async (flag: string): Promise<string> =>
      (await execute(process.execPath, ['dataplane/node/main.ts', '--roles', 'cook', flag])).stdout;
    expect(await run('--version')).to.match(/^PhotonDB \d+\.\d+\.\d+\n$/);
    expect(await run('-h'))
      .to.equal(await run('--help'))
      .and.contain('--data-dir');
  });

  it('tells a person how to connect, and what Ctrl-C does', async () => {
    const served = await serve(directory);
    await said(served, `port: ${served.driverPort}`);
    expect(served.log()).to.contain(`http://${served.webUrl}/_admin`);
    const connection = await connect(served);
    const exit = once(served.process, 'exit');
    // This one is answered after the signal to stop.
    const running = counting(3_000_000).run(connection);
    await until(async () => /photondb_queries_total [1-9]/.test(await metricsOf(served)));
    served.process.kill('SIGINT');
    await said(served, 'Stopping');
    expect(served.log()).to.contain('Ctrl-C once more ends the node at once');
    expect(await running).to.equal(3_000_000);
    expect(await exit).to.deep.equal([0, null]);
  });

  it('ends at once at the second Ctrl-C, whatever is running', async () => {
    const served = await serve(directory);
    const connection = await connect(served);
    const running = counting(1e12).run(connection);
    running.catch(() => undefined);
    await until(async () => (await metricsOf(served)).includes('photondb_queries_running 1'));
    const exit = once(served.process, 'exit');
    // npm hands one press on a second time, at once: that is no second one.
    served.process.kill('SIGINT');
    served.process.kill('SIGINT');
    await said(served, 'Stopping: 1 queries');
    await until(async () => {
      served.process.kill('SIGINT');
      return served.process.exitCode !== null;
    });
    expect(await exit).to.deep.equal([130, null]);
    expect(served.log()).to.contain('Ended at once');
  });

  it('logs who comes and what is asked at the level debug', async () => {
    const served = await serve(directory, ['--log-level', 'debug']);
    const connection = await connect(served);
    await r.expr(1).add(1).run(connection);
    await connection.close();
    await said(served, '"message":"a client disconnected"');
    const messages = served
      .log()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => (JSON.parse(line) as { message: string }).message);
    expect(messages).to.include.members([
      'the configuration',
      'listening',
      'a client connected',
      'a query',
    ]);
    await end(served);
  });

  it('answers health and metrics without a password', async () => {
    const served = await serve(directory);
    for (const path of ['live', 'ready', 'startup']) {
      expect((await fetch(`http://${served.httpUrl}/health/${path}`)).status).to.equal(200);
    }
    const metrics = await (await fetch(`http://${served.httpUrl}/_metrics`)).text();
    expect(metrics).to.contain('photondb_ready 1');
    await end(served);
  });

  it('says in one sentence why it does not start, with an exit code', async () => {
    const served = await serve(directory);
    const used = await refused(['--data-dir', directory]);
    expect(used.code).to.equal(1);
    expect(used.stderr).to.contain('in use by another process');
    await end(served);
    const busy = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => busy.once('listening', resolve));
    const { port } = busy.address() as AddressInfo;
    const taken = await refused(['--data-dir', directory, '--driver-port', String(port)]);
    busy.close();
    expect(taken.code).to.equal(1);
    expect(taken.stderr).to.contain(`The port ${port} for drivers`);
    expect(taken.stderr).to.contain('choose another port with --driver-port');
    const unknown = await refused(['--data-dir', directory, '--colour', 'red']);
    expect([unknown.code, unknown.stderr]).to.deep.equal([
      2,
      'Unknown option "--colour": --help lists all of them.\n',
    ]);
    const open = await refused(['--data-dir', directory, '--bind', '0.0.0.0']);
    expect(open.code).to.equal(2);
    expect(open.stderr).to.contain('needs a password');
  }).timeout(60_000);
});
