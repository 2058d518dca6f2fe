import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import r from 'rethinkdb';
import { removeDirectory, temporaryDirectory } from '../drivers/serve.ts';
import { connect, ended, fieldOf, launch, statusesIn, until } from './testing/local-cluster.ts';
import type { Started } from './testing/local-cluster.ts';

/**
 * Nodes of a replicated cluster lose what they had acknowledged: a damaged log, a store that is gone. They begin again
 * as new members automatically, and nothing that was acknowledged is lost.
 */
const names = ['node1', 'node2', 'node3'] as const;
type Name = (typeof names)[number];

interface Status {
  readonly shards: readonly {
    readonly replicas: readonly { readonly server: string; readonly state: string }[];
  }[];
}

describe('a replicated cluster whose nodes lose their data', function lostData() {
  this.timeout(300_000);
  let directory: string;
  const nodes = new Map<Name, Started>();
  let acknowledged = 0;

  const of = (name: Name): Started => nodes.get(name) ?? expect.fail(`${name} was not started`);
  const lineOf = (name: Name): string | undefined =>
    of(name).lines.find((line) => / node=/.test(line));

  /** Resolves when it serves, or has ended. */
  async function start(name: Name): Promise<void> {
    const started = launch(directory, '--only', name, '--query-workers', '0');
    nodes.set(name, started);
    await until(() => lineOf(name) !== undefined || started.child.exitCode !== null);
  }

  async function kill(name: Name): Promise<void> {
    process.kill(Number(fieldOf(lineOf(name), 'pid')), 'SIGKILL');
    await ended(of(name));
  }

  const idOf = (name: Name): string =>
    (JSON.parse(readFileSync(join(directory, name, 'IDENTITY'), 'utf8')) as { id: string }).id;

  const keptOf = (name: Name): readonly string[] =>
    readdirSync(join(directory, name)).filter((each) => each.startsWith('lost-'));

  async function attempt<T>(name: Name, query: unknown): Promise<T> {
    const connection = await connect(lineOf(name));
    try {
      return (await (query as r.Operation<unknown>).run(connection)) as T;
    } finally {
      await connection.close();
    }
  }

  /** An election on a busy machine may take longer than a query waits: the queries of this test may be repeated. */
  async function run<T>(name: Name, query: unknown): Promise<T> {
    let answer: { readonly value: T } | undefined;
    await until(async () => {
      try {
        answer = { value: await attempt<T>(name, query) };
      } catch (error) {
        if (!/^ReqlOp(Failed|Indeterminate)Error$/.test((error as Error).name)) throw error;
      }
      return answer !== undefined;
    });
    return answer?.value ?? expect.fail('it was answered');
  }

  async function write(name: Name, count: number): Promise<void> {
    for (let last = acknowledged + count; acknowledged < last; acknowledged += 1) {
      const document = { id: acknowledged, filling: 'x'.repeat(200) };
      const insert = r.table('t').insert(document, { conflict: 'replace' });
      expect((await run<{ errors: number }>(name, insert)).errors).to.equal(0);
    }
  }

  /** Each shard has three replicas, each with everything, and each node answers with all rows. */
  async function becomesWhole(): Promise<void> {
    const table = r.table('t') as unknown as { status(): unknown };
    await until(async () => {
      const { shards } = await run<Status>('node3', table.status());
      return shards.every(
        ({ replicas }) => replicas.length === 3 && replicas.every(({ state }) => state === 'ready'),
      );
    });
    for (const name of names) {
      await until(async () => (await run(name, outdated.count())) === acknowledged);
      expect(await run(name, r.table('t').count())).to.equal(acknowledged);
    }
  }

  const outdated = (
    r as unknown as { table(name: string, options: object): { count(): unknown } }
  ).table('t', { readMode: 'outdated' });

  /** In the middle of what was written: newer batches say that it was durable. */
  function damageLog(name: Name): void {
    const path = join(directory, name, 'wal');
    const [first = ''] = readdirSync(path)
      .filter((each) => each.endsWith('.wal'))
      .toSorted();
    const bytes = readFileSync(join(path, first));
    bytes.writeUInt8(bytes.readUInt8(8_000) ^ 0x10, 8_000);
    writeFileSync(join(path, first), bytes);
  }

  before(async () => {
    directory = temporaryDirectory();
    await start('node1');
    await start('node2');
    await start('node3');
    await until(async () => (await statusesIn(lineOf('node1'))) === 'alive alive alive');
    const creating = r as unknown as {
      tableCreate(name: string, options: object): unknown;
      tableList(): unknown;
    };
    const create = creating.tableCreate('t', { shards: 2, replicas: 3 });
    await until(async () => {
      await attempt('node1', create).catch(() => undefined);
      return (await run<string[]>('node1', creating.tableList())).includes('t');
    });
    await write('node1', 100);
    await becomesWhole();
  });

  after(async () => {
    for (const name of nodes.keys()) {
      const pid = Number(fieldOf(lineOf(name), 'pid'));
      if (of(name).child.exitCode !== null) continue;
      if (pid > 0) process.kill(pid, 'SIGKILL');
      else of(name).child.kill('SIGTERM');
      await ended(of(name));
    }
    removeDirectory(directory);
  });

  it('begins again as a new member after damage in its log, automatically, while the others serve', async () => {
    const former = idOf('node2');
    await kill('node2');
    damageLog('node2');
    await write('node3', 20);
    await start('node2');
    expect(of('node2').log()).to.contain('begins again as a new member');
    expect(of('node2').log()).to.contain('The write-ahead log is damaged in segment');
    expect(idOf('node2')).not.to.equal(former);
    await write('node2', 20);
    await becomesWhole();
    const [kept = ''] = keptOf('node2');
    expect(existsSync(join(directory, 'node2', kept, 'wal'))).to.equal(true);
  });

  it('begins again when the founder, which holds the authority, has lost its store', async () => {
    const former = idOf('node1');
    await kill('node1');
    rmSync(join(directory, 'node1', 'store'), { recursive: true });
    await write('node2', 20);
    await start('node1');
    expect(of('node1').log()).to.contain('The store is missing in');
    expect(idOf('node1')).not.to.equal(former);
    await write('node1', 20);
    await becomesWhole();
  });

  it('waits while the others need what it has, and begins again as soon as they do not', async () => {
    const former = idOf('node3');
    await write('node1', 20);
    await kill('node3');
    await kill('node2');
    damageLog('node3');
    const starting = start('node3');
    await until(() => of('node3').log().includes('the node cannot begin again yet'));
    expect(idOf('node3')).to.equal(former);
    expect(keptOf('node3')).to.deep.equal([]);
    await start('node2');
    await starting;
    expect(idOf('node3')).not.to.equal(former);
    await becomesWhole();
  });
});
