import { expect } from 'chai';
import { Term } from '../term-table.ts';
import { array, Bench, fn } from '../testing/run.ts';

const field = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];
const items = array(1, 2, 3);

/** Functions that read a table are waited for, one item after the other. */
describe('functions that wait', () => {
  const bench = new Bench();
  const unheard: unknown[] = [];
  const hear = (reason: unknown): void => void unheard.push(reason);
  let table: unknown;

  before(async () => {
    table = await bench.table('t', [{ id: 1, n: 1 }, { id: 2, n: 2 }, { id: 3 }]);
    process.prependListener('unhandledRejection', hear);
  });
  after(() => process.removeListener('unhandledRejection', hear));

  it('fail a query, and nothing else', async () => {
    const read = (id: unknown): unknown => [Term.GET, [table, id]];
    const lacks = (id: unknown): unknown => field(read(id), 'none');
    const raises = (id: unknown): unknown => [Term.ADD, [field(read(id), 'id'), 'text']];
    for (const fails of [lacks, raises]) {
      const [one, two] = [fn(fails), fn((a, b) => [Term.AND, [fails(a), b]], 2)];
      const row = fn((each) => fails(field(each, 'id')));
      const terms: readonly unknown[] = [
        [Term.CONTAINS, [items, one, one]],
        [Term.CONTAINS, [table, row, row]],
        [Term.FILTER, [items, one], { default: [Term.ERROR, []] }],
        [Term.MAP, [items, one]],
        [Term.MAP, [items, items, two]],
        [Term.CONCAT_MAP, [items, one]],
        [Term.REDUCE, [items, two]],
        [Term.FOLD, [items, 0, two]],
        [Term.INNER_JOIN, [items, items, two]],
        [Term.OUTER_JOIN, [items, items, two]],
        [Term.MERGE, [{ id: 1 }, row, row]],
        [Term.FOR_EACH, [items, one]],
      ];
      for (const term of terms)
        expect((await bench.failure(term))[0], JSON.stringify(term)).to.be.greaterThan(0);
    }
    const forgiving: readonly unknown[] = [
      [Term.ORDER_BY, [items, fn(raises), fn(raises)]],
      [Term.ORDER_BY, [table, fn((each) => raises(field(each, 'id')))]],
      [Term.UNION, [items, items], { interleave: fn(raises) }],
      [Term.UNION, [table, items], { interleave: fn(() => raises(1)) }],
      [Term.GROUP, [items, fn(raises), fn(raises)]],
      [Term.MIN, [items, fn(raises)]],
      [Term.COUNT, [items, fn(raises)]],
      [Term.OFFSETS_OF, [items, fn(raises)]],
      [Term.EQ_JOIN, [items, fn(raises), table]],
      [
        Term.UPDATE,
        [table, fn((each) => ({ a: raises(field(each, 'id')) }))],
        { non_atomic: true },
      ],
    ];
    for (const term of forgiving) await bench.run(term).catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    expect(unheard).to.deep.equal([]);
  });

  it('find what functions that need no waiting find', async () => {
    const later = fn((x) => field([Term.GET, [table, x]], 'id'));
    const [now, last] = [
      fn((x) => x),
      fn((x) => [Term.EQ, [field([Term.GET, [table, x]], 'id'), 3]]),
    ];
    const same: readonly ((by: unknown) => unknown)[] = [
      (by) => [Term.ORDER_BY, [array(3, 1, 2), by]],
      (by) => [Term.ORDER_BY, [array(3, 1, 2), [Term.DESC, [by]]]],
      (by) => [Term.UNION, [array(1, 3), array(2)], { interleave: by }],
      (by) => [Term.MAX, [items, by]],
      (by) => [Term.UNGROUP, [[Term.GROUP, [items, by, by]]]],
      (by) => [Term.MAP, [items, by]],
    ];
    for (const term of same)
      expect(await bench.run(term(later))).to.deep.equal(await bench.run(term(now)));
    expect(await bench.run([Term.CONTAINS, [items, last]])).to.equal(true);
    expect(await bench.run([Term.CONTAINS, [items, last, last]])).to.equal(false);
    expect(await bench.run([Term.CONTAINS, [items, 3, last]])).to.equal(true);
    expect(await bench.run([Term.CONTAINS, [items, later, last, 1]])).to.equal(true);
    expect(await bench.run([Term.OFFSETS_OF, [items, last]])).to.deep.equal([2]);
  });
});
