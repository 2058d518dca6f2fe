import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import { expect } from 'chai';
import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import {
  end,
  removeDirectory,
  start,
  temporaryDirectory,
  withOpenFiles,
} from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';

/**
 * A node whose process has no file descriptor left, because clients hold them or an operator has lowered
 * its limit, continues: it keeps what it acknowledges, answers probes, and takes clients again later.
 */
const run = promisify(execFile);
const openFilesMax = 320;
const silentMax = 400;
const documentBytes = 1_048_576;
/** Several segments of 16 MiB. */
const documents = 48;

const portOf = (address: string): number => Number(address.split(':').at(-1));

describe('a node without file descriptors', function node() {
  this.timeout(120_000);
  let directory: string;
  let served: Served;
  let connection: Connection;
  const sockets: Socket[] = [];

  const login = (): Promise<Connection> =>
    r.connect({ host: served.host, port: served.driverPort, user: 'admin', password: '' });

  beforeEach(async () => {
    directory = temporaryDirectory();
    served = await start(directory, [], withOpenFiles(openFilesMax)).serving;
    connection = await login();
    await r.db('test').tableCreate('t').run(connection);
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await connection.close({ noreplyWait: false });
    expect(await end(served)).to.equal(0);
    removeDirectory(directory);
  });

  /** Clients that connect and say nothing; whatever becomes of them. */
  async function silent(port: number, count: number): Promise<void> {
    const opened = Array.from({ length: count }, () => {
      const socket = connectTcp(port, served.host);
      socket.on('error', () => undefined);
      sockets.push(socket);
      return Promise.race([once(socket, 'connect'), once(socket, 'close')]);
    });
    await Promise.all(opened);
  }

  /** Hard writes over several segments of the log, each of which needs files of its own. */
  async function fillSegments(): Promise<void> {
    for (let id = 0; id < documents; id += 1) {
      const document = { id, text: 'x'.repeat(documentBytes) };
      const options = { durability: 'hard', conflict: 'replace' } as const;
      const { errors } = await r.table('t').insert(document, options).run(connection);
      expect(errors).to.equal(0);
    }
    expect(await r.table('t').count().run(connection)).to.equal(documents);
  }

  it('is never reached by connections: there is a bound, and the log has its own', async () => {
    const ports = [portOf(served.httpUrl), portOf(served.webUrl), served.driverPort];
    for (const port of ports) await silent(port, silentMax);
    await fillSegments();
    for (const path of ['live', 'ready']) {
      expect((await fetch(`http://${served.httpUrl}/health/${path}`)).status).to.equal(200);
    }
    expect((await fetch(`http://${served.webUrl}/api/v1/status`)).status).to.equal(200);
    expect(readdirSync(`/proc/${served.process.pid}/fd`).length).to.be.below(openFilesMax);
    expect(served.log()).to.contain('fewer driver connections');
  });

  it('goes on with those that the log holds in reserve, and takes clients when there are others', async () => {
    const pid = String(served.process.pid);
    const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
    let limit = 0;
    while (used.has(limit)) limit += 1;
    const limitTo = (max: number): Promise<unknown> =>
      run('prlimit', ['--pid', pid, `--nofile=${max}:${openFilesMax}`]);
    await limitTo(limit);
    await silent(served.driverPort, 50);
    await silent(portOf(served.httpUrl), 50);
    await fillSegments();
    for (const socket of sockets.splice(0)) socket.destroy();
    await limitTo(openFilesMax);
    const another = await login();
    expect(await r.table('t').count().run(another)).to.equal(documents);
    await another.close();
    expect((await fetch(`http://${served.httpUrl}/health/ready`)).status).to.equal(200);
  });
});
