import { expect } from 'chai';
import { Term } from '../../query/term-table.ts';
import { array } from '../../query/testing/run.ts';
import { readModes } from '../../wire/table-access.ts';
import type { ReadMode } from '../../wire/table-access.ts';
import { nodes, ThreeNodes } from './testing/three-nodes.ts';
import type { NodeName } from './testing/three-nodes.ts';

const table = [Term.TABLE, ['t']];
const read = (mode: ReadMode): unknown => [Term.TABLE, ['t'], { read_mode: mode }];
const reads = (from: unknown): Readonly<Record<string, unknown>> => ({
  get: [Term.GET, [from, 1]],
  getAll: [Term.GET_ALL, [from, 1, 2]],
  between: [Term.BETWEEN, [from, 1, 3]],
  'by an index': [Term.GET_ALL, [from, 1], { index: 'v' }],
  scan: [Term.ORDER_BY, [from], { index: 'id' }],
  filter: [Term.FILTER, [[Term.ORDER_BY, [from], { index: 'id' }], { v: 1 }]],
  count: [Term.COUNT, [from]],
  sum: [Term.SUM, [from, 'v']],
  groups: [Term.COUNT, [[Term.GROUP, [from, 'v']]]],
});
const rows = [1, 2, 3, 4].map((id) => ({ id, v: id % 2 }));

const write = (id: number, v: number): unknown => [
  Term.INSERT,
  [table, { id, v }],
  { conflict: 'replace' },
];

async function opened(replicas: readonly NodeName[] = nodes, shards = 1): Promise<ThreeNodes> {
  const cluster = await ThreeNodes.open();
  await cluster.createTable('t', Array(shards).fill(replicas));
  await cluster.query('a', [Term.INDEX_CREATE, [table, 'v']]);
  await cluster.known();
  const isBuilt = (node: NodeName): boolean => cluster.hasIndex(node, 't');
  await cluster.until(() => replicas.every(isBuilt), 'all replicas have the index');
  await cluster.query('a', [Term.INSERT, [table, array(...rows)]]);
  const isThere = (node: NodeName): boolean => cluster.count(node, 't') === rows.length;
  await cluster.until(() => replicas.every(isThere), 'all replicas have the rows');
  cluster.asked.length = 0;
  return cluster;
}

const valueOf = async (cluster: ThreeNodes, node: NodeName, mode: ReadMode): Promise<unknown> => {
  const row = await cluster.query(node, [Term.GET, [read(mode), 1]]);
  return (row as { readonly v: unknown } | null)?.v;
};

