import { expect } from 'chai';
import { encodeKey } from '../datum/key.ts';
import { describeTableAccess } from '../wire/table-access.compliance.ts';
import type { BatchSource, Row, TableAccess } from '../wire/table-access.ts';
import type { Edit, EditOutcome } from '../wire/table-edit.ts';
import { retryBudgetMs } from './retry.ts';
import { evenMap, inTime, ShardCluster, signal } from './testing/shard-cluster.ts';

for (const shards of [1, 4]) {
  for (const own of [undefined, 'n1']) {
    const where = own === undefined ? 'on other nodes' : 'here and on other nodes';
    describeTableAccess(`of ${shards} shards ${where}, over a router`, async () => ({
      access: (await ShardCluster.open(shards)).router(own),
      keyOf: encodeKey,
      close: () => Promise.resolve(),
    }));
  }
}

const inserted = (id: number): Edit => ({
  key: encodeKey(id),
  change: {
    type: 'insert',
    document: { text: `{"group":${id % 3},"id":${id}}`, isChecked: false },
    isKeyGenerated: false,
    conflict: 'error',
  },
});

const insert = (table: TableAccess, ids: readonly number[]): Promise<readonly EditOutcome[]> =>
  table.edit(
    {
      edits: ids.map(inserted),
      durability: 'hard',
      context: { nowMs: 0, arrayLimit: 100_000 },
      hook: undefined,
      documents: 'none',
    },
    signal,
  );

const idsOf = (rows: readonly Row[]): number[] =>
  rows.map(({ text }) => (JSON.parse(text) as { readonly id: number }).id);

async function rest<T extends Row>(scan: BatchSource<T>): Promise<T[]> {
  const rows: T[] = [];
  for (;;) {
    const batch = await scan.next({ rows: 5, bytes: 10_000 }, signal);
    if (batch === undefined) return rows;
    rows.push(...batch);
  }
}

const failureOf = async (work: Promise<unknown>): Promise<Error> => {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
};

const all = Array.from({ length: 30 }, (_, id) => id);

