import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';
import { SmallVolume } from './small-volume.ts';

const execute = promisify(execFile);
const mebibyte = 1_048_576;
const volumeMib = 256;
const documentBytes = 20_000;
const refused = /^ReqlOpFailedError: .*disk of this node is almost full/;

const documentOf = (id: number): object => ({
  id: String(id),
  filler: String(id).padEnd(documentBytes, 'x'),
});
/** Far more than fits: a test that is never refused fails. */
const documentsMax = (2 * volumeMib * mebibyte) / documentBytes;

/** A node whose data directory lies on a real file system that is small and fills up. */
describe('a node on a small disk', function onSmallDisk() {
  this.timeout(120_000);
  let mount: string;
  let volume: SmallVolume;
  let directory: string;
  let node: Served | undefined;

  beforeEach(async () => {
    mount = temporaryDirectory();
    volume = await SmallVolume.mount(mount, volumeMib);
    directory = join(mount, 'data');
  });

  afterEach(async () => {
    if (node !== undefined) await end(node);
    node = undefined;
    await volume.unmount();
    removeDirectory(mount);
  });

  const connect = (served: Served): Promise<Connection> =>
    r.connect({ host: served.host, port: served.driverPort, user: 'admin', password: '' });

  const insert = (connection: Connection, id: number): Promise<unknown> =>
    r.db('test').table('t').insert(documentOf(id)).run(connection);

  /** Writes until it is refused; answers how many were acknowledged, and the refusal. */
  async function fill(
    connection: Connection,
    from: number,
  ): Promise<[next: number, words: string]> {
    for (let id = from; id < documentsMax; id += 1) {
      try {
        await insert(connection, id);
      } catch (error) {
        return [id, `${(error as Error).name}: ${(error as Error).message}`];
      }
    }
    throw new Error('no write was refused');
  }

  const count = (connection: Connection): Promise<number> =>
    r.db('test').table('t').count().run(connection);

  it('refuses writes before it is full, serves reads, and resumes writes when there is space', async () => {
    mkdirSync(directory);
    const ballast = join(mount, 'ballast');
    writeFileSync(ballast, Buffer.alloc(80 * mebibyte));
    node = await serve(directory);
    let connection = await connect(node);
    await r.db('test').tableCreate('t').run(connection);
    const [acknowledged, words] = await fill(connection, 0);
    expect(words).to.match(refused);
    expect(await count(connection)).to.equal(acknowledged);
    const first = await r.db('test').table('t').get('0').run(connection);
    expect(first).to.deep.equal(documentOf(0));

    // What was acknowledged survives a kill on the full disk, and the node comes up on it.
    node.process.kill('SIGKILL');
    await end(node);
    node = await serve(directory);
    connection = await connect(node);
    expect(await count(connection)).to.equal(acknowledged);
    // Starting may have let go of segments of the log: some more fits.
    const [before, again] = await fill(connection, acknowledged);
    expect(again).to.match(refused);
    expect(await count(connection)).to.equal(before);

    rmSync(ballast);
    let later = before;
    const deadline = AbortSignal.timeout(10_000);
    // The node looks at its disk now and then: the first tries may come too early.
    while (later < before + 500) {
      deadline.throwIfAborted();
      [later] = await fill(connection, later);
    }
    expect(await count(connection)).to.equal(later);
  });

  it('lets documents be deleted when it is full, and takes others in their place', async () => {
    node = await serve(directory);
    const connection = await connect(node);
    await r.db('test').tableCreate('t').run(connection);
    const [filled, words] = await fill(connection, 0);
    expect(words).to.match(refused);
    const { deleted } = await r.db('test').table('t').delete().run(connection);
    expect(deleted).to.equal(filled);
    expect(await count(connection)).to.equal(0);

    let again = 0;
    const deadline = AbortSignal.timeout(10_000);
    // The deletions reach the data file, and the node looks at it, a moment later.
    while (again < filled / 2) {
      deadline.throwIfAborted();
      [again] = await fill(connection, again);
    }
    expect(await count(connection)).to.equal(again);
  });

  it('reads on when another program takes all of the disk while it writes, after a kill too', async () => {
    node = await serve(directory);
    let connection = await connect(node);
    await r.db('test').tableCreate('t').run(connection);
    const refusals: string[] = [];
    let acknowledged = 0;
    let isFilled = false;
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let id = writer; ; id += 8) {
        try {
          await insert(connection, id);
        } catch (error) {
          refusals.push(`${(error as Error).name}: ${(error as Error).message}`);
          return;
        }
        acknowledged += 1;
        if (acknowledged > 1_000 && !isFilled) {
          isFilled = true;
          volume.takeAll();
        }
      }
    });
    await Promise.all(writers);
    for (const words of refusals) expect(words).to.match(refused);
    expect(await count(connection)).to.equal(acknowledged);

    node.process.kill('SIGKILL');
    await end(node);
    node = await serve(directory);
    connection = await connect(node);
    expect(await count(connection)).to.equal(acknowledged);
    expect(await r.db('test').table('t').get('0').run(connection)).to.deep.equal(documentOf(0));
    const first = Math.ceil(documentsMax / 2);
    // Starting may have let go of segments of the log: some more fits.
    const [before, words] = await fill(connection, first);
    expect(words).to.match(refused);

    volume.release();
    let later = before;
    const deadline = AbortSignal.timeout(10_000);
    while (later < before + 500) {
      deadline.throwIfAborted();
      [later] = await fill(connection, later);
    }
    expect(await count(connection)).to.equal(acknowledged + later - first);
  });

  it('says in one sentence that it cannot start on a full disk', async () => {
    const { bavail, bsize } = statfsSync(mount);
    writeFileSync(join(mount, 'ballast'), Buffer.alloc(bavail * bsize - 4 * mebibyte));
    const args = ['dataplane/node/main.ts', '--data-dir', directory, '--driver-port', '0'];
    const numbers = ['http', 'web', 'cluster', 'admin'];
    const ports = numbers.flatMap((name) => [`--${name}-port`, '0']);
    const ended = await execute(process.execPath, [...args, ...ports], { timeout: 30_000 }).then(
      () => 'it came up',
      ({ code, stderr }: { code: number; stderr: string }) => `${code}: ${stderr}`,
    );
    expect(ended).to.match(/^1: (.*\n)?The disk of the write-ahead log is full/);
  });
});