describe('read modes', function modes() {
  this.timeout(120_000);

  it('answer the same on every node while nothing is wrong, as terms and for the whole query', async () => {
    const cluster = await opened(nodes, 2);
    const known = new Map<string, unknown>();
    for (const mode of readModes)
      for (const node of nodes)
        for (const [name, term] of Object.entries(reads(read(mode)))) {
          const answer = await cluster.query(node, term);
          if (!known.has(name)) known.set(name, answer);
          expect(answer, `${name}, ${mode} at ${node}`).to.deep.equal(known.get(name));
        }
    expect(known.get('count')).to.equal(4);
    expect(known.get('sum')).to.equal(2);
    for (const term of Object.values(reads(table))) {
      cluster.asked.length = 0;
      await cluster.query('b', term, { read_mode: 'outdated' });
      expect(cluster.asked).to.deep.equal([]);
    }
  });

  it('are refused in the words of RethinkDB', async () => {
    const cluster = await opened();
    const wrong =
      'Read mode `stale` unrecognized (options are "majority", "single", and "outdated").';
    const asTerm = await cluster.failure('a', [Term.TABLE, ['t'], { read_mode: 'stale' }]);
    expect(asTerm.message).to.equal(wrong);
    expect((await cluster.failure('a', table, { read_mode: 'stale' })).message).to.equal(wrong);
  });

  it('outdated: reads a replica of the node itself, also when nobody leads', async () => {
    const cluster = await opened();
    for (const node of ['a', 'b'] as const) cluster.isolated.add(node);
    for (const node of nodes)
      for (const [name, term] of Object.entries(reads(read('outdated')))) {
        const from = cluster.clock.now();
        expect(await cluster.query(node, term), name).to.not.equal(undefined);
        expect(cluster.clock.now() - from, `${name} at ${node}`).to.be.below(1_000);
      }
    expect(cluster.asked).to.deep.equal([]);
    for (const mode of ['single', 'majority'] as const) {
      const refused = await cluster.failure('c', [Term.GET, [read(mode), 1]]);
      expect(refused.message).to.contain('Cannot perform read: primary replica for table `test.t`');
    }
    const written = await cluster.failure('c', [Term.INSERT, [read('outdated'), { id: 9 }]]);
    expect(written.message).to.match(/^Cannot perform write/);
  });

  it('outdated: shows what was committed, and in time what the others write', async () => {
    const cluster = await opened();
    await cluster.lead('a', 't');
    cluster.isolated.add('a');
    await cluster.until(() => cluster.leaderOf('t') !== undefined, 'another node leads');
    await cluster.query('b', write(1, 7));
    expect(await valueOf(cluster, 'a', 'outdated')).to.equal(1);
    expect(await valueOf(cluster, 'b', 'single')).to.equal(7);
    cluster.isolated.clear();
    const shown = async (): Promise<boolean> => (await valueOf(cluster, 'a', 'outdated')) === 7;
    while (!(await shown())) await cluster.pass(100);
  });

  it('majority: is confirmed by most replicas, however sure the leader is', async () => {
    const cluster = await opened();
    await cluster.lead('a', 't');
    expect(await valueOf(cluster, 'a', 'majority')).to.equal(1);
    cluster.isolated.add('a');
    // Its lease lasts, so that nobody else can lead.
    expect(await valueOf(cluster, 'a', 'single')).to.equal(1);
    const asked = cluster.answer('a', [Term.GET, [read('majority'), 1]]);
    await cluster.pass(2_000);
    expect(asked.state).to.equal('open');
    await cluster.until(() => cluster.leaderOf('t') !== undefined, 'another node leads');
    await cluster.query('b', write(1, 8));
    cluster.isolated.clear();
    await cluster.until(() => asked.state !== 'open', 'the read is answered');
    expect(asked.value).to.deep.equal({ id: 1, v: 8 });
  });

  it('majority: never answers what a leader had that was deposed', async () => {
    const cluster = await opened();
    for (let round = 0; round < 6; round += 1) {
      const [old, next] = [nodes[round % 3] ?? 'a', nodes[(round + 1) % 3] ?? 'b'];
      await cluster.lead(old, 't');
      cluster.isolated.add(old);
      await cluster.until(() => cluster.leaderOf('t') !== undefined, 'another node leads');
      await cluster.query(next, write(1, 100 + round));
      const asked = (['majority', 'single'] as const).flatMap((mode) =>
        [reads(read(mode))['get'], reads(read(mode))['getAll']].map((term) =>
          cluster.answer(old, term),
        ),
      );
      await cluster.pass(round * 30);
      cluster.isolated.clear();
      await cluster.until(() => asked.every(({ state }) => state !== 'open'), 'all are answered');
      for (const { value } of asked) expect(JSON.stringify(value)).to.contain(`"v":${100 + round}`);
    }
  });

  it('outdated: asks another replica when the first one does not answer, also without a leader', async () => {
    const cluster = await opened(['b', 'c']);
    await cluster.lead('b', 't');
    for (const first of ['b', 'c'] as const) {
      cluster.stuck.add(first);
      const from = cluster.clock.now();
      expect(await valueOf(cluster, 'a', 'outdated')).to.equal(1);
      expect(await valueOf(cluster, 'a', 'outdated')).to.equal(1);
      expect(cluster.clock.now() - from).to.be.below(5_000);
      cluster.stuck.clear();
    }
    cluster.isolated.add('b');
    expect(await cluster.query('a', [Term.COUNT, [read('outdated')]])).to.equal(4);
  });

  it('outdated: is not answered by a replica that has yet to receive the rows', async () => {
    const cluster = await opened(['b', 'c']);
    await cluster.lead('b', 't');
    await cluster.place('t', ['b', 'c', 'a']);
    await cluster.until(() => cluster.replica('a', 't') !== undefined, 'the node has a replica');
    expect(await cluster.query('a', [Term.COUNT, [read('outdated')]])).to.equal(4);
    expect(cluster.asked.every((each) => each.endsWith('count outdated'))).to.equal(true);
    expect(cluster.asked).to.have.length.above(0);
    const voters = ['a', 'b', 'c'];
    const group = cluster.replica('b', 't')?.replicas;
    group?.changeMembers({ voters: ['b', 'c'], learners: ['a'] });
    await cluster.until(() => cluster.count('a', 't') === 4, 'the learner has the rows');
    group?.changeMembers({ voters, learners: [] });
    const isVoter = (): boolean => cluster.replica('a', 't')?.replicas.isVoter === true;
    await cluster.until(isVoter, 'the learner votes');
    cluster.asked.length = 0;
    expect(await cluster.query('a', [Term.COUNT, [read('outdated')]])).to.equal(4);
    expect(cluster.asked).to.deep.equal([]);
  });

  it('outdated: says when no replica answers', async () => {
    const cluster = await opened(['b', 'c']);
    for (const gone of ['b', 'c']) cluster.isolated.add(gone);
    const from = cluster.clock.now();
    const refused = await cluster.failure('a', [Term.COUNT, [read('outdated')]]);
    expect(refused.message).to.match(
      /^Cannot perform read: no replica for table `test\.t` is available\. /,
    );
    expect(cluster.clock.now() - from).to.be.within(10_000, 12_000);
  });

  it('find what is acknowledged with `write_acks` `single` as with `majority`', async () => {
    for (const writeAcks of ['single', 'majority'] as const) {
      const cluster = await ThreeNodes.open();
      await cluster.createTable('t', [nodes], { writeAcks });
      await cluster.query('a', write(1, 1));
      await cluster.lead('a', 't');
      cluster.isolated.add('a');
      const alone = cluster.answer('a', write(1, 2));
      await cluster.until(() => cluster.leaderOf('t') !== undefined, 'another node leads');
      expect(alone.state).to.equal('open');
      const seen = await valueOf(cluster, 'b', 'single');
      await cluster.until(() => alone.state !== 'open', 'the write ends');
      expect([seen, (alone.value as Error).message]).to.deep.equal([
        1,
        'Cannot perform write: lost contact with primary replica for table `test.t`. The write may have been applied, or not: read the document before you repeat it.',
      ]);
    }
  });
});
