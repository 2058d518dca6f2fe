import { expect } from 'chai';
import * as fc from 'fast-check';
import type { PushedScan } from '../wire/pushed-scan.ts';
import type { ScanRun } from '../wire/shard-engine.ts';
import { createEditEngine } from './edit-engine.ts';
import { Term } from './term-table.ts';
import { documents, queries } from './testing/pushed-queries.ts';
import { array, Bench, fn } from './testing/run.ts';

const table = [Term.TABLE, ['t']];

/** What the shards of a table evaluate: how many rows they are given, and how many they leave to the query. */
interface Seen {
  rows: number;
  left: number;
  readonly scans: PushedScan[];
}

/** A table whose shards evaluate the rows for which `evaluates` holds. */
async function tableOf(
  documents: readonly unknown[],
  evaluates: (row: number) => boolean,
): Promise<{ bench: Bench; seen: Seen }> {
  const bench = new Bench();
  const engine = createEditEngine();
  const seen: Seen = { rows: 0, left: 0, scans: [] };
  bench.environment.edits = {
    ...engine,
    scan: (pushed) => {
      seen.scans.push(pushed);
      return watched(engine.scan(pushed), seen, evaluates);
    },
  };
  await bench.table('t', documents);
  await bench.run([Term.INDEX_CREATE, [table, 'a']]);
  return { bench, seen };
}

const watched = (run: ScanRun, seen: Seen, evaluates: (row: number) => boolean): ScanRun => ({
  begin: () => run.begin(),
  get isSpent() {
    return run.isSpent;
  },
  made: (row) => {
    seen.rows += 1;
    const made = evaluates(seen.rows) ? run.made(row) : undefined;
    if (made === undefined) seen.left += 1;
    if (made === 'later') seen.rows -= 1;
    return made;
  },
  states: () => run.states(),
});

const get = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];

/** The answer, or the error with its place. */
async function resultOf(bench: Bench, query: unknown): Promise<string> {
  try {
    return JSON.stringify(await bench.run(query));
  } catch {
    return `failed: ${JSON.stringify(await bench.failure(query))}`;
  }
}

const isFailure = /^failed: /;

