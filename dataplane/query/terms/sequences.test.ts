import { expect } from 'chai';
import { array, Bench, fn } from '../testing/run.ts';

const field = (row: unknown, name: string): unknown => [170, [row, name]];
const rows = array({ id: 1, a: 'x', n: 3 }, { id: 2, a: 'y', n: 1 }, { id: 3, a: 'x' });

/** Title, term, what it gives: over arrays, which need no waiting. */
const values: readonly (readonly [string, unknown, unknown])[] = [
  ['maps', [38, [array(1, 2), fn((x) => [24, [x, 1]])]], [2, 3]],
  [
    'maps over several sequences, to the end of the shortest',
    [38, [array(1, 2, 3), [173, [2]], fn((x, y) => [24, [x, y]], 2)]],
    [1, 3],
  ],
  [
    'filters by a function',
    [94, [[45, [[39, [rows, fn((x) => [17, [field(x, 'n'), 1]])]], 0]]]],
    ['a', 'id', 'n'],
  ],
  ['filters by an object', [43, [[39, [rows, { a: 'x' }]]]], 2],
  [
    'keeps what is missing when asked to',
    [43, [[39, [rows, fn((x) => [21, [field(x, 'n'), 2]])], { default: true }]]],
    2,
  ],
  ['chains what a function gives', [40, [array(1, 2), fn((x) => array(x, x))]], [1, 1, 2, 2]],
  ['folds', [187, [array(1, 2), 0, fn((a, x) => [24, [a, x]], 2)]], 3],
  [
    'folds and emits',
    [
      187,
      [array(1, 2), 0, fn((a, x) => [24, [a, x]], 2)],
      { emit: fn((_, __, next) => array(next), 3) },
    ],
    [1, 3],
  ],
  ['slices from the end', [30, [array(1, 2, 3, 4), -3, -1]], [2, 3]],
  ['slices with a closed end', [30, [array(1, 2, 3), 0, 1], { right_bound: 'closed' }], [1, 2]],
  ['takes the last', [45, [array(1, 2), -1]], 2],
  ['needs an item for each wanted value', [93, [array(1, 2), 2, 2]], false],
  ['orders by a field', [170, [[41, [rows, [74, ['n']]]], 'id']], [1, 2, 3]],
  ['leaves each value once', [42, [array(2, 1, 2)]], [1, 2]],
  [
    'joins by a function',
    [43, [[48, [array(1, 2), array(1, 2), fn((x, y) => [19, [x, y]], 2)]]]],
    1,
  ],
  [
    'joins what has no partner',
    [72, [[49, [array({ a: 1 }), array(), fn(() => true, 2)]]]],
    [{ a: 1 }],
  ],
  ['inserts at the end', [82, [array(1, 2), -1, 3]], [1, 2, 3]],
  ['deletes a range', [83, [array(1, 2, 3, 4), 1, -1]], [1, 4]],
  ['makes sets', [88, [array(1, 2), 2]], [1, 2]],
  [
    'plucks nested fields',
    [33, [{ a: { b: 1, c: 2 }, d: 3 }, { a: { b: true } }]],
    { a: { b: 1 } },
  ],
  [
    'drops fields of objects in arrays',
    [34, [{ a: array({ b: 1, c: 2 }) }, { a: 'b' }]],
    { a: [{ c: 2 }] },
  ],
  ['merges nested objects', [35, [{ a: { b: 1 } }, { a: { c: 2 } }]], { a: { b: 1, c: 2 } }],
  ['replaces by a literal', [35, [{ a: { b: 1 } }, { a: [137, [{ c: 2 }]] }]], { a: { c: 2 } }],
  ['sums', [145, [rows, 'n']], 4],
  ['averages', [146, [rows, 'n']], 2],
  ['finds the smallest', field([147, [rows, 'n']], 'id'), 2],
  ['reduces', [37, [array(1, 2, 3), fn((x, y) => [24, [x, y]], 2)]], 6],
];

const grouped = (data: unknown): unknown => ({ $reql_type$: 'GROUPED_DATA', data });

const groups: readonly (readonly [string, unknown, unknown])[] = [
  [
    'makes arrays',
    [170, [[144, [rows, 'a']], 'id']],
    grouped([
      ['x', [1, 3]],
      ['y', [2]],
    ]),
  ],
  [
    'counts',
    [43, [[144, [rows, 'a']]]],
    grouped([
      ['x', 2],
      ['y', 1],
    ]),
  ],
  [
    'leaves out groups of which nothing counts',
    [145, [[144, [rows, 'id']], 'n']],
    grouped([
      [1, 3],
      [2, 1],
    ]),
  ],
  [
    'groups what is missing under null',
    [43, [[144, [rows, 'n']]]],
    grouped([
      [null, 1],
      [1, 1],
      [3, 1],
    ]),
  ],
  [
    'ungroups',
    [150, [[43, [[144, [rows, 'a']]]]]],
    [
      { group: 'x', reduction: 2 },
      { group: 'y', reduction: 1 },
    ],
  ],
  [
    'takes each item of an array for a group',
    [43, [[144, [array({ t: array(1, 2) }, { t: array(2) }), 't'], { multi: true }]]],
    grouped([
      [1, 1],
      [2, 2],
    ]),
  ],
];

