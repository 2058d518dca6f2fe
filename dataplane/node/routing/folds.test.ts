import { expect } from 'chai';
import * as fc from 'fast-check';
import { CompileError, RuntimeError } from '../../query/errors.ts';
import { Term } from '../../query/term-table.ts';
import { documents, queries } from '../../query/testing/pushed-queries.ts';
import { array, Bench, fn } from '../../query/testing/run.ts';
import { readModes } from '../../wire/table-access.ts';
import { nodes, ThreeNodes } from './testing/three-nodes.ts';

const table = [Term.TABLE, ['t']];
const get = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];

/** Four shards with leaders on all nodes. */
async function opened(rows: readonly unknown[]): Promise<ThreeNodes> {
  const cluster = await ThreeNodes.open();
  cluster.clock.timeOfDayMs = 1_700_000_000_000;
  await cluster.createTable(
    't',
    nodes.concat('a').map((first) => [first, ...nodes.filter((node) => node !== first)]),
  );
  for (let shard = 0; shard < 4; shard += 1)
    await cluster.lead(nodes[shard % 3] ?? 'a', 't', shard);
  await cluster.query('a', [Term.INDEX_CREATE, [table, 'a']]);
  await cluster.known();
  await cluster.until(
    () => nodes.every((node) => cluster.hasIndex(node, 't')),
    'all have the index',
  );
  await cluster.query('b', [Term.INSERT, [table, array(...rows)]]);
  const isThere = (): boolean => nodes.every((node) => cluster.count(node, 't') === rows.length);
  await cluster.until(isThere, 'all replicas have the rows');
  return cluster;
}

async function benchOf(rows: readonly unknown[]): Promise<Bench> {
  const bench = new Bench();
  await bench.table('t', rows);
  await bench.run([Term.INDEX_CREATE, [table, 'a']]);
  return bench;
}

/** The answer, or the error with its place. */
async function resultOf(run: () => Promise<unknown>): Promise<string> {
  try {
    return JSON.stringify(await run());
  } catch (error) {
    if (!(error instanceof CompileError || error instanceof RuntimeError)) throw error;
    return `failed: ${JSON.stringify([error.message, error.backtrace])}`;
  }
}

const isFailure = /^failed: /;

describe('queries over shards of several nodes', function folds() {
  this.timeout(120_000);

  it('answer and fail as over one shard, at any node, whatever shards evaluate', async () => {
    const cluster = await opened(documents);
    const one = await benchOf(documents);
    const singles = await Promise.all(documents.map((each) => benchOf([each])));
    let asked = 0;
    await fc.assert(
      fc.asyncProperty(queries, fc.constantFrom(...readModes), async (query, mode) => {
        const expected = await resultOf(() => one.run(query));
        for (const node of nodes) {
          cluster.asked.length = 0;
          const options = { read_mode: mode };
          const found = await resultOf(() => cluster.query(node, query, options));
          asked += cluster.asked.length;
          if (found === expected) continue;
          expect(
            [found, expected].every((each) => isFailure.test(each)),
            `${found} ${expected}`,
          ).to.equal(true);
          // When several rows fail, the error is that of any one of them.
          const errors = await Promise.all(singles.map((each) => resultOf(() => each.run(query))));
          expect(errors).to.include(found);
        }
      }),
      { numRuns: 300 },
    );
    expect(asked).to.be.greaterThan(300);
  });

  const most = 3_000;
  const rows = Array.from({ length: most }, (_, id) => ({
    id,
    a: id % 7,
    text: 'x'.repeat(200),
  }));

  it('send what the shards have made of their rows, and not the rows', async () => {
    const cluster = await opened(rows);
    const one = await benchOf(rows);
    const small = [Term.FILTER, [table, fn((row) => [Term.LT, [get(row, 'id'), 20]])]];
    const byIndex = [Term.BETWEEN, [table, 1, 5], { index: 'a' }];
    const mapped = [Term.MAP, [table, fn((row) => [Term.MUL, [get(row, 'a'), 3]])]];
    const forms = [
      [Term.COUNT, [table]],
      [Term.COUNT, [small]],
      [Term.ORDER_BY, [small, 'id']],
      [Term.SUM, [mapped]],
      [Term.AVG, [table, 'id']],
      [Term.COUNT, [byIndex]],
      [Term.SUM, [byIndex, 'id']],
      [Term.UNGROUP, [[Term.SUM, [[Term.GROUP, [table, 'a']], 'id']]]],
      [Term.UNGROUP, [[Term.COUNT, [[Term.GROUP, [byIndex, 'a']]]]]],
      [Term.MIN, [[Term.GET_FIELD, [table, 'id']]]],
      [Term.MAX, [[Term.GET_FIELD, [byIndex, 'id']]]],
      [Term.DISTINCT, [[Term.GET_FIELD, [table, 'a']]]],
      [
        Term.LIMIT,
        [[Term.PLUCK, [[Term.ORDER_BY, [table], { index: [Term.DESC, ['id']] }], 'id']], 5],
      ],
      [Term.UNGROUP, [[Term.GROUP, [[Term.PLUCK, [small, 'a', 'id']], 'a']]]],
    ];
    for (const form of forms) {
      const expected = await one.run(form);
      for (const node of nodes) {
        cluster.answeredBytes = 0;
        expect(await cluster.query(node, form)).to.deep.equal(expected);
        // All rows are some 700,000 bytes.
        expect(cluster.answeredBytes, JSON.stringify(form)).to.be.below(60_000);
      }
    }
  });

  it('fold each row once while leaders change', async () => {
    const cluster = await opened(rows);
    const grouped = [Term.UNGROUP, [[Term.COUNT, [[Term.GROUP, [table, 'a']]]]]];
    const expected = await (await benchOf(rows)).run(grouped);
    for (let round = 0; round < 6; round += 1) {
      const answer = cluster.answer(nodes[round % 3] ?? 'a', grouped);
      for (let shard = 0; shard < 4; shard += 1)
        await cluster.lead(nodes[(round + shard) % 3] ?? 'a', 't', shard);
      await cluster.until(() => answer.state !== 'open', 'the query is answered');
      expect(answer.value).to.deep.equal(expected);
    }
  });
});
