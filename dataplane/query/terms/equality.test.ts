import { expect } from 'chai';
import { Term } from '../term-table.ts';
import { array, Bench, fn } from '../testing/run.ts';

const field = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];
const time = (zone: string, seconds = 0): unknown => [
  Term.IN_TIMEZONE,
  [[Term.EPOCH_TIME, [seconds]], zone],
];
const [here, there, later] = [time('+00:00'), time('+02:00'), time('+00:00', 1)];
const zone = (of: unknown): unknown => [Term.TIMEZONE, [of]];
const zones = (items: unknown): unknown => [Term.MAP, [items, fn(zone)]];

/** One moment in two zones is one value, wherever values are compared. */
describe('equal times of different zones', () => {
  const bench = new Bench();
  const value = (term: unknown): Promise<unknown> => bench.run(term);
  let table: unknown;

  before(async () => {
    table = await bench.table('times', [
      { id: 1, at: here, all: array(here, there, later) },
      { id: 2, at: there, all: array(there) },
      { id: 3, at: later, all: array() },
    ]);
    await value([Term.INDEX_CREATE, [table, 'at']]);
    await value([Term.INDEX_CREATE, [table, 'all'], { multi: true }]);
  });

  it('are equal in comparisons, sets and sequences', async () => {
    const counts: readonly (readonly [unknown, number])[] = [
      [[Term.DISTINCT, [array(here, there)]], 1],
      [[Term.DISTINCT, [array({ at: here }, { at: there })]], 1],
      [[Term.DISTINCT, [array(array(here), array(there))]], 1],
      [[Term.DISTINCT, [field(table, 'at')]], 2],
      [[Term.DISTINCT, [table], { index: 'at' }], 2],
      [[Term.DISTINCT, [table], { index: 'all' }], 2],
      [[Term.SET_INSERT, [array(here), there]], 1],
      [[Term.SET_UNION, [array(here), array(there, later)]], 2],
      [[Term.SET_INTERSECTION, [array(here, later), array(there)]], 1],
      [[Term.SET_DIFFERENCE, [array(here, later), array(there)]], 1],
      [[Term.DIFFERENCE, [array(here, here, later), array(there)]], 1],
      [[Term.DIFFERENCE, [field(table, 'at'), array(there)]], 1],
      [[Term.OFFSETS_OF, [array(here, later), there]], 1],
      [[Term.FILTER, [table, { at: there }]], 2],
      [[Term.GET_ALL, [table, there], { index: 'at' }], 2],
      [[Term.GET_ALL, [table, there], { index: 'all' }], 2],
      [[Term.EQ_JOIN, [table, 'at', table], { index: 'at' }], 5],
      [
        [
          Term.INNER_JOIN,
          [table, table, fn((a, b) => [Term.EQ, [field(a, 'at'), field(b, 'at')]], 2)],
        ],
        5,
      ],
      [[Term.UNGROUP, [[Term.GROUP, [table, 'at']]]], 2],
      [[Term.UNGROUP, [[Term.GROUP, [table], { index: 'at' }]]], 2],
      [[Term.UNGROUP, [[Term.GROUP, [table, 'all'], { multi: true }]]], 3],
    ];
    for (const [term, expected] of counts)
      expect(await value([Term.COUNT, [term]]), JSON.stringify(term)).to.equal(expected);
    expect(await value([Term.EQ, [here, there]])).to.equal(true);
    expect(await value([Term.COUNT, [array(here, there, later), there]])).to.equal(2);
    expect(await value([Term.CONTAINS, [array(here), there]])).to.equal(true);
    expect(await value([Term.CONTAINS, [array(here), there, there]])).to.equal(false);
  });

  it('leave the first of them', async () => {
    expect(await value(zones([Term.DISTINCT, [array(there, here)]]))).to.deep.equal(['+02:00']);
    expect(await value(zones([Term.SET_UNION, [array(here), array(there)]]))).to.deep.equal([
      '+00:00',
    ]);
  });

  it('and binaries of the same bytes, and zero of both signs, are one', async () => {
    const binary = (data: string): unknown => ({ $reql_type$: 'BINARY', data });
    const pairs = array(binary('YQ=='), [Term.BINARY, ['a']], 0, [Term.MUL, [-1, 0]]);
    expect(await value([Term.COUNT, [[Term.DISTINCT, [pairs]]]])).to.equal(2);
  });
});
