import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import r from 'rethinkdb';
import { askAdmin } from '../../dataplane/node/admin-tool/client.ts';
import { removeDirectory, temporaryDirectory } from '../drivers/serve.ts';

/** Three real processes that replicate their data, driven by a real driver while they are killed, paused and stopped. */
const program = 'dataplane/node/local-cluster/main.ts';
const fieldOf = (line: string | undefined, name: string): string =>
  new RegExp(` ${name}=(\\S+)`).exec(line ?? '')?.[1] ?? '';

interface Launched {
  readonly child: ChildProcess;
  /** The ready lines by the names of the nodes. */
  readonly nodes: Map<string, string>;
}

function launch(directory: string, ...args: readonly string[]): Launched {
  const own = ['--nodes', '3', '--data-dir', directory, '--ports', 'free'];
  const child = spawn(process.execPath, [program, ...own, '--query-workers', '1', ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const nodes = new Map<string, string>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    nodes.set(fieldOf(` ${line}`, 'node'), line);
  });
  return { child, nodes };
}

/** The time limit of the test ends a wait without success. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(50);
}

type Build = (...args: readonly unknown[]) => Loose;
/** The types of the driver lack options. */
interface Loose {
  readonly table: Build;
  readonly tableCreate: Build;
  readonly insert: Build;
  readonly get: Build;
  readonly getField: Build;
  readonly count: Build;
  readonly coerceTo: Build;
  readonly update: Build;
  readonly indexCreate: Build;
  readonly indexWait: Build;
  readonly getAll: Build;
}
const loose = (query: unknown): Loose => query as Loose;
const run = (query: Loose, connection: r.Connection): Promise<unknown> =>
  (query as unknown as r.Operation<unknown>).run(connection);

/** Inserts until it is ended; what was acknowledged, and what failed. */
class Writer {
  readonly acknowledged: string[] = [];
  readonly failures: string[] = [];
  #isOver = false;
  readonly #ended: Promise<void>;

  constructor(connection: r.Connection, name: string) {
    this.#ended = this.#write(connection, name);
  }

  async #write(connection: r.Connection, name: string): Promise<void> {
    const table = loose(r.db('test').table('t'));
    for (let at = 0; !this.#isOver; at += 1) {
      const id = `${name} ${at}`;
      try {
        const { inserted } = (await run(table.insert({ id }), connection)) as { inserted: number };
        if (inserted === 1) this.acknowledged.push(id);
        else this.failures.push('not inserted');
      } catch (error) {
        this.failures.push((error as Error).name);
      }
    }
  }

  end(): Promise<void> {
    this.#isOver = true;
    return this.#ended;
  }
}