describe('a table over a router', () => {
  it('finds the leader by a hint, and asks it from then on', async () => {
    const cluster = await ShardCluster.open(1);
    const table = cluster.router();
    cluster.leading[0] = 'n3';
    await inTime(cluster.clock, insert(table, [1]));
    await inTime(cluster.clock, insert(table, [2]));
    expect(cluster.asked).to.deep.equal(['n1 edit', 'n3 edit', 'n3 edit']);
  });

  it('finds the leader without hints, and past nodes that do not answer', async () => {
    const cluster = await ShardCluster.open(1);
    cluster.hasHints = false;
    cluster.leading[0] = 'n3';
    cluster.down.add('n1');
    const [outcome] = await inTime(cluster.clock, insert(cluster.router(), [1]));
    expect(outcome).to.deep.equal({ result: 'inserted' });
    expect(cluster.asked).to.deep.equal(['n1 edit', 'n2 edit', 'n3 edit']);
  });

  it('waits behind the query for a leader, and for no longer than it should', async () => {
    const cluster = await ShardCluster.open(1);
    const table = cluster.router();
    cluster.leading[0] = undefined;
    const late = insert(table, [1]);
    late.catch(() => undefined);
    for (let step = 0; step < 100; step += 1) {
      await cluster.clock.yield();
      cluster.clock.advance(10);
    }
    cluster.leading[0] = 'n2';
    expect(await inTime(cluster.clock, late)).to.deep.equal([{ result: 'inserted' }]);
    cluster.leading[0] = undefined;
    const from = cluster.clock.now();
    const read = await failureOf(inTime(cluster.clock, table.count()));
    expect(read).to.include({ code: 'router.primary_unavailable' });
    expect(read.message).to.match(
      /^Cannot perform read: primary replica for table `test\.t` not available\./,
    );
    expect(cluster.clock.now() - from).to.be.within(retryBudgetMs, retryBudgetMs + 1_000);
    const write = await failureOf(inTime(cluster.clock, insert(table, [2])));
    expect(write.message).to.match(/^Cannot perform write: primary replica/);
  });

  it('repeats reads whose answer is lost, and writes, which are carried out once', async () => {
    for (const fault of ['lostBefore', 'lostAfter'] as const) {
      const cluster = await ShardCluster.open(1);
      const table = cluster.router();
      cluster.faults.push('unsent');
      await inTime(cluster.clock, insert(table, all));
      cluster.faults.push(fault, 'unsent', fault);
      expect(await inTime(cluster.clock, table.count())).to.equal(30);
      cluster.faults.push(fault, 'unsent', fault);
      expect(await inTime(cluster.clock, insert(table, [100]))).to.deep.equal([
        { result: 'inserted' },
      ]);
      expect(await inTime(cluster.clock, insert(table, [100]))).to.have.nested.property(
        '[0].result',
        'failed',
      );
      expect(await inTime(cluster.clock, table.count())).to.equal(31);
    }
  });

  it('says that an outcome is unknown when no answer comes for a while after one was lost', async () => {
    for (const next of ['nothing', 'no leader', 'another map'] as const) {
      const cluster = await ShardCluster.open(1);
      const table = cluster.router();
      await inTime(cluster.clock, insert(table, all));
      cluster.faults.push('lostAfter');
      const from = cluster.clock.now();
      const written = insert(table, [100]);
      written.catch(() => undefined);
      while (cluster.faults.length > 0) await cluster.clock.yield();
      if (next === 'nothing') cluster.faults.push(...Array<'lostBefore'>(1_000).fill('lostBefore'));
      if (next === 'no leader') cluster.leading[0] = undefined;
      // Keys may belong to other shards there, which know nothing of the first attempt.
      if (next === 'another map') cluster.epoch = 2;
      const failure = await failureOf(inTime(cluster.clock, written));
      expect(failure).to.include({ code: 'router.outcome_unknown' });
      expect(failure.message).to.contain('Cannot perform write: lost contact');
      expect(cluster.clock.now() - from).to.be.below(retryBudgetMs + 1_000);
    }
  });

  it('repeats a write over newer maps while its shard is the same, and then only', async () => {
    for (const next of ['places', 'places again', 'groups', 'shards'] as const) {
      const cluster = await ShardCluster.open(1);
      const table = cluster.router();
      await inTime(cluster.clock, insert(table, all));
      cluster.faults.push('lostAfter');
      const written = insert(table, [100]);
      written.catch(() => undefined);
      while (cluster.faults.length > 0) await cluster.clock.yield();
      cluster.epoch = 2;
      const asked = cluster.asked.length;
      while (cluster.asked.length === asked) {
        await cluster.clock.yield();
        cluster.clock.advance(10);
      }
      if (next === 'groups') cluster.generation += 1;
      // The map that the router learns is newer than the one that refused it.
      if (next === 'places again') cluster.epoch = 3;
      cluster.learn(evenMap(2, next === 'shards' ? 2 : 1));
      if (next === 'places again') {
        const before = cluster.asked.length;
        while (cluster.asked.length === before) {
          await cluster.clock.yield();
          cluster.clock.advance(10);
        }
        cluster.learn(evenMap(3, 1));
      }
      if (next === 'groups' || next === 'shards') {
        const failure = await failureOf(inTime(cluster.clock, written));
        expect(failure, next).to.include({ code: 'router.outcome_unknown' });
        continue;
      }
      expect(await inTime(cluster.clock, written), next).to.deep.equal([{ result: 'inserted' }]);
      // It was carried out once.
      expect(await inTime(cluster.clock, table.count()), next).to.equal(31);
      expect(new Set(cluster.sessions.map((each) => each.split(' ')[0])).size).to.equal(2);
    }
  });

  it('uses a session again only when nothing of it can be under way', async () => {
    const cluster = await ShardCluster.open(1);
    const table = cluster.router();
    const write = (id: number): Promise<unknown> => inTime(cluster.clock, insert(table, [id]));
    await write(1);
    await write(2);
    cluster.faults.push('lostAfter');
    await write(3);
    await write(4);
    await Promise.all([write(5), write(6)]);
    const [name] = cluster.sessions[0]?.split('.') ?? [];
    const seen = cluster.sessions.map((each) => each.replace(`${name}.`, ''));
    expect([...new Set(seen)]).to.deep.equal([
      '1/1',
      '1/2',
      '1/3',
      '1/3 again',
      '2/1',
      '2/2',
      '3/1',
    ]);
  });

  it('has an outcome for each edit when one shard fails and the others do not', async () => {
    const cluster = await ShardCluster.open(4);
    const table = cluster.router();
    cluster.leading[0] = undefined;
    const outcomes = await inTime(cluster.clock, insert(table, all));
    const failed = outcomes.filter(({ result }) => result === 'failed');
    expect(failed.length).to.be.within(1, 29);
    expect(new Set(failed.map(({ error }) => error?.code))).to.deep.equal(
      new Set(['router.primary_unavailable']),
    );
    cluster.leading[0] = 'n1';
    const count = await inTime(cluster.clock, table.count());
    expect(count).to.equal(30 - failed.length);
  });

  for (const own of [undefined, 'n1'])
    it(`waits for an index that a new leader builds ${own === undefined ? 'elsewhere' : 'here'}, and no longer than it should`, async () => {
      const cluster = await ShardCluster.open(1);
      const table = cluster.router(own);
      await inTime(cluster.clock, insert(table, all));
      cluster.building = 3;
      const rows = await inTime(cluster.clock, rest(table.scanIndex('group', {}, 'ascending')));
      expect(rows).to.have.length(30);
      cluster.building = Number.POSITIVE_INFINITY;
      const from = cluster.clock.now();
      const never = rest(table.scanIndex('group', {}, 'ascending'));
      expect((await failureOf(inTime(cluster.clock, never))).message).to.contain('still building');
      expect(cluster.clock.now() - from).to.be.within(retryBudgetMs, retryBudgetMs + 1_000);
    });

  it('ends when its query does', async () => {
    const cluster = await ShardCluster.open(1);
    cluster.leading[0] = undefined;
    const query = new AbortController();
    const read = cluster.router().get(encodeKey(1), query) as Promise<unknown>;
    read.catch(() => undefined);
    await cluster.clock.yield();
    query.abort(new Error('enough'));
    expect((await failureOf(read)).message).to.equal('enough');
  });

  it('scans on while leaders change, without a row twice or none', async () => {
    for (const own of [undefined, 'n1']) {
      const cluster = await ShardCluster.open(4);
      const table = cluster.router(own);
      await inTime(cluster.clock, insert(table, all));
      for (const order of ['ascending', 'descending'] as const) {
        const scan = table.scan({}, order);
        const byIndex = table.scanIndex('group', {}, order);
        const rows: Row[] = [];
        const indexRows: Row[] = [];
        for (let turn = 0; rows.length < 30 || indexRows.length < 30; turn += 1) {
          const step = Promise.all(
            [scan, byIndex].map((source) => source.next({ rows: 4, bytes: 10_000 }, signal)),
          );
          const [some, others] = await inTime(cluster.clock, step);
          rows.push(...(some ?? []));
          indexRows.push(...(others ?? []));
          cluster.leading.unshift(cluster.leading.pop());
          cluster.faults.push(...(['lostAfter', 'unsent'] as const).slice(turn % 2));
        }
        const wanted = order === 'ascending' ? all : all.toReversed();
        expect(idsOf(rows)).to.deep.equal(wanted);
        const byGroup = wanted.toSorted((a, b) =>
          order === 'ascending' ? (a % 3) - (b % 3) : (b % 3) - (a % 3),
        );
        expect(idsOf(indexRows)).to.deep.equal(byGroup);
        cluster.faults.length = 0;
      }
    }
  });

  it('repeats what a newer map refuses, as soon as it knows that map', async () => {
    const cluster = await ShardCluster.open(1);
    const table = cluster.router();
    await inTime(cluster.clock, insert(table, all.slice(0, 15)));
    const scan = table.scan({}, 'ascending');
    const before = await inTime(cluster.clock, scan.next({ rows: 5, bytes: 10_000 }, signal));
    // The table gets three shards: the same documents, by their slots.
    const wide = evenMap(2, 3);
    const shards = await Promise.all([0, 1, 2].map(() => ShardCluster.shard()));
    for (const id of all.slice(0, 15))
      await insert(shards[wide.shardOf(encodeKey(id))] as TableAccess, [id]);
    cluster.shards = shards;
    cluster.leading.splice(0, 1, 'n3', 'n1', 'n2');
    cluster.epoch = 2;
    const late = [
      insert(table, all.slice(15)),
      rest(scan),
      table.get(encodeKey(3), { signal }) as Promise<Row>,
      table.count(),
    ] as const;
    for (let step = 0; step < 20; step += 1) await cluster.clock.yield();
    cluster.learn(wide);
    const [outcomes, rows, row, count] = await inTime(cluster.clock, Promise.all(late));
    expect(outcomes.every(({ result }) => result === 'inserted')).to.equal(true);
    expect(outcomes.length).to.equal(15);
    const seen = [...idsOf(before ?? []), ...idsOf(rows)];
    expect(seen.slice(0, 15)).to.deep.equal(all.slice(0, 15));
    expect(new Set(seen).size).to.equal(seen.length);
    expect(row.text).to.equal('{"group":0,"id":3}');
    expect(count).to.be.within(15, 30);
    expect(await inTime(cluster.clock, table.count())).to.equal(30);
  });

  it('does not believe a node with an older map, and says so when it never gets the newer one', async () => {
    const cluster = await ShardCluster.open(1);
    const table = cluster.router();
    cluster.learn(evenMap(2, 1));
    const older = await failureOf(inTime(cluster.clock, table.count()));
    expect(older).to.include({ code: 'router.primary_unavailable' });
    cluster.epoch = 3;
    const newer = await failureOf(inTime(cluster.clock, insert(table, [1])));
    expect(newer).to.include({ code: 'router.primary_unavailable' });
    cluster.isDropped = true;
    const dropped = await failureOf(inTime(cluster.clock, insert(table, [1])));
    expect(dropped.message).to.contain('The table was dropped.');
  });
});
