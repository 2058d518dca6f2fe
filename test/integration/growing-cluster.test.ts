import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import r from 'rethinkdb';
import { connect, ended, fieldOf, launchOf, statusesIn, until } from './testing/local-cluster.ts';
import type { Started } from './testing/local-cluster.ts';
import { removeDirectory, temporaryDirectory } from '../drivers/serve.ts';

/**
 * A cluster of one process grows to three and to five while a real driver writes: what was acknowledged is there, on
 * whichever node is left.
 */
type Build = (...args: readonly unknown[]) => Loose;
/** The types of the driver lack options. */
interface Loose {
  readonly table: Build;
  readonly tableCreate: Build;
  readonly insert: Build;
  readonly getField: Build;
  readonly getAll: Build;
  readonly coerceTo: Build;
  readonly indexCreate: Build;
  readonly indexWait: Build;
}
const loose = (query: unknown): Loose => query as Loose;
const run = (query: Loose, connection: r.Connection): Promise<unknown> =>
  (query as unknown as r.Operation<unknown>).run(connection);

const table = loose(r.db('test').table('t'));
const retryMs = 50;

/** Writes through whichever node there is, over every loss of its connection. */
class Writer {
  readonly acknowledged: number[] = [];
  /** What a connection that stands answered instead. */
  readonly failures: string[] = [];
  readonly #lines: () => readonly string[];
  #isOver = false;
  readonly #ended: Promise<void>;

  constructor(lines: () => readonly string[]) {
    this.#lines = lines;
    this.#ended = this.#write();
  }

  async #write(): Promise<void> {
    let connection: r.Connection | undefined;
    for (let id = 0; !this.#isOver; id += 1) {
      try {
        connection ??= await this.#connect(id);
        await run(table.insert({ id, group: id % 3 }), connection);
        this.acknowledged.push(id);
      } catch (error) {
        const { name, message } = error as Error;
        if (name === 'ReqlOpFailedError') this.failures.push(message);
        await connection?.close({ noreplyWait: false }).catch(() => undefined);
        connection = undefined;
        await sleep(retryMs);
      }
    }
    await connection?.close();
  }

  async #connect(id: number): Promise<r.Connection> {
    const lines = this.#lines();
    const connection = await connect(lines[id % lines.length]);
    // The query that was running says so, too.
    connection.on('error', () => undefined);
    return connection;
  }

  async further(count: number): Promise<void> {
    const before = this.acknowledged.length;
    await until(() => this.acknowledged.length >= before + count);
  }

  end(): Promise<void> {
    this.#isOver = true;
    return this.#ended;
  }
}

describe('a local cluster that grows', function growing() {
  this.timeout(300_000);
  let directory: string;
  let running: Started;
  const others: ChildProcess[] = [];
  let writer: Writer;

  const launch = async (nodes: number, ...more: readonly string[]): Promise<Started> => {
    const started = launchOf(nodes, directory, '--query-workers', '1', ...more);
    const wanted = more.includes('--only') ? 1 : nodes;
    await until(() => started.lines.length === wanted || started.child.exitCode !== null);
    expect(started.child.exitCode, started.log()).to.equal(null);
    return started;
  };

  const nodeLine = (name: string): string =>
    running.lines.find((line) => fieldOf(line, 'node') === name) ?? '';

  const documentsOf = async (line: string): Promise<number> => {
    const text = await (await fetch(`http://${fieldOf(line, 'http')}/_metrics`)).text();
    return Number(
      /^photondb_table_documents\{[^}]*table="test\.t"[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0,
    );
  };

  const stateOf = async (line: string): Promise<string> => {
    const answer = await (await fetch(`http://${fieldOf(line, 'http')}/health`)).json();
    return (answer as { readonly state: string }).state;
  };

  /** Everything that was acknowledged by now, once, in the table and in its index. */
  const requireAll = async (line: string): Promise<void> => {
    const acknowledged = [...writer.acknowledged];
    const connection = await connect(line);
    const rows = [table, table.getAll(0, 1, 2, { index: 'group' })];
    for (const each of rows) {
      const ids = (await run(each.getField('id').coerceTo('array'), connection)) as number[];
      const stored = new Set(ids);
      expect(acknowledged.filter((id) => !stored.has(id))).to.deep.equal([]);
      expect(stored.size).to.equal(ids.length);
    }
    await connection.close();
  };

  before(async () => {
    directory = temporaryDirectory();
    running = await launch(1);
    const connection = await connect(nodeLine('node1'));
    await run(loose(r.db('test')).tableCreate('t'), connection);
    await run(table.indexCreate('group'), connection);
    await run(table.indexWait('group'), connection);
    await connection.close();
    writer = new Writer(() => running.lines);
    await writer.further(100);
  });

  after(async () => {
    await writer.end();
    for (const child of others) child.kill('SIGKILL');
    running.child.kill('SIGTERM');
    await ended(running);
    removeDirectory(directory);
  });

  it('has three nodes after a restart, each with all data', async () => {
    running.child.kill('SIGTERM');
    expect(await ended(running)).to.equal(0);
    running = await launch(3);
    await writer.further(100);
    for (const name of ['node2', 'node3'])
      await until(async () => (await documentsOf(nodeLine(name))) > 0);
    for (const line of running.lines) await until(async () => (await stateOf(line)) === 'Ready');
    await writer.further(50);
    for (const line of running.lines) await requireAll(line);
    expect(writer.failures).to.deep.equal([]);
  });

  it('gives a node that comes with the name of a lost one what that had', async () => {
    process.kill(Number(fieldOf(nodeLine('node3'), 'pid')), 'SIGKILL');
    running.lines.splice(running.lines.indexOf(nodeLine('node3')), 1);
    // Its name is taken as long as it may be there.
    await until(async () => (await statusesIn(nodeLine('node1'))) === 'alive alive dead');
    removeDirectory(join(directory, 'node3'));
    const again = await launch(3, '--only', 'node3');
    others.push(again.child);
    const [line = ''] = again.lines;
    await until(async () => (await documentsOf(line)) > 0);
    running.lines.push(line);
    for (const each of running.lines) await until(async () => (await stateOf(each)) === 'Ready');
    await writer.further(50);
    await requireAll(line);
    expect(writer.failures).to.deep.equal([]);
  });

  it('has five nodes without a restart', async () => {
    for (const name of ['node4', 'node5']) {
      const added = await launch(5, '--only', name);
      others.push(added.child);
      running.lines.push(...added.lines);
    }
    await writer.further(50);
    const connection = await connect(nodeLine('node5'));
    const create = loose(r.db('test')).tableCreate('five', { replicas: 5 });
    expect(await run(create, connection)).to.include({ tables_created: 1 });
    await connection.close();
    expect(writer.failures).to.deep.equal([]);
  });

  it('loses nothing when the node that it began with is killed', async () => {
    process.kill(Number(fieldOf(nodeLine('node1'), 'pid')), 'SIGKILL');
    running.lines.splice(running.lines.indexOf(nodeLine('node1')), 1);
    await writer.further(100);
    await writer.end();
    for (const line of running.lines) await requireAll(line);
  });

  it('is refused with a number of nodes that has no majority of its own', async () => {
    const started = launchOf(4, directory);
    expect(await ended(started)).to.equal(2);
    expect(started.log()).to.contain('--nodes takes 1, 3 or 5, not "4"');
  });
});