describe('a cluster of three processes with replicated data', function replicated() {
  this.timeout(240_000);
  let directory: string;
  let all: Launched;
  const others: ChildProcess[] = [];
  const table = loose(r.db('test').table('t'));

  const lineOf = (name: string): string => all.nodes.get(name) ?? '';
  const pidOf = (name: string): number => Number(fieldOf(lineOf(name), 'pid'));
  const connect = (name: string): Promise<r.Connection> => {
    const [host = '', port = ''] = fieldOf(lineOf(name), 'driver').split(':');
    return r.connect({ host, port: Number(port), user: 'admin', password: '' });
  };

  before(async () => {
    directory = temporaryDirectory();
    all = launch(directory);
    await until(() => all.nodes.size === 3 || all.child.exitCode !== null);
    expect(all.nodes.size).to.equal(3);
  });

  after(async () => {
    for (const name of all.nodes.keys()) {
      try {
        process.kill(pidOf(name), 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
    for (const child of others) child.kill('SIGKILL');
    if (all.child.exitCode === null) {
      all.child.kill('SIGKILL');
      await once(all.child, 'exit');
    }
    removeDirectory(directory);
  });

  async function restart(name: string): Promise<void> {
    const again = launch(directory, '--only', name);
    others.push(again.child);
    await until(() => again.nodes.has(name) || again.child.exitCode !== null);
    all.nodes.set(name, again.nodes.get(name) ?? '');
  }

  async function requireAll(ids: readonly string[], name: string): Promise<void> {
    const connection = await connect(name);
    const found = (await run(table.getField('id').coerceTo('array'), connection)) as unknown[];
    await connection.close();
    const stored = new Set(found);
    expect(ids.filter((id) => !stored.has(id))).to.deep.equal([]);
    expect(stored.size).to.equal(found.length);
  }

  /** As a person would: `npm run admin -- ARGUMENTS`. */
  async function admin(...args: readonly string[]): Promise<void> {
    const path = 'dataplane/node/admin-tool/main.ts';
    const founder = join(directory, 'node1');
    const child = spawn(process.execPath, [path, ...args, '--data-dir', founder], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    expect(await once(child, 'exit')).to.deep.equal([0, null]);
  }

  async function readyOf(name: string): Promise<string> {
    const answer = await fetch(`http://${fieldOf(lineOf(name), 'http')}/health/ready`);
    return ((await answer.json()) as { readonly state: string }).state;
  }

  it('answers every query at any node', async () => {
    const [one, two, three] = await Promise.all(['node1', 'node2', 'node3'].map(connect));
    if (one === undefined || two === undefined || three === undefined) return;
    await run(loose(r.db('test')).tableCreate('t', { shards: 4 }), two);
    const documents = Array.from({ length: 300 }, (_, id) => ({ id, group: id % 3 }));
    expect(await run(table.insert(documents), three)).to.include({ inserted: 300 });
    await run(table.indexCreate('group'), one);
    await run(table.indexWait('group'), three);
    expect(await run(table.get(7).update({ n: 1 }), one)).to.include({ replaced: 1 });
    for (const connection of [one, two, three]) {
      expect(await run(table.count(), connection)).to.equal(300);
      expect(await run(table.get(7).getField('n'), connection)).to.equal(1);
      expect(await run(table.getAll(2, { index: 'group' }).count(), connection)).to.equal(100);
    }
    for (const readMode of ['single', 'majority', 'outdated']) {
      const read = loose(r.db('test')).table('t', { readMode });
      for (const connection of [one, two, three]) {
        // A replica may have the newest writes later.
        await until(async () => (await run(read.count(), connection)) === 300);
        await until(async () => (await run(read.get(7), connection)) !== null);
        const found = await run(read.getAll(2, { index: 'group' }).count(), connection);
        expect(found).to.equal(100);
      }
    }
    const refused = await run(loose(r.db('test')).tableCreate('five', { replicas: 5 }), two).catch(
      (error: Error) => error.message,
    );
    expect(refused).to.contain(
      "Can't put 5 replicas on servers with the tag `default` because there are only 3 servers",
    );
    for (const connection of [one, two, three]) await connection.close();
  });

  for (const killed of ['node2', 'node1']) {
    it(`loses nothing that was acknowledged when ${killed} is killed under load, and takes it back`, async () => {
      const survivors = ['node1', 'node2', 'node3'].filter((name) => name !== killed);
      const writers = await Promise.all(
        survivors.map(async (name) => new Writer(await connect(name), `${killed} ${name}`)),
      );
      const count = (): number =>
        writers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
      await until(() => count() > 50);
      process.kill(pidOf(killed), 'SIGKILL');
      const before = count();
      await until(() => count() > before + 200);
      await Promise.all(writers.map((writer) => writer.end()));
      // An unknown outcome has an error of its own.
      const failures = new Set(writers.flatMap((writer) => writer.failures));
      failures.delete('ReqlOpIndeterminateError');
      expect([...failures]).to.deep.equal([]);
      const acknowledged = writers.flatMap((writer) => writer.acknowledged);
      for (const name of survivors) await requireAll(acknowledged, name);
      await restart(killed);
      await requireAll(acknowledged, killed);
    });
  }

  it('never answers an older value than one that was acknowledged, while a node is paused', async () => {
    const [one, three] = await Promise.all(['node1', 'node3'].map(connect));
    if (one === undefined || three === undefined) return;
    const keys = Array.from({ length: 8 }, (_, at) => `paused ${at}`);
    const written = new Map(keys.map((id) => [id, 0]));
    await run(table.insert(keys.map((id) => ({ id, v: 0 }))), three);
    process.kill(pidOf('node2'), 'SIGSTOP');
    try {
      const until5 = Date.now() + 5_000;
      for (let v = 1; Date.now() < until5; v += 1) {
        for (const id of keys) {
          await run(table.get(id).update({ v }), v % 2 === 0 ? one : three).then(
            () => written.set(id, v),
            () => undefined,
          );
        }
      }
    } finally {
      process.kill(pidOf('node2'), 'SIGCONT');
    }
    // The node that was paused may believe that it still leads.
    const two = await connect('node2');
    for (const [id, v] of written) {
      const found = Number(await run(table.get(id).getField('v'), two));
      expect(found, id).to.be.at.least(v);
    }
    for (const connection of [one, two, three]) await connection.close();
  });

  /** Groups of replicas that a node leads, as its admin API has them. */
  async function ledBy(name: string): Promise<number> {
    const { address } = JSON.parse(
      readFileSync(join(directory, name, 'cluster', 'admin.json'), 'utf8'),
    ) as { readonly address: string };
    const asked = { method: 'GET', path: '/admin/v1/drain' };
    return Number((await askAdmin(join(directory, 'node1'), address, asked))['led']);
  }

  it('drains a node by order: it leads nothing when the order has ended, and no write fails', async () => {
    const writers = await Promise.all(
      ['node2', 'node3'].map(async (name) => new Writer(await connect(name), `drained ${name}`)),
    );
    const count = (): number =>
      writers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
    await until(async () => (await ledBy('node2')) > 0);
    await admin('drain', 'node2');
    expect(await ledBy('node2')).to.equal(0);
    // Its own clients stay, and are answered by other nodes.
    const before = count();
    await until(() => count() > before + 100);
    expect(await ledBy('node2')).to.equal(0);
    await admin('undrain', 'node2');
    await until(async () => (await ledBy('node2')) > 0);
    for (const writer of writers) await writer.end();
    expect(writers.flatMap(({ failures }) => failures)).to.deep.equal([]);
    await requireAll(
      writers.flatMap(({ acknowledged }) => acknowledged),
      'node1',
    );
  });

  it('leaves a quarantined node out: it leads nothing and serves nobody, and no write fails', async () => {
    const writer = new Writer(await connect('node3'), 'quarantined');
    await until(() => writer.acknowledged.length > 20);
    const client = await connect('node2');
    await admin('quarantine', 'node2', '--reason', 'looked at');
    await until(async () => (await readyOf('node2')) === 'Quarantined');
    await until(async () => (await ledBy('node2')) === 0);
    const before = writer.acknowledged.length;
    await until(() => writer.acknowledged.length > before + 100);
    const refused = await run(table.count(), client).catch((error: Error) => error);
    expect(refused).to.include({ name: 'ReqlOpFailedError' });
    expect((refused as Error).message).to.contain('is quarantined and serves no clients');
    // A new group, of which it is a member, has a leader among the others.
    const other = await connect('node1');
    await run(loose(r.db('test')).tableCreate('later', { shards: 2 }), other);
    const later = loose(r.db('test').table('later'));
    expect(await run(later.insert({ id: 1 }), other)).to.include({ inserted: 1 });
    expect(await ledBy('node2')).to.equal(0);
    await admin('release', 'node2');
    await until(async () => (await readyOf('node2')) !== 'Quarantined');
    await until(async () => (await ledBy('node2')) > 0);
    expect(await run(table.count(), client)).to.be.above(300);
    await writer.end();
    expect(writer.failures).to.deep.equal([]);
    await requireAll(writer.acknowledged, 'node2');
    for (const connection of [client, other]) await connection.close();
  });

  it('hands its shards over when it stops: no write fails', async () => {
    const writer = new Writer(await connect('node3'), 'stopping');
    await until(() => writer.acknowledged.length > 20);
    process.kill(pidOf('node2'), 'SIGTERM');
    const before = writer.acknowledged.length;
    await until(() => writer.acknowledged.length > before + 100);
    await writer.end();
    expect(writer.failures).to.deep.equal([]);
    await requireAll(writer.acknowledged, 'node1');
  });
});
