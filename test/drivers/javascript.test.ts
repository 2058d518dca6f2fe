import { execFile } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { javaScriptDrivers } from './javascript-drivers.ts';
import { end, removeDirectory, serve, temporaryDirectory } from './serve.ts';
import type { Served } from './serve.ts';

const run = promisify(execFile);
const folder = join(import.meta.dirname, 'javascript');
const ownModules = join(import.meta.dirname, '../../node_modules');
const walkDeadlineMs = 60_000;

describe('drivers and ORMs in JavaScript', function drivers() {
  this.timeout(400_000);
  const directory = temporaryDirectory();
  let served: Served | undefined;
  let modules = '';

  before(async () => {
    modules = await javaScriptDrivers();
    served = await serve(directory);
  });

  after(async () => {
    if (served !== undefined) await end(served);
    removeDirectory(directory);
  });

  /** A walk is a program of its own: a driver that keeps a timer or a socket ends with it. */
  const walk = async (name: string): Promise<Record<string, unknown>> => {
    const args = [join(folder, `${name}.cjs`), served?.host ?? '', String(served?.driverPort)];
    const env = { ...process.env, NODE_PATH: [modules, ownModules].join(delimiter) };
    const { stdout } = await run(process.execPath, args, { env, timeout: walkDeadlineMs });
    return JSON.parse(stdout) as Record<string, unknown>;
  };

  const missingTable = (database: string): string => `Table \`${database}.none\` does not exist.`;

  it('walk by the official driver', async () => {
    const { noTable, noField, hookQuery, ...seen } = await walk('official');
    expect(noTable).to.deep.equal(['ReqlOpFailedError', missingTable('official')]);
    expect(noField).to.have.property('0', 'ReqlNonExistenceError');
    expect(hookQuery).to.match(/^setWriteHook\(function\(.*\.merge\(\{"hooked": true\}\); \}\)$/);
    expect(seen).to.deep.equal({
      server: ['id', 'name', 'proxy'],
      inserted: 1_000,
      get: { id: 7, age: 7, tags: ['b'] },
      getAll: 20,
      multi: 667,
      between: 60,
      filter: 8,
      updated: 1,
      changes: 9,
      deleted: 20,
      group: { group: 0, reduction: 20 },
      join: 3,
      cursor: 980,
      end: 'No more rows in the cursor.',
      each: 980,
      date: '2024-02-29T12:34:56.789Z',
      bytes: [0, 1, 255],
      deep: { list: [null, true] },
      raw: 'TIME',
      userError: ['ReqlUserError', 'boom'],
      wrongType: ['ReqlQueryLogicError', 'Expected type NUMBER but found STRING.'],
      compile: [
        'ReqlServerCompileError',
        'Cannot nest writes or meta ops in stream operations.  Use FOR_EACH instead.',
      ],
      noreply: { id: 'later' },
      hook: true,
      renamed: ['folk'],
      parallel: 100,
      reconnected: 1,
      closed: ['ReqlDriverError', 'Connection is closed.'],
    });
  });

  it('walk by rethinkdb-ts and its pool', async () => {
    const { noTable, noField, version, ...seen } = await walk('typescript-driver');
    expect(noTable).to.deep.equal(['ReqlOpFailedError', missingTable('typed')]);
    expect(noField).to.have.property('0').that.contains('NonExist');
    expect(version).to.match(/^rethinkdb 2\.4\.4 \(PhotonDB /);
    expect(seen).to.deep.equal({
      inserted: 1_000,
      get: { id: 7, age: 7 },
      byFunction: [7],
      order: [999, 998, 997],
      update: 1,
      upsert: 1,
      fold: 6,
      group: 50,
      cursor: 1_000,
      iterated: 25,
      date: '1999-12-31T23:59:59.999Z',
      bytes: [9, 8],
      userError: ['ReqlUserError', 'boom'],
      parallel: 200,
      connections: true,
      hook: 'hooked',
      config: 1,
      status: true,
      wait: { ready: 1 },
      healthy: true,
    });
  });

  it('walk by rethinkdbdash, its pool and its streams', async () => {
    const { noTable, noField, ...seen } = await walk('dash');
    expect(noTable).to.deep.equal(['ReqlOpFailedError', missingTable('dashed')]);
    expect(noField).to.have.property('1').that.contains('No attribute `none` in object');
    expect(seen).to.deep.equal({
      inserted: 1_000,
      all: 1_000,
      getAll: 40,
      update: 20,
      cursor: 1_000,
      stream: 1_000,
      date: '2020-01-01T00:00:00.001Z',
      bytes: 'über',
      userError: ['ReqlUserError', 'boom'],
      default: 'instead',
      profile: ['profile', 'result'],
      parallel: 200,
      length: true,
      drained: 0,
    });
  });

  it('walk by the ORM thinky, its models and relations', async () => {
    expect(await walk('thinky')).to.deep.equal({
      saved: true,
      posts: ['first', 'second'],
      words: ['blue', 'red'],
      born: '1993-01-01T00:00:00.000Z',
      byIndex: 1,
      age: 32,
      old: 31,
      invalid: 'ValidationError',
      missing: 'DocumentNotFoundError',
      count: 51,
      filter: 10,
      order: ['n9', 'n8'],
      update: 33,
      left: 1,
      gone: 0,
    });
  });
});
