import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import r from 'rethinkdb';
import { connect, ended, fieldOf, launch, until } from './testing/local-cluster.ts';
import type { Started } from './testing/local-cluster.ts';
import { removeDirectory, temporaryDirectory } from '../drivers/serve.ts';

/** Three processes lose two of them for good; an administrator continues with the third, and the cluster grows again. */
const tool = 'dataplane/node/tool/main.ts';

interface Loose {
  readonly [name: string]: (...args: readonly unknown[]) => Loose;
}
const loose = (query: unknown): Loose => query as Loose;
const run = (query: Loose | undefined, connection: r.Connection): Promise<unknown> =>
  (query as unknown as r.Operation<unknown>).run(connection);
const table = loose(r.db('test').table('t'));

interface Said {
  readonly code: number | null;
  readonly text: string;
}

/** `npm run storage -- recover ARGUMENTS`. */
async function recover(...args: readonly string[]): Promise<Said> {
  const child = spawn(process.execPath, [tool, 'recover', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, text };
}

describe('a cluster of three processes that loses two for good', function lost() {
  this.timeout(300_000);
  let directory: string;
  const started: Started[] = [];
  /** The newest ready line of each node. */
  const lines = new Map<string, string>();
  let documents = 0;

  const pathOf = (name: string): string => join(directory, name);
  const lineOf = (name: string): string => lines.get(name) ?? '';

  async function start(...args: readonly string[]): Promise<Started> {
    const one = launch(directory, '--query-workers', '1', ...args);
    started.push(one);
    const wanted = args.includes('--only') ? 1 : 3;
    await until(() => one.lines.length === wanted || one.child.exitCode !== null);
    for (const line of one.lines) lines.set(fieldOf(` ${line}`, 'node'), line);
    return one;
  }

  function kill(name: string): void {
    try {
      process.kill(Number(fieldOf(lineOf(name), 'pid')), 'SIGKILL');
    } catch {
      // It has ended.
    }
    lines.delete(name);
  }

  /** As machines that are lost with what they run. */
  async function killAll(): Promise<void> {
    for (const name of lines.keys()) kill(name);
    // The launcher ends with its nodes.
    for (const one of started) await ended(one);
  }

  /** Over every time without a leader. */
  async function asked(name: string, query: Loose | undefined): Promise<unknown> {
    for (;;) {
      const connection = await connect(lineOf(name));
      try {
        return await run(query, connection);
      } catch (error) {
        if ((error as Error).name !== 'ReqlOpFailedError') throw error;
        await sleep(100);
      } finally {
        await connection.close({ noreplyWait: false });
      }
    }
  }

  async function insert(name: string, count: number): Promise<void> {
    const rows = Array.from({ length: count }, (_, at) => ({ id: documents + at }));
    expect(await asked(name, table['insert']?.(rows))).to.include({ inserted: count });
    documents += count;
  }

  /** The node serves, and has a replica of each row. */
  async function replicated(name: string): Promise<void> {
    const at = `http://${fieldOf(lineOf(name), 'http')}`;
    await until(async () => {
      const { state } = (await (await fetch(`${at}/health`)).json()) as { readonly state: string };
      const metrics = await (await fetch(`${at}/_metrics`)).text();
      const count = /^photondb_table_documents\{[^}]*table="test\.t"[^}]*\} (\d+)/m.exec(metrics);
      return state === 'Ready' && Number(count?.[1]) === documents;
    });
  }

  before(async () => {
    directory = temporaryDirectory();
    await start();
    expect(lines.size, started[0]?.log()).to.equal(3);
    await asked('node1', loose(r.db('test'))['tableCreate']?.('t', { shards: 2 }));
    await insert('node2', 300);
  });

  after(async () => {
    await killAll();
    removeDirectory(directory);
  });

  it('is refused while the node runs, and says what a stopped one has', async () => {
    const { code, text } = await recover(pathOf('node1'));
    expect(code).to.equal(1);
    expect(text).to.contain('in use');
    await killAll();
    cpSync(pathOf('node1'), join(directory, 'copy'), { recursive: true });
    const copied = await recover(pathOf('node1'), join(directory, 'copy'));
    expect(copied.text).to.contain('one of them is a copy');
    const shown = await recover(pathOf('node1'), pathOf('node2'), pathOf('node3'));
    expect(shown.code, shown.text).to.equal(0);
    expect(shown.text)
      .to.contain('the metadata: the last entry is')
      .and.contain('table test.t, shard 2 of 2: the last entry is')
      .and.match(/voters node\d, node\d, node\d/)
      .and.contain('are lost: this node cannot tell')
      .and.contain('Nothing was changed');
  });

  it('continues from one of them, and takes no other back', async () => {
    const said = await recover(pathOf('node1'), '--sole-survivor');
    expect(said.code, said.text).to.equal(0);
    expect(said.text).to.contain('2 nodes are given up');
    await start('--only', 'node1');
    expect(await asked('node1', table['count']?.())).to.equal(documents);
    await insert('node1', 100);
    // The free ports of now are others than those that it knows.
    const back = await start('--only', 'node3', '--join', fieldOf(lineOf('node1'), 'cluster'));
    await until(() =>
      back.log().includes('It never comes back; join with an empty data directory'),
    );
    kill('node3');
    await ended(back);
    expect(await asked('node1', table['count']?.())).to.equal(documents);
  });

  it('grows to three again, and loses one of them without notice', async () => {
    for (const name of ['node2', 'node3']) rmSync(pathOf(name), { recursive: true });
    for (const name of ['node2', 'node3']) await start('--only', name);
    for (const name of ['node1', 'node2', 'node3']) await replicated(name);
    await insert('node3', 100);
    for (const name of ['node1', 'node2', 'node3']) await replicated(name);
    kill('node1');
    await insert('node2', 100);
    expect(await asked('node3', table['count']?.())).to.equal(documents);
  });

  it('continues from a node without the authority, which gets a new one', async () => {
    await killAll();
    const shown = await recover(pathOf('node2'));
    expect(shown.text).to.contain('does not have the authority of the cluster');
    const said = await recover(pathOf('node2'), '--sole-survivor', '--new-authority');
    expect(said.code, said.text).to.equal(0);
    await start('--only', 'node2');
    expect(await asked('node2', table['count']?.())).to.equal(documents);
    await insert('node2', 10);
    const again = await recover(pathOf('node2'));
    expect(again.text).to.contain('in use');
  });
});
