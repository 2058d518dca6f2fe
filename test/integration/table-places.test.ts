import { once } from 'node:events';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import r from 'rethinkdb';
import { removeDirectory, start, temporaryDirectory } from '../drivers/serve.ts';
import { connect, fieldOf, launch, statusesIn, until } from './testing/local-cluster.ts';
import type { Started } from './testing/local-cluster.ts';

/** Three real processes with replicated data: what users see of the places of a table, and how they change them. */
type Build = (...args: readonly unknown[]) => Loose;
/** The types of the driver lack options and terms. */
interface Loose {
  readonly table: Build;
  readonly tableCreate: Build;
  readonly insert: Build;
  readonly get: Build;
  readonly update: Build;
  readonly count: Build;
  readonly config: Build;
  readonly status: Build;
  readonly wait: Build;
  readonly rebalance: Build;
  readonly reconfigure: Build;
}
const loose = (query: unknown): Loose => query as Loose;

interface ConfigRow {
  readonly id: string;
  readonly shards: readonly {
    readonly primary_replica: string;
    readonly replicas: readonly string[];
    readonly nonvoting_replicas: readonly string[];
  }[];
}

interface StatusRow {
  readonly id: string;
  readonly raft_leader: string | null;
  readonly shards: readonly {
    readonly primary_replicas: readonly string[];
    readonly replicas: readonly {
      readonly server: string;
      readonly state: string;
    }[];
  }[];
  readonly status: Readonly<Record<string, boolean>>;
}

const all = ['node1', 'node2', 'node3'];
const allReady = {
  all_replicas_ready: true,
  ready_for_outdated_reads: true,
  ready_for_reads: true,
  ready_for_writes: true,
};
const ready = (servers: readonly string[]) => servers.map((server) => ({ server, state: 'ready' }));

