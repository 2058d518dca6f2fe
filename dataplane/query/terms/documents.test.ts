import { expect } from 'chai';
import { array, Bench, fn } from '../testing/run.ts';

const documents = Array.from({ length: 10 }, (_, id) => ({ id, a: id % 3, tags: [id, id + 1] }));
const field = (row: unknown, name: string): unknown => [170, [row, name]];
const ids = (selection: unknown): unknown => [170, [selection, 'id']];
const [minval, maxval] = [
  [180, []],
  [181, []],
];

describe('terms over documents', () => {
  let bench = new Bench();
  let table: unknown;

  beforeEach(async () => {
    bench = new Bench();
    table = await bench.table(
      'docs',
      documents.map(({ tags, ...rest }) => ({ ...rest, tags: array(...tags) })),
    );
  });

  const index = async (name: string, by?: unknown, multi = false): Promise<void> => {
    await bench.run([75, by === undefined ? [table, name] : [table, name, by], { multi }]);
  };

  it('say the type of a selection', async () => {
    await index('a');
    const types: readonly (readonly [unknown, string])[] = [
      [table, 'TABLE'],
      [[16, [table, 1]], 'SELECTION<OBJECT>'],
      [[39, [table, true]], 'SELECTION<STREAM>'],
      [[182, [table, 1, 2]], 'TABLE_SLICE'],
      [[41, [table], { index: 'a' }], 'TABLE_SLICE'],
      [[41, [table, 'a']], 'SELECTION<ARRAY>'],
      [[41, [table, 'a'], { index: 'id' }], 'SELECTION<STREAM>'],
      [[38, [table, fn((x) => x)]], 'STREAM'],
    ];
    for (const [term, expected] of types) expect(await bench.run([52, [term]])).to.equal(expected);
  });

  it('find a range by its bounds', async () => {
    const range = (low: unknown, high: unknown, options = {}): unknown =>
      ids([182, [table, low, high], options]);
    expect(await bench.run(range(2, 4))).to.deep.equal([2, 3]);
    expect(
      await bench.run(range(2, 4, { left_bound: 'open', right_bound: 'closed' })),
    ).to.deep.equal([3, 4]);
    expect(await bench.run(range(minval, 2))).to.deep.equal([0, 1]);
    expect(await bench.run(range(8, maxval))).to.deep.equal([8, 9]);
    expect(await bench.run(range(maxval, minval))).to.deep.equal([]);
  });

  it('find by a compound index, with bounds inside of arrays', async () => {
    await index(
      'pair',
      fn((row) => array(field(row, 'a'), field(row, 'id'))),
    );
    const found = ids([182, [table, array(1, minval), array(1, maxval)], { index: 'pair' }]);
    expect(await bench.run(found)).to.deep.equal([1, 4, 7]);
  });

  it('find a document once for each of its entries in a multi-index', async () => {
    await index('tags', undefined, true);
    expect(await bench.run(ids([78, [table, 3], { index: 'tags' }]))).to.deep.equal([2, 3]);
    expect(await bench.run(ids([182, [table, 3, 5], { index: 'tags' }]))).to.deep.equal([
      2, 3, 3, 4,
    ]);
  });

  it('order by an index, and ties by a field', async () => {
    await index('a');
    const order = [41, [table, [74, ['id']]], { index: [74, ['a']] }];
    expect(await bench.run(ids(order))).to.deep.equal([8, 5, 2, 7, 4, 1, 9, 6, 3, 0]);
  });

  it('read no more than a limit asks for', async () => {
    await bench.run([71, [[39, [table, true]], 2]]);
    expect(bench.environment.rowsRead).to.equal(2);
    await bench.run([86, [table]]);
    expect(bench.environment.rowsRead).to.equal(3);
    await bench.run([43, [table]]);
    expect(bench.environment.rowsRead).to.equal(3);
  });

  it('end when the query is stopped', async () => {
    const stop = new AbortController();
    stop.abort(new Error('stopped'));
    const count = [43, [[39, [table, fn(() => true)]]]];
    const failure = await bench.run(count, {}, stop.signal).catch((error: Error) => error.message);
    expect(failure).to.equal('stopped');
  });

  it('count what they changed', async () => {
    const insert = await bench.run([56, [table, array({ id: 1 }, { id: 20 })]]);
    expect(insert).to.include({ errors: 1, inserted: 1 });
    expect((insert as { first_error: string }).first_error).to.contain(
      'Duplicate primary key `id`:',
    );
    const update = [53, [[16, [table, 1]], { b: 1 }], { return_changes: true }];
    expect(await bench.run(update)).to.deep.include({ replaced: 1, unchanged: 0 });
    expect(await bench.run(update)).to.deep.include({ changes: [], replaced: 0, unchanged: 1 });
    expect(await bench.run([54, [[16, [table, 99]]]])).to.include({ skipped: 1 });
    expect(await bench.run([54, [[39, [table, { a: 0 }]]]])).to.include({ deleted: 4 });
  });

  it('make an error of a document no error of the query', async () => {
    const update = await bench.run([53, [[16, [table, 1]], { x: [12, ['no']] }]]);
    expect(update).to.include({ errors: 1, first_error: 'no' });
  });

  it('write what other documents ask for, one after the other', async () => {
    const each = [68, [array(30, 31), fn((id) => [56, [table, { id }]])]];
    expect(await bench.run(each)).to.include({ inserted: 2 });
  });

  const deterministic =
    'Could not prove argument deterministic.  Maybe you want to use the non_atomic flag?';

  it('leave no write to chance unless asked to', async () => {
    const update = (by: unknown, options = {}): unknown => [53, [[16, [table, 1]], by], options];
    for (const by of [
      { x: [151, []] },
      { x: [169, []] },
      [16, [table, 2]],
      fn(() => [45, [table, 0]]),
    ]) {
      expect(await bench.failure(update(by))).to.deep.equal([3_000_000, deterministic, []]);
    }
    expect(await bench.run(update({ x: [103, []] }))).to.include({ replaced: 1 });
    expect(await bench.run(update({ x: [151, []] }, { non_atomic: true }))).to.include({
      replaced: 1,
    });
  });

  it('index by nothing that changes', async () => {
    const message =
      'Could not prove function deterministic.  Index functions must be deterministic.';
    for (const by of [fn(() => [103, []]), fn(() => [151, []]), fn(() => [16, [table, 1]])])
      expect(await bench.failure([75, [table, 'i', by]])).to.deep.equal([3_000_000, message, []]);
  });

  const failures: readonly (readonly [string, unknown[], number, string, unknown])[] = [
    ['no table', [15, ['none']], 4_100_000, 'Table `test.none` does not exist.', []],
    ['no database', [15, [[14, ['none']], 'x']], 4_100_000, 'Database `none` does not exist.', [0]],
    [
      'no index',
      [78, [[15, ['docs']], 1], { index: 'i' }],
      4_100_000,
      'Index `i` was not found on table `test.docs`.',
      [],
    ],
    ['a null key', [78, [[15, ['docs']], null]], 3_100_000, 'Keys cannot be NULL.', [1]],
    [
      'null as a bound',
      [182, [[15, ['docs']], null, 1]],
      3_000_000,
      'Cannot use `null` in BETWEEN, use `r.minval` or `r.maxval` to denote unboundedness.',
      [1],
    ],
    [
      'the end of a stream from its end',
      [30, [[15, ['docs']], -1, 2]],
      3_000_000,
      'Cannot use a negative left index on a stream.',
      [],
    ],
    [
      'a name that is none',
      [60, ['a b']],
      3_000_000,
      'Table name `a b` invalid (Use A-Z, a-z, 0-9, _ and - only).',
      [],
    ],
    [
      'an array of no table',
      [54, [array(1)]],
      3_000_000,
      'Expected type SELECTION but found DATUM:\n[\n\t1\n]',
      [0],
    ],
    [
      'writes inside of reads',
      [38, [array(1), fn(() => [54, [[15, ['docs']]]])]],
      0,
      'Cannot nest writes or meta ops in stream operations.  Use FOR_EACH instead.',
      [1, 1],
    ],
  ];
  for (const [title, term, ...expected] of failures) {
    it(`refuse: ${title}`, async () => {
      expect(await bench.failure(term)).to.deep.equal(expected);
    });
  }

  it('group by an index, and list what it has', async () => {
    await index('a');
    expect(await bench.run([42, [table], { index: 'a' }])).to.deep.equal([0, 1, 2]);
    const counts = await bench.run([150, [[43, [[144, [table], { index: 'a' }]]]]]);
    expect(counts).to.deep.equal([
      { group: 0, reduction: 4 },
      { group: 1, reduction: 3 },
      { group: 2, reduction: 3 },
    ]);
  });

  it('join by a key', async () => {
    await index('a');
    const joined = [50, [array({ k: 1 }, { k: 9 }), 'k', table], { index: 'a' }];
    expect(await bench.run([43, [joined]])).to.equal(3);
  });
});
