import { expect } from 'chai';
import { Term } from '../term-table.ts';
import { array, Bench, fn } from '../testing/run.ts';

const field = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];
const union = (sources: readonly unknown[], interleave?: unknown): unknown => [
  Term.UNION,
  sources,
  interleave === undefined ? {} : { interleave },
];
const unordered = 'The streams given as arguments are not ordered by given ordering.';

describe('union', () => {
  const bench = new Bench();
  const value = (term: unknown): Promise<unknown> => bench.run(term);
  let odd: unknown;
  let even: unknown;

  before(async () => {
    odd = await bench.table(
      'odd',
      [1, 3, 5].map((n) => ({ id: n, n, g: 1 })),
    );
    even = await bench.table(
      'even',
      [2, 4, 6].map((n) => ({ id: n, n, g: 1 })),
    );
  });

  it('puts one sequence behind the other', async () => {
    expect(await value(union([array(3), array(1), array()]))).to.deep.equal([3, 1]);
    expect(await value(union([]))).to.deep.equal([]);
    for (const interleave of [undefined, true, false])
      expect(await value(field(union([odd, array({ id: 0 })], interleave), 'id'))).to.deep.equal([
        1, 3, 5, 0,
      ]);
  });

  it('merges by an order that each sequence has', async () => {
    const sources = [
      [Term.ORDER_BY, [odd, 'n']],
      [Term.ORDER_BY, [even, 'n']],
    ];
    const down = [odd, even].map((table) => [Term.ORDER_BY, [table, [Term.DESC, ['n']]]]);
    const n = fn((row) => field(row, 'n'));
    for (const interleave of ['n', n, [Term.ASC, ['n']], array('n'), array(n, 'g'), array('g', n)])
      expect(await value(field(union(sources, interleave), 'n'))).to.deep.equal([1, 2, 3, 4, 5, 6]);
    for (const interleave of [[Term.DESC, ['n']], array([Term.DESC, [n]])])
      expect(await value(field(union(down, interleave), 'n'))).to.deep.equal([6, 5, 4, 3, 2, 1]);
    const arrays = [array(1, 4), array(2, 2, 5), array()];
    const same = fn((x) => x);
    expect(await value(union(arrays, same))).to.deep.equal([1, 2, 2, 4, 5]);
    expect(await value([Term.TYPE_OF, [union(arrays, same)]])).to.equal('ARRAY');
    const found = fn((x) => field([Term.GET, [odd, x]], 'n'));
    expect(await value(union([array(1, 5), array(3)], found))).to.deep.equal([1, 3, 5]);
  });

  it('keeps equal items in the order of the sequences', async () => {
    const sources = [array({ n: 1, s: 'a' }, { n: 2, s: 'a' }), array({ n: 1, s: 'b' })];
    expect(await value(field(union(sources, 'n'), 's'))).to.deep.equal(['a', 'b', 'a']);
  });

  it('refuses sequences that are not in that order', async () => {
    expect(
      (
        await bench.failure(
          union(
            [array(2, 1)],
            fn((x) => x),
          ),
        )
      )[1],
    ).to.equal(unordered);
    const up = [odd, even].map((table) => [Term.ORDER_BY, [table, 'n']]);
    expect((await bench.failure(union(up, [Term.DESC, ['n']])))[1]).to.equal(unordered);
  });

  it('lets the others have their turn beside a sequence without an end', async () => {
    const few = [Term.LIMIT, [union([[Term.RANGE, []], array('a')]), 2_000]];
    expect(await value([Term.CONTAINS, [few, 'a']])).to.equal(true);
    const behind = [Term.LIMIT, [union([[Term.RANGE, []], array('a')], false), 2_000]];
    expect(await value([Term.CONTAINS, [behind, 'a']])).to.equal(false);
    const evens = [Term.MAP, [[Term.RANGE, []], fn((x) => [Term.MUL, [x, 2]])]];
    const merged = [
      Term.LIMIT,
      [
        union(
          [[Term.RANGE, []], evens],
          fn((x) => x),
        ),
        6,
      ],
    ];
    expect(await value(merged)).to.deep.equal([0, 0, 1, 2, 2, 3]);
  });
});
