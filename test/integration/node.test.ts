import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';
import { sayOfPassword } from '../drivers/wrong-password.ts';

const execute = promisify(execFile);

const connect = (served: Served, password = ''): Promise<Connection> =>
  r.connect({ host: served.host, port: served.driverPort, user: 'admin', password });

interface Refused {
  readonly code: number;
  readonly stderr: string;
}

/** Starts a node that must not come up, and answers how it ended. */
async function refused(flags: readonly string[]): Promise<Refused> {
  const ports = ['driver', 'http', 'web'].flatMap((name) => [`--${name}-port`, '0']);
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
