import { expect } from 'chai';
import { Term } from '../term-table.ts';
import { array, Bench, fn } from '../testing/run.ts';

const field = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];
const ids = (source: unknown): unknown => field(source, 'id');
const people = array(
  { id: 1, name: 'Ann', at: { x: 1, y: 2 } },
  { id: 2, name: 'Bob', at: { x: 1 } },
  { id: 3, name: 'Cid' },
);
const match = (pattern: string) => fn((row) => [Term.MATCH, [field(row, 'name'), pattern]]);
const filter = (source: unknown, by: unknown, options: object = {}): unknown => [
  Term.FILTER,
  [source, by],
  options,
];

describe('predicates', () => {
  const bench = new Bench();
  const value = (term: unknown): Promise<unknown> => bench.run(term);
  let table: unknown;

  before(async () => {
    table = await bench.table('people', [
      { id: 1, name: 'Ann', at: { x: 1, y: 2 } },
      { id: 2, name: 'Bob', at: { x: 1 } },
      { id: 3, name: 'Cid' },
    ]);
  });

  it('take what a function finds for true unless it is null or false', async () => {
    const kept: readonly (readonly [unknown, readonly number[]])[] = [
      [match('^A'), [1]],
      [fn((row) => field(row, 'at')), [1, 2]],
      [fn((row) => [Term.MERGE, [field(row, 'at'), { z: 1 }]]), [1, 2]],
      [fn(() => array()), [1, 2, 3]],
      [fn(() => 0), [1, 2, 3]],
      [fn(() => ''), [1, 2, 3]],
      [fn(() => null), []],
      [fn(() => false), []],
      [fn((row) => [Term.GET, [table, field(row, 'id')]]), [1, 2, 3]],
      [fn((row) => [Term.GET, [table, [Term.ADD, [field(row, 'id'), 2]]]]), [1]],
    ];
    for (const [by, expected] of kept) {
      expect(await value(ids(filter(people, by)))).to.deep.equal(expected);
      expect(await value(ids(filter(table, by)))).to.deep.equal(expected);
      expect(await value([Term.COUNT, [people, by]])).to.equal(expected.length);
      const same = [
        Term.EQ,
        [[Term.OFFSETS_OF, [people, by]], array(...expected.map((id) => id - 1))],
      ];
      expect(await value(same)).to.equal(true);
    }
    expect(await value([Term.CONTAINS, [people, match('^C')]])).to.equal(true);
    expect(await value([Term.CONTAINS, [people, match('^X')]])).to.equal(false);
    const pairs = [
      Term.INNER_JOIN,
      [people, people, fn((a, b) => [Term.MATCH, [field(a, 'name'), field(b, 'name')]], 2)],
    ];
    expect(await value([Term.COUNT, [pairs]])).to.equal(3);
    const left = [Term.OUTER_JOIN, [people, array(1), fn((a) => field(a, 'name'), 2)]];
    expect(await value([Term.COUNT, [left]])).to.equal(3);
    expect(await value([Term.BRANCH, [{ a: 1 }, 'true', 'false']])).to.equal('true');
  });

  it('take an object that is written for a pattern', async () => {
    const patterns: readonly (readonly [unknown, readonly number[]])[] = [
      [{ at: { x: 1 } }, [1, 2]],
      [{ at: { x: 1, y: 2 } }, [1]],
      [{ name: 'Bob' }, [2]],
      [fn(() => ({ name: 'Bob' })), [2]],
      [fn((row) => ({ name: field(row, 'name') })), [1, 2, 3]],
      [{ at: [Term.LITERAL, [{ x: 1 }]] }, [2]],
      [{}, [1, 2, 3]],
      [[Term.DATUM, { name: 'Ann' }], [1]],
      [[Term.MERGE, [{ name: 'Ann' }, {}]], [1]],
    ];
    for (const [by, expected] of patterns) {
      expect(await value(ids(filter(people, by)))).to.deep.equal(expected);
      expect(await value(ids(filter(table, by)))).to.deep.equal(expected);
    }
    expect(await value([Term.COUNT, [people, fn(() => ({ at: { x: 1 } }))]])).to.equal(2);
  });

  it('leave out what lacks a field, unless `default` keeps it', async () => {
    const y = fn((row) => [Term.EQ, [field(field(row, 'at'), 'y'), 2]]);
    for (const by of [y, { at: { y: 2 } }]) {
      expect(await value(ids(filter(people, by)))).to.deep.equal([1]);
      for (const [otherwise, expected] of [
        [true, [1, 2, 3]],
        [1, [1, 2, 3]],
        [false, [1]],
        [null, [1]],
        [
          [Term.EQ, [[Term.COUNT, [table]], 3]],
          [1, 2, 3],
        ],
      ] as const)
        expect(await value(ids(filter(people, by, { default: otherwise })))).to.deep.equal(
          expected,
        );
    }
  });

  it('evaluate `default` only when something is missing', async () => {
    const raise = { default: [Term.ERROR, ['raised']] };
    expect(await value(ids(filter(people, match('^A'), raise)))).to.deep.equal([1]);
    const lacks = fn((row) => field(row, 'at'));
    expect((await bench.failure(filter(people, lacks, raise))).slice(0, 2)).to.deep.equal([
      5_000_000,
      'raised',
    ]);
    const again = { default: [Term.ERROR, []] };
    const [type, message] = await bench.failure(filter(people, lacks, again));
    expect([type, message.split('\n')[0]]).to.deep.equal([
      3_100_000,
      'No attribute `at` in object:',
    ]);
    const [, pattern] = await bench.failure(filter(table, { at: { x: 1 } }, again));
    expect(pattern).to.equal('No attribute `at` in object.');
  });
});