const failures: readonly (readonly [string, unknown, number, string, unknown])[] = [
  [
    'no sequence in a function that needs no waiting',
    [39, [rows, fn((x) => [21, [[145, [field(x, 'a')]], 1]])]],
    3_000_000,
    'Cannot convert STRING to SEQUENCE',
    [1, 1, 0],
  ],
  ['no sequence', [86, [1]], 3_000_000, 'Cannot convert NUMBER to SEQUENCE', []],
  [
    'no function',
    [38, [array(1), 1]],
    3_000_000,
    'Expected type FUNCTION but found DATUM:\n1',
    [1],
  ],
  [
    'no attribute',
    [31, [{ a: 1 }, 'b']],
    3_100_000,
    'No attribute `b` in object:\n{\n\t"a":\t1\n}',
    [],
  ],
  ['no position', [45, [array(1), 5]], 3_100_000, 'Index out of bounds: 5', []],
  [
    'no average',
    [146, [array()]],
    3_100_000,
    'Cannot take the average of an empty stream.  (If you passed `avg` a field name, it may be that no elements of the stream had that field.)',
    [],
  ],
  [
    'no reduction',
    [37, [array(), fn((x) => x, 2)]],
    3_100_000,
    'Cannot reduce over an empty stream.',
    [],
  ],
  [
    'nested sequences',
    [33, [array(array({})), 'a']],
    3_000_000,
    'Cannot perform pluck on a sequence of sequences.',
    [],
  ],
  [
    'a stray literal',
    [137, [1]],
    3_000_000,
    'Stray literal keyword found: literal is only legal inside of the object passed to merge or update and cannot nest inside other literals.',
    [],
  ],
  [
    'the end of what has none',
    [43, [[173, []]]],
    3_000_000,
    'Cannot use an infinite stream with an aggregation function (`reduce`, `count`, etc.) or coerce it to an array.',
    [],
  ],
  [
    'errors inside functions at their place',
    [38, [array(1), fn((x) => [27, [x, 0]])]],
    3_000_000,
    'Cannot divide by zero.',
    [1, 1],
  ],
];

describe('terms over sequences', () => {
  const bench = new Bench();
  for (const [title, term, expected] of [...values, ...groups]) {
    it(title, async () => {
      expect(await bench.run(term)).to.deep.equal(expected);
    });
  }

  for (const [title, term, ...expected] of failures) {
    it(`refuse: ${title}`, async () => {
      expect(await bench.failure(term)).to.deep.equal(expected);
    });
  }

  it('bound arrays by the limit of the query', async () => {
    const [type, message] = await bench.failure([29, [array(1, 2), 3]], { array_limit: 2 });
    expect([type, message.slice(0, 28)]).to.deep.equal([2_000_000, 'Array over size limit `2`.  ']);
    const streamed = await bench.failure([41, [[173, [9]], fn((x) => x)]], { array_limit: 4 });
    expect(streamed[0]).to.equal(2_000_000);
  });

  it('hand out an endless stream batch by batch', async () => {
    const few = [71, [[38, [[173, []], fn((x) => [26, [x, 2]])]], 3]];
    expect(await bench.run(few)).to.deep.equal([0, 2, 4]);
  });

  const parity = fn((x) => [28, [x, 2]]);

  it('reduce groups without holding them', async () => {
    const counts = [150, [[43, [[144, [[173, [5_000]], parity]]]]]];
    expect(await bench.run(counts, { array_limit: 4 })).to.deep.equal([
      { group: 0, reduction: 2_500 },
      { group: 1, reduction: 2_500 },
    ]);
    const held = await bench.failure([150, [[144, [[173, [9]], parity]]]], { array_limit: 4 });
    expect(held[0]).to.equal(2_000_000);
  });

  it('wait in the middle of an array for functions that read', async () => {
    const table = await bench.table('names', [
      { id: 0, name: 'even' },
      { id: 1, name: 'odd' },
    ]);
    const name = fn((x) => field([16, [table, [28, [x, 2]]]], 'name'));
    const numbers = array(...Array.from({ length: 100 }, (_, at) => at));
    expect(await bench.run([150, [[43, [[144, [numbers, name]]]]]])).to.deep.equal([
      { group: 'even', reduction: 50 },
      { group: 'odd', reduction: 50 },
    ]);
    const odd = fn((x) => [17, [field([16, [table, [28, [x, 2]]]], 'name'), 'odd']]);
    expect(await bench.run([43, [[39, [numbers, odd]]]])).to.equal(50);
    expect(await bench.run([43, [numbers, odd]])).to.equal(50);
    expect(await bench.run([93, [numbers, odd]])).to.equal(true);
    expect(await bench.run([45, [[41, [numbers, name]], 0]])).to.equal(0);
  });
});
