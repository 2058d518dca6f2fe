import { expect } from 'chai';
import { Term } from '../term-table.ts';
import { array, Bench, fn } from '../testing/run.ts';

const field = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];
const table = [Term.TABLE, ['t']];
const index = (name: string) => ({ index: name });
const between = [Term.BETWEEN, [table, 1, 3], index('n')];

const rows = [
  { id: 1, n: 9, v: { n: 2 }, tags: array('a', 'b') },
  { id: 2, n: 8, v: { n: 1 }, tags: array() },
  { id: 3, n: 7, v: { n: 2 }, tags: array('b', 'b') },
  { id: 4, n: 6 },
];

/** The index `n` is over `v.n`: a field of the index's name says something else. */
describe('terms by an index', () => {
  const bench = new Bench();
  const value = (term: unknown): Promise<unknown> => bench.run(term);
  const ids = (source: unknown): Promise<unknown> => value(field(source, 'id'));

  before(async () => {
    await bench.table('t', rows);
    const inner = fn((row) => field(field(row, 'v'), 'n'));
    await value([Term.INDEX_CREATE, [table, 'n', inner]]);
    const tags = fn((row) => field(row, 'tags'));
    await value([Term.INDEX_CREATE, [table, 'tags', tags], { multi: true }]);
  });

  it('take the values of the index, not of the field of its name', async () => {
    const groups = [Term.COUNT, [[Term.GROUP, [table], index('n')]]];
    expect(await value(groups)).to.have.deep.property('data', [
      [1, 1],
      [2, 2],
    ]);
    expect(await value([Term.DISTINCT, [table], index('n')])).to.deep.equal([1, 2]);
    expect(await value([Term.DISTINCT, [table], index('tags')])).to.deep.equal(['a', 'b']);
    expect(await value(field([Term.MIN, [table], index('n')], 'id'))).to.equal(2);
    expect(await value(field([Term.MAX, [table], index('n')], 'n'))).to.equal(7);
    const tags = [Term.UNGROUP, [field([Term.GROUP, [table], index('tags')], 'id')]];
    expect(await value(tags)).to.deep.equal([
      { group: 'a', reduction: [1] },
      { group: 'b', reduction: [1, 3] },
    ]);
    const both = [Term.COUNT, [[Term.GROUP, [table, 'id'], index('n')]]];
    expect(await value(both)).to.have.deep.property('data', [
      [[1, 2], 1],
      [[2, 1], 1],
      [[3, 2], 1],
    ]);
    const primary = [Term.COUNT, [[Term.GROUP, [table], index('id')]]];
    expect(await value(primary))
      .to.have.property('data')
      .with.length(4);
  });

  it('answer documents that can be written to', async () => {
    expect(await value([Term.TYPE_OF, [[Term.MIN, [table], index('n')]]])).to.equal(
      'SELECTION<OBJECT>',
    );
    const seen = [Term.UPDATE, [[Term.MAX, [table]], { seen: true }]];
    expect(await value(seen)).to.include({ replaced: 1 });
    expect(await ids([Term.FILTER, [table, { seen: true }]])).to.deep.equal([4]);
  });

  it('take the primary key of a table when nothing is said', async () => {
    expect(await value(field([Term.MIN, [table]], 'id'))).to.equal(1);
    expect(await value(field([Term.MAX, [table]], 'id'))).to.equal(4);
    const empty = [Term.TABLE, ['empty']];
    await bench.table('empty', []);
    expect((await bench.failure([Term.MIN, [empty]])).slice(0, 2)).to.deep.equal([
      3_100_000,
      '`min` found no entries in the specified index.',
    ]);
    expect((await bench.failure([Term.MAX, [array()]]))[1]).to.contain(
      'Cannot take the max of an empty stream.',
    );
  });

  it('want the table itself: what was chosen of it is not forgotten', async () => {
    const sources: readonly (readonly [unknown, string])[] = [
      [between, 'TABLE_SLICE'],
      [[Term.GET_ALL, [table, 1]], 'SELECTION'],
      [[Term.FILTER, [table, {}]], 'SELECTION'],
      [[Term.LIMIT, [table, 1]], 'SELECTION'],
      [[Term.ORDER_BY, [table, 'id']], 'SELECTION'],
      [[Term.MAP, [table, fn((x) => x)]], 'SEQUENCE'],
    ];
    for (const [source, name] of sources) {
      for (const term of [Term.GROUP, Term.MIN, Term.MAX])
        expect((await bench.failure([term, [source], index('n')]))[1]).to.contain(
          `Expected type TABLE but found ${name}`,
        );
    }
    for (const [source] of sources.slice(1))
      expect((await bench.failure([Term.DISTINCT, [source], index('n')]))[1]).to.equal(
        'Can only perform an indexed distinct on a TABLE.',
      );
    for (const term of [Term.MIN, Term.MAX])
      expect((await bench.failure([term, [[Term.GROUP, [table, 'n']]], index('n')]))[1]).to.contain(
        'Expected type TABLE but found GROUPED_STREAM',
      );
    expect((await bench.failure([Term.MIN, [table, 'n'], index('n')]))[1]).to.equal(
      'Cannot provide both a function and an index to min.',
    );
  });

  it('find a slice of the same index distinct within its bounds', async () => {
    const one = [Term.BETWEEN, [table, 1, 2], index('n')];
    expect(await value([Term.DISTINCT, [one], index('n')])).to.deep.equal([1]);
    expect(await value([Term.DISTINCT, [between], index('id')])).to.have.members([1, 2, 3]);
    const tags = [Term.BETWEEN, [table, 'b', 'c'], index('tags')];
    expect(await value([Term.DISTINCT, [tags], index('tags')])).to.deep.equal(['b']);
    const down = [Term.ORDER_BY, [table], index('n')];
    const descending = [Term.ORDER_BY, [table], { index: [Term.DESC, ['n']] }];
    expect(await value([Term.DISTINCT, [down], index('n')])).to.deep.equal([1, 2]);
    expect(await value([Term.DISTINCT, [descending], index('n')])).to.deep.equal([2, 1]);
    expect((await bench.failure([Term.DISTINCT, [between], index('tags')]))[1]).to.equal(
      'Can only perform an indexed distinct on a TABLE.',
    );
  });

  it('get an error when there is no such index', async () => {
    for (const term of [Term.GROUP, Term.MIN, Term.MAX, Term.DISTINCT, Term.ORDER_BY])
      expect(await bench.failure([term, [table], index('none')])).to.include(
        'Index `none` was not found on table `test.t`.',
      );
    for (const read of [Term.COUNT, Term.IS_EMPTY])
      expect(
        (await bench.failure([read, [[Term.BETWEEN, [table, 1, 2], index('none')]]]))[1],
      ).to.equal('Index `none` was not found on table `test.t`.');
  });

  it('name their documents types', async () => {
    const types: readonly (readonly [unknown, string])[] = [
      [[Term.DISTINCT, [table]], 'STREAM'],
      [[Term.DISTINCT, [table], index('n')], 'STREAM'],
      [[Term.DISTINCT, [between]], 'ARRAY'],
      [[Term.DISTINCT, [array(1)]], 'ARRAY'],
      [[Term.GROUP, [table], index('n')], 'GROUPED_STREAM'],
      [[Term.COUNT, [[Term.GROUP, [table], index('n')]]], 'GROUPED_DATA'],
      [between, 'TABLE_SLICE'],
      [[Term.ORDER_BY, [table], index('n')], 'TABLE_SLICE'],
      [[Term.ORDER_BY, [table, 'n'], index('n')], 'SELECTION<STREAM>'],
      [[Term.ORDER_BY, [table, 'n']], 'SELECTION<ARRAY>'],
    ];
    for (const [term, type] of types) expect(await value([Term.TYPE_OF, [term]])).to.equal(type);
  });

  it('say what they are', async () => {
    const info = (await value([Term.INFO, [between]])) as Record<string, unknown>;
    expect(info).to.include({
      index: 'n',
      left_bound: 1,
      left_bound_type: 'closed',
      right_bound: 3,
      right_bound_type: 'open',
      sorting: 'UNORDERED',
      type: 'TABLE_SLICE',
    });
    expect(info['table']).to.deep.include({ indexes: ['n', 'tags'], doc_count_estimates: [4] });
    const nowhere = [Term.BETWEEN, [table, [Term.MAXVAL], [Term.MINVAL]]];
    expect(await value([Term.INFO, [nowhere]])).to.include({
      index: 'id',
      left_bound_type: 'unachievable',
      right_bound_type: 'unachievable',
    });
    expect(await value([Term.INFO, [[Term.ORDER_BY, [table], index('n')]]])).to.include({
      left_bound_type: 'unbounded',
      sorting: 'ASCENDING',
    });
    expect(await value([Term.INFO, [null]])).to.deep.equal({ type: 'NULL' });
    expect(await value([Term.INFO, [[Term.BINARY, ['abc']]]])).to.deep.equal({
      count: 3,
      type: 'PTYPE<BINARY>',
    });
    expect(await value([Term.INFO, [[Term.RANGE, []]]])).to.deep.equal({ type: 'STREAM' });
    expect(await value([Term.INFO, [[Term.GROUP, [table, 'n']]]])).to.deep.equal({
      type: 'GROUPED_STREAM',
    });
  });

  it('take null for no bound in the between of former versions', async () => {
    const ends = (term: number) => [term, [table, null, 3]];
    expect(await ids(ends(Term.BETWEEN_DEPRECATED))).to.deep.equal([1, 2]);
    expect((await bench.failure(ends(Term.BETWEEN)))[1]).to.contain('Cannot use `null` in BETWEEN');
  });

  it('find every number by its value, whatever its last byte', async () => {
    const numbers = [-2, -1, -0.5, 0, 1, 5e-324];
    const signed = await bench.table(
      'signed',
      numbers.map((n, id) => ({ id, n, all: array(n) })),
    );
    await value([Term.INDEX_CREATE, [signed, 'n']]);
    await value([Term.INDEX_CREATE, [signed, 'all'], { multi: true }]);
    for (const [id, n] of numbers.entries()) {
      for (const name of ['n', 'all']) {
        expect(await ids([Term.GET_ALL, [signed, n], index(name)])).to.deep.equal([id]);
        const only = { ...index(name), left_bound: 'closed', right_bound: 'closed' };
        expect(await ids([Term.BETWEEN, [signed, n, n], only])).to.deep.equal([id]);
        const pairs = [Term.EQ_JOIN, [array(n), fn((x) => x), signed], index(name)];
        expect(await ids(field(pairs, 'right'))).to.deep.equal([id]);
      }
      const behind = { ...index('n'), left_bound: 'open' };
      const rest = [Term.COUNT, [[Term.BETWEEN, [signed, n, [Term.MAXVAL]], behind]]];
      expect(await value(rest)).to.equal(numbers.filter((other) => other > n).length);
    }
  });
});