describe('scans with operations that shards evaluate', () => {
  it('answer and fail as when the query evaluates them, whichever rows a shard evaluates', async function () {
    this.timeout(60_000);
    const all = await tableOf(documents, () => true);
    const none = await tableOf(documents, () => false);
    const some = await tableOf(documents, (row) => row % 2 === 0);
    const singles = await Promise.all(documents.map((each) => tableOf([each], () => false)));
    /** When several rows fail, the error is that of any one of them. */
    const isOfOneRow = async (query: unknown, found: string): Promise<boolean> => {
      const errors = await Promise.all(singles.map(({ bench }) => resultOf(bench, query)));
      return errors.includes(found);
    };
    const check = async (bench: Bench, query: unknown, expected: string): Promise<void> => {
      const found = await resultOf(bench, query);
      if (found === expected) return;
      const haveFailed = [found, expected].every((each) => isFailure.test(each));
      if (!haveFailed || !(await isOfOneRow(query, found))) expect(found).to.equal(expected);
    };
    await fc.assert(
      fc.asyncProperty(queries, async (query) => {
        const expected = await resultOf(none.bench, query);
        await check(all.bench, query, expected);
        await check(some.bench, query, expected);
      }),
      { numRuns: 1_500 },
    );
    expect(all.seen.rows - all.seen.left).to.be.greaterThan(2_000);
  });

  const numbers = Array.from({ length: 2_500 }, (_, id) => ({ id, a: id % 7, text: 'x' }));

  it('fold all rows beside the table, and groups of them', async () => {
    const { bench, seen } = await tableOf(numbers, () => true);
    const filtered = [Term.FILTER, [table, fn((row) => [Term.LT, [get(row, 'a'), 2]])]];
    const mapped = [Term.MAP, [filtered, fn((row) => [Term.ADD, [get(row, 'a'), 1]])]];
    expect(await bench.run([Term.COUNT, [filtered]])).to.equal(715);
    expect(await bench.run([Term.SUM, [mapped]])).to.equal(358 + 2 * 357);
    expect(await bench.run([Term.MAX, [mapped]])).to.equal(2);
    const grouped = await bench.run([Term.UNGROUP, [[Term.COUNT, [[Term.GROUP, [table, 'a']]]]]]);
    expect(grouped).to.deep.equal(
      Array.from({ length: 7 }, (_, group) => ({ group, reduction: group === 0 ? 358 : 357 })),
    );
    const values = [Term.DISTINCT, [[Term.GET_FIELD, [table, 'a']]]];
    expect(await bench.run(values)).to.deep.equal([0, 1, 2, 3, 4, 5, 6]);
    expect(seen.left).to.equal(0);
    expect(seen.rows).to.equal(5 * 2_500);
  });

  it('send what a function captures, and the query is the one that evaluates what depends on more', async () => {
    const { bench, seen } = await tableOf(documents, () => true);
    const captured = [
      Term.FUNCALL,
      [[Term.FUNC, [array(9), [Term.COUNT, [[Term.FILTER, [table, { a: [Term.VAR, [9]] }]]]]]], 2],
    ];
    expect(await bench.run(captured)).to.equal(2);
    expect(seen.scans.at(-1)?.steps).to.have.length(1);
    const sent = seen.scans.length;
    for (const by of [
      fn((row) => [Term.GT, [[Term.RANDOM, []], get(row, 'id')]]),
      fn((row) => [Term.GT, [get([Term.GET, [table, 1]], 'a'), get(row, 'id')]]),
      fn(() => [Term.UUID, []]),
    ])
      await bench.run([Term.COUNT, [[Term.FILTER, [table, by]]]]);
    // The rows are counted here: what is filtered is not known there.
    expect(seen.scans.length).to.equal(sent);
  });

  it('are left to the query when a row needs too much, and end a batch that needs much', async () => {
    const { bench, seen } = await tableOf(numbers.slice(0, 50), () => true);
    const each = [Term.VAR, [5]];
    const folded = (most: number): unknown =>
      fn((row) => {
        const items = array(...Array.from({ length: most }, (_, at) => at));
        const added = [Term.FUNC, [array(5), [Term.ADD, [each, get(row, 'a')]]]];
        return [Term.SUM, [[Term.MAP, [items, added]]]];
      });
    const most = 3_000;
    const wanted = (row: number): number => (most * (most - 1)) / 2 + most * row;
    const values = await bench.run([Term.MAP, [table, folded(most)]]);
    expect(values).to.deep.equal(numbers.slice(0, 50).map(({ a }) => wanted(a)));
    expect(seen.left).to.equal(50);
    seen.left = 0;
    expect(await bench.run([Term.COUNT, [[Term.FILTER, [table, folded(500)]]]])).to.equal(50);
    expect(seen.left).to.equal(0);
  });

  it('keep the order and the documents of a selection, which can be written to', async () => {
    const { bench } = await tableOf(documents, (row) => row % 2 === 0);
    const selection = [Term.FILTER, [table, fn((row) => [Term.EQ, [get(row, 'b'), 'x']])]];
    expect(await bench.run([Term.TYPE_OF, [selection]])).to.equal('SELECTION<STREAM>');
    const changed = await bench.run([Term.UPDATE, [selection, { b: 'z' }]]);
    expect(changed).to.deep.include({ replaced: 2, unchanged: 0, errors: 0 });
    const sorted = [Term.ORDER_BY, [table], { index: [Term.DESC, ['id']] }];
    expect(
      await bench.run([
        Term.MAP,
        [[Term.FILTER, [sorted, { b: 'z' }]], fn((row) => get(row, 'id'))],
      ]),
    ).to.deep.equal([5, 1]);
  });
});