describe('the places of replicated tables', function places() {
  this.timeout(240_000);
  let directory: string;
  let cluster: Started;
  const connections: r.Connection[] = [];
  const test = loose(r.db('test'));
  const table = test.table('t');
  const system = loose(r.db('rethinkdb'));

  const lineOf = (name: string): string | undefined =>
    cluster.lines.find((line) => fieldOf(` ${line}`, 'node') === name);
  const run = <T>(query: Loose, at = 0): Promise<T> =>
    (query as unknown as r.Operation<T>).run(connections[at] as r.Connection);
  const refusal = (query: Loose, at = 0): Promise<string> =>
    run(query, at).then(
      () => '',
      (error: unknown) => (error as { readonly msg: string }).msg,
    );

  before(async () => {
    directory = temporaryDirectory();
    cluster = launch(directory, '--query-workers', '1');
    await until(() => all.every((name) => lineOf(name) !== undefined));
    for (const name of all) connections.push(await connect(lineOf(name)));
    // Each node may have replicas once the leader of the metadata has seen it.
    await until(
      async () => (await refusal(test.tableCreate('t', { shards: 2, replicas: 3 }))) === '',
    );
    await run(table.wait());
  });

  after(async () => {
    for (const name of all) {
      const pid = Number(fieldOf(lineOf(name), 'pid'));
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
    if (cluster.child.exitCode === null) {
      cluster.child.kill('SIGKILL');
      await once(cluster.child, 'exit');
    }
    removeDirectory(directory);
  });

  it('are in `config()` and `status()`, the same on every node', async () => {
    for (const at of [0, 1, 2]) {
      const config = await run<ConfigRow>(table.config(), at);
      expect(config.shards.map(({ replicas }) => replicas)).to.deep.equal([all, all]);
      expect(config.shards.flatMap((shard) => shard.nonvoting_replicas)).to.deep.equal([]);
      const primaries = config.shards.map((shard) => shard.primary_replica);
      expect(new Set(primaries).size).to.equal(2);
      // Leadership goes to the primary replica soon.
      let status: StatusRow | undefined;
      await until(async () => {
        status = await run<StatusRow>(table.status(), at);
        const leaders = status.shards.flatMap((shard) => shard.primary_replicas);
        return leaders.join() === primaries.join();
      });
      expect(status?.raft_leader).to.equal(primaries[0]);
      expect(status?.shards.map(({ replicas }) => replicas)).to.deep.equal([
        ready(all),
        ready(all),
      ]);
      expect(status?.status).to.deep.equal(allReady);
    }
  });

  it('name servers by their identifiers when they are asked to', async () => {
    const ids = await run<{ readonly id: string; readonly name: string }[]>(
      loose(r.db('rethinkdb').table('server_status').pluck('id', 'name').coerceTo('array')),
    );
    const known = new Set(ids.map(({ id }) => id));
    const uuids = system.table('table_config', { identifierFormat: 'uuid' });
    const [row] = await run<ConfigRow[]>(loose((uuids as unknown as r.Table).coerceTo('array')));
    expect(row?.shards.flatMap(({ replicas }) => replicas).every((id) => known.has(id))).to.equal(
      true,
    );
  });

  it('are planned by a dry run, which changes nothing', async () => {
    const before = await run<ConfigRow>(table.config());
    const answer = await run<{
      readonly reconfigured: number;
      readonly config_changes: readonly {
        readonly new_val: ConfigRow;
        readonly old_val: ConfigRow;
      }[];
    }>(table.reconfigure({ shards: 2, replicas: 1, dryRun: true }));
    expect(answer.reconfigured).to.equal(0);
    const [change] = answer.config_changes;
    expect(change?.old_val).to.deep.equal(before);
    expect(change?.new_val.shards.map(({ replicas }) => replicas.length)).to.deep.equal([1, 1]);
    expect(await run(table.config(), 1)).to.deep.equal(before);
  });

  it('become fewer and more while clients write, and no write is refused or lost', async () => {
    const over = new AbortController();
    let written = 0;
    const failures: unknown[] = [];
    const writing = [0, 1, 2].map(async (at) => {
      for (let n = 0; !over.signal.aborted; n += 1) {
        try {
          await run(table.insert({ id: `${at} ${n}` }), at);
          written += 1;
        } catch (error) {
          failures.push((error as Error).message);
        }
      }
    });
    try {
      for (const replicas of [1, 3, 2, 3]) {
        const before = written;
        const answer = await run<{ reconfigured: number }>(
          table.reconfigure({ shards: 2, replicas }),
          1,
        );
        expect(answer.reconfigured).to.equal(1);
        await run(table.wait({ waitFor: 'all_replicas_ready' }), 2);
        const { shards, status } = await run<StatusRow>(table.status());
        expect(status).to.deep.equal(allReady);
        expect(shards.map((shard) => shard.replicas.length)).to.deep.equal([replicas, replicas]);
        await until(() => written > before + 50);
      }
    } finally {
      over.abort();
      await Promise.all(writing);
    }
    expect(failures).to.deep.equal([]);
    for (const at of [0, 1, 2]) expect(await run<number>(table.count(), at)).to.equal(written);
  });

  it('are written into `table_config`', async () => {
    const shards = [
      {
        primary_replica: 'node3',
        replicas: ['node1', 'node3'],
        nonvoting_replicas: [],
      },
      { primary_replica: 'node2', replicas: ['node2'], nonvoting_replicas: [] },
    ];
    expect(await run(table.config().update({ shards }), 1)).to.include({
      replaced: 1,
    });
    await run(table.wait(), 2);
    expect((await run<ConfigRow>(table.config(), 2)).shards).to.deep.equal(shards);
    await until(async () => {
      const status = await run<StatusRow>(table.status(), 2);
      return status.shards.flatMap((shard) => shard.primary_replicas).join() === 'node3,node2';
    });
    expect(
      (await run<StatusRow>(table.status())).shards.map(({ replicas }) => replicas),
    ).to.deep.equal([ready(['node1', 'node3']), ready(['node2'])]);
    await run(table.reconfigure({ shards: 2, replicas: 3 }));
    await run(table.wait());
  });

  const refused: readonly (readonly [string, object, string])[] = [
    [
      'more replicas than servers',
      { shards: 2, replicas: 5 },
      "Can't put 5 replicas on servers with the tag `default` because there are only 3 servers",
    ],
    [
      'a tag that no server has',
      { shards: 2, replicas: { east: 1 }, primaryReplicaTag: 'east' },
      "Can't put 1 replicas on servers with the tag `east` because there are only 0 servers",
    ],
    ['other shards', { shards: 3, replicas: 3 }, 'make a table with `shards: 3`'],
  ];
  for (const [what, options, message] of refused) {
    it(`are not changed to ${what}`, async () => {
      const before = await run<ConfigRow>(table.config());
      expect(await refusal(table.reconfigure(options), 1)).to.contain(message);
      expect(await run(table.config())).to.deep.equal(before);
    });
  }

  it('are balanced by `rebalance`', async () => {
    expect(await run(table.rebalance(), 1)).to.include({ rebalanced: 1 });
    const { shards } = await run<ConfigRow>(table.config());
    expect(new Set(shards.map((shard) => shard.primary_replica)).size).to.equal(2);
  });

  it('are not on a copy of a node: the copy is refused while clients write, and no write is lost', async () => {
    await run(test.tableCreate('copied', { replicas: 3 }));
    await run(test.table('copied').wait());
    const copy = join(directory, 'copy');
    // It stands still meanwhile, so that the copy is of one moment.
    const pid = Number(fieldOf(lineOf('node3'), 'pid'));
    process.kill(pid, 'SIGSTOP');
    try {
      cpSync(join(directory, 'node3'), copy, { recursive: true });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    for (const name of all)
      await until(async () => (await statusesIn(lineOf(name))) === 'alive alive alive');
    await run(test.table('copied').wait());
    const over = new AbortController();
    const writing = (async () => {
      for (let n = 0; ; n += 1) {
        if (over.signal.aborted) return n;
        await run(test.table('copied').insert({ id: n }), n % 3);
      }
    })();
    writing.catch(() => undefined);
    const seeds = all.map((name) => fieldOf(lineOf(name), 'cluster')).join();
    const copied = start(copy, ['--node-name', 'node3', '--join', seeds, '--replicated']);
    let refused = '';
    await copied.serving.catch((error: Error) => (refused = error.message));
    copied.process.kill('SIGKILL');
    over.abort();
    const written = await writing;
    expect(refused).to.contain('has the same node ID');
    for (const at of [0, 1, 2])
      expect(await run<number>(test.table('copied').count(), at)).to.equal(written);
  });

  it('say what is missing when a node is lost', async () => {
    process.kill(Number(fieldOf(lineOf('node3'), 'pid')), 'SIGKILL');
    await run(table.wait({ waitFor: 'ready_for_writes' }));
    await until(async () => {
      const { shards, status } = await run<StatusRow>(table.status());
      const states = shards.map(({ replicas }) => replicas.map(({ state }) => state).join());
      return (
        states.every((state) => state === 'ready,ready,disconnected') &&
        status[`ready_for_writes`] === true
      );
    });
    const { status } = await run<StatusRow>(table.status(), 1);
    expect(status).to.deep.equal({ ...allReady, all_replicas_ready: false });
    expect(await refusal(table.wait({ timeout: 1 }))).to.equal(
      'Timed out while waiting for tables.',
    );
  });

  it('are on the nodes that are left once one is dead', async () => {
    // The failure detector needs a few seconds.
    await until(async () =>
      (await refusal(table.reconfigure({ shards: 2, replicas: 3, dryRun: true }), 1)).includes(
        'Not counted: `node3` (dead).',
      ),
    );
    expect(await refusal(test.tableCreate('more', { replicas: 3 }))).to.contain(
      "Can't put 3 replicas on servers with the tag `default` because there are only 2 servers",
    );
    const left = ['node1', 'node2'];
    await run(test.tableCreate('new'), 1);
    const placed = await run<ConfigRow>(test.table('new').config());
    expect(placed.shards.map(({ replicas }) => replicas)).to.deep.equal([left]);
    await run(table.reconfigure({ shards: 2, replicas: 2 }), 1);
    await run(table.wait());
    const { shards, status } = await run<StatusRow>(table.status());
    expect(shards.map(({ replicas }) => replicas)).to.deep.equal([ready(left), ready(left)]);
    expect(status).to.deep.equal(allReady);
  });
});
