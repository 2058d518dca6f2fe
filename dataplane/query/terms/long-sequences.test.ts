import { expect } from 'chai';
import { Term } from '../term-table.ts';
import { array, Bench, fn } from '../testing/run.ts';
import { sliceUnits } from '../work/work.ts';

const field = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];
const add = fn((sum, x) => [Term.ADD, [sum, x]], 2);
const limit = { array_limit: 10 };
const long = [Term.MAP, [[Term.RANGE, [100]], fn((x) => x)]];

/** What does not have to be held at once is not bounded by the limit of arrays. */
describe('sequences longer than an array', () => {
  const bench = new Bench();
  const value = (term: unknown): Promise<unknown> => bench.run(term, limit);
  const count = (term: unknown): Promise<unknown> => value([Term.COUNT, [term]]);
  let table: unknown;

  before(async () => {
    table = await bench.table(
      'many',
      Array.from({ length: 100 }, (_, id) => ({ id, same: 1 })),
    );
    await bench.run([Term.INDEX_CREATE, [table, 'same']]);
  });

  it('are read through by reductions and by what follows item by item', async () => {
    expect(await value([Term.FOLD, [long, 0, add]])).to.equal(4_950);
    expect(await value([Term.REDUCE, [long, add]])).to.equal(4_950);
    const sums = [Term.FOLD, [long, 0, add], { emit: fn((_, __, sum) => array(sum, sum), 3) }];
    expect(await count(sums)).to.equal(200);
    expect(await count([Term.CONCAT_MAP, [array(1, 2), fn(() => [Term.RANGE, [5]])]])).to.equal(10);
    expect(await count([Term.CONCAT_MAP, [long, fn(() => long)]])).to.equal(10_000);
    expect(await count([Term.CONCAT_MAP, [table, fn(() => table)]])).to.equal(10_000);
    expect(await count([Term.OFFSETS_OF, [long, fn(() => true)]])).to.equal(100);
    expect(await count([Term.DIFFERENCE, [long, array(1)]])).to.equal(99);
  });

  it('are joined by a key that many have', async () => {
    const join = [Term.EQ_JOIN, [table, 'same', table], { index: 'same' }];
    expect(await count(join)).to.equal(10_000);
    const read = bench.environment.rowsRead;
    expect(await count([Term.LIMIT, [join, 3]])).to.equal(3);
    expect(bench.environment.rowsRead - read).to.be.below(300);
  });

  it('let others have their turn while they are joined by a function', async () => {
    const before = bench.environment.pauses;
    const pairs = [Term.INNER_JOIN, [table, table, fn((a, b) => [Term.EQ, [a, b]], 2)]];
    expect(await bench.run([Term.COUNT, [pairs]])).to.equal(100);
    expect(bench.environment.pauses - before).to.be.at.least(Math.floor(10_000 / sliceUnits) + 1);
  });

  it('give a sample', async () => {
    const drawn = [Term.SAMPLE, [table, 3]];
    expect(await count(drawn)).to.equal(3);
    expect(await value([Term.TYPE_OF, [drawn]])).to.equal('SELECTION<ARRAY>');
    expect(await value([Term.TYPE_OF, [[Term.SAMPLE, [long, 3]]]])).to.equal('ARRAY');
    expect(await count([Term.SAMPLE, [array(1, 2), 5]])).to.equal(2);
    expect((await bench.failure([Term.SAMPLE, [long, 11]], limit))[0]).to.equal(2_000_000);
    expect(await count([Term.DISTINCT, [[Term.SAMPLE, [[Term.RANGE, [9]], 9]]]])).to.equal(9);
  });

  it('are written one by one', async () => {
    const other = await bench.table('copies', []);
    const copy = fn((row) => [Term.INSERT, [other, { id: field(row, 'id') }]]);
    expect(await value([Term.FOR_EACH, [table, copy]])).to.include({ inserted: 100 });
    const keys = (await value([
      Term.FOR_EACH,
      [long, fn(() => [Term.INSERT, [other, {}]])],
    ])) as Record<string, unknown>;
    expect(keys).to.deep.include({
      inserted: 100,
      warnings: ['Too many changes, array truncated to 10.'],
    });
    expect(keys['generated_keys']).to.have.length(10);
    const mixed = [
      Term.FOR_EACH,
      [array(1, 2), fn((x) => ({ n: [Term.BRANCH, [[Term.EQ, [x, 1]], 1, true]] }))],
    ];
    expect((await bench.failure(mixed))[1]).to.equal(
      'Cannot merge statistics `1` (type NUMBER) and `true` (type BOOL).',
    );
    const own = fn(() => [Term.INSERT, [other, { own: true }]]);
    const few = [Term.FOR_EACH, [[Term.LIMIT, [other, 5]], own]];
    expect(await value(few)).to.include({ inserted: 5 });
  });

  it('are refused where all of it must be held', async () => {
    for (const term of [
      [Term.ORDER_BY, [long, fn((x) => x)]],
      [Term.COERCE_TO, [long, 'array']],
      [Term.DISTINCT, [long]],
      [Term.INNER_JOIN, [array(1), long, fn(() => true, 2)]],
      [Term.DIFFERENCE, [array(1), long]],
      [Term.CONCAT_MAP, [array(1, 2), fn(() => [Term.RANGE, [9]])]],
      [Term.UNGROUP, [[Term.GROUP, [long, fn((x) => [Term.MOD, [x, 2]])]]]],
      [Term.COUNT, [[Term.GROUP, [long, fn((x) => x)]]]],
    ])
      expect((await bench.failure(term, limit))[0], JSON.stringify(term)).to.equal(2_000_000);
  });
});
