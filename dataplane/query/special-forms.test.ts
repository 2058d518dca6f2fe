import { expect } from 'chai';
import { Term } from './term-table.ts';
import { array, Bench, fn } from './testing/run.ts';

const field = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];
const args = (...items: readonly unknown[]): unknown => [Term.ARGS, [array(...items)]];
const raise = [Term.ERROR, ['raised']];
const none = [Term.FUNC, [array(), 7]];
const call = (by: unknown, ...values: readonly unknown[]): unknown => [
  Term.FUNCALL,
  [by, ...values],
];

describe('special forms', () => {
  const bench = new Bench();
  const value = (term: unknown): Promise<unknown> => bench.run(term);
  let table: unknown;

  before(async () => {
    table = await bench.table('t', [
      { id: 1, g: 'a', n: 1 },
      { id: 2, g: 'a', n: 2 },
      { id: 3, g: 'b', n: 3 },
    ]);
  });

  it('spread `args` and stop where they would', async () => {
    const cases: readonly (readonly [unknown, unknown])[] = [
      [[Term.AND, [args(true, false)]], false],
      [[Term.AND, [args(true, 5)]], 5],
      [[Term.AND, [args()]], true],
      [[Term.AND, [true, args(null, true), raise]], null],
      [[Term.OR, [args(false, 1, 2)]], 1],
      [[Term.OR, [args()]], false],
      [[Term.OR, [args(false), args(3), raise]], 3],
      [[Term.AND, [[Term.COUNT, [table]], args(true, 8)]], 8],
      [[Term.BRANCH, [args(false, 1), 2]], 2],
      [
        call(
          fn((x, y) => [Term.SUB, [x, y]], 2),
          args(5, 3),
        ),
        2,
      ],
    ];
    for (const [term, expected] of cases) expect(await value(term)).to.equal(expected);
  });

  it('call functions without parameters with whatever there is', async () => {
    expect(await value(call(none))).to.equal(7);
    expect(await value(call(none, 1))).to.equal(7);
    expect(await value(call(none, 1, 2))).to.equal(7);
    expect(await value([Term.MAP, [array(1, 2), none]])).to.deep.equal([7, 7]);
    expect(await value([Term.REDUCE, [array(1, 2), none]])).to.equal(7);
    expect(await value([Term.DEFAULT, [null, none]])).to.equal(7);
    expect(await value(call(5, 1))).to.equal(5);
    const [type, message] = await bench.failure(
      call(
        fn((x) => x),
        1,
        2,
      ),
    );
    expect([type, message]).to.deep.equal([
      3_000_000,
      'Expected function with 2 arguments but found function with 1 argument.',
    ]);
  });

  it('refuse what is not read yet as an argument', async () => {
    const twice = fn((rows) => array([Term.COUNT, [rows]], [Term.COUNT, [rows]]));
    const stream = [Term.MAP, [table, fn((x) => x)]];
    for (const [source, name] of [
      [table, 'TABLE'],
      [[Term.BETWEEN, [table, 1, 3]], 'TABLE_SLICE'],
      [[Term.FILTER, [table, {}]], 'SELECTION'],
      [stream, 'SEQUENCE'],
    ] as const)
      expect((await bench.failure(call(twice, source)))[1]).to.contain(
        `Expected type DATUM but found ${name}`,
      );
    const settled = [Term.COERCE_TO, [stream, 'array']];
    expect(await value(call(twice, settled))).to.deep.equal([3, 3]);
  });

  it('apply to each group of grouped data', async () => {
    const counts = [Term.COUNT, [[Term.GROUP, [table, 'g']]]];
    const large = [Term.GT, [counts, 1]];
    const cases: readonly (readonly [unknown, readonly unknown[]])[] = [
      [
        call(
          fn((x) => [Term.MUL, [x, x]]),
          counts,
        ),
        [4, 1],
      ],
      [
        call(
          fn((x, y) => [Term.ADD, [x, y]], 2),
          counts,
          10,
        ),
        [12, 11],
      ],
      [
        [Term.ADD, [counts, 1]],
        [3, 2],
      ],
      [
        [Term.SUB, [counts, 1, 1]],
        [0, -1],
      ],
      [
        [Term.MUL, [[Term.SUM, [[Term.GROUP, [table, 'g']], 'n']], 2]],
        [6, 6],
      ],
      [
        [Term.AND, [large, 'both']],
        ['both', false],
      ],
      [
        [Term.OR, [large, 'other']],
        [true, 'other'],
      ],
      [
        [Term.NOT, [large]],
        [false, true],
      ],
      [
        [Term.BRANCH, [large, 'many', 'one']],
        ['many', 'one'],
      ],
      [field([Term.NTH, [[Term.GROUP, [table, 'g']], 0]], 'id'), [1, 3]],
      [
        array(counts, 'each'),
        [
          [2, 'each'],
          [1, 'each'],
        ],
      ],
      [
        [Term.DEFAULT, [counts, 0]],
        [2, 1],
      ],
      [
        call(
          fn((rows) => [Term.COUNT, [rows]]),
          [Term.GROUP, [table, 'g']],
        ),
        [2, 1],
      ],
    ];
    for (const [term, [a, b]] of cases)
      expect(await value(term)).to.have.deep.property('data', [
        ['a', a],
        ['b', b],
      ]);
  });

  it('put an empty array of `multi` under null', async () => {
    const tagged = array({ id: 1, t: array() }, { id: 2, t: array('x', 'y') }, { id: 3 });
    const groups = [Term.UNGROUP, [field([Term.GROUP, [tagged, 't'], { multi: true }], 'id')]];
    expect(await value(groups)).to.deep.equal([
      { group: null, reduction: [1, 3] },
      { group: 'x', reduction: [2] },
      { group: 'y', reduction: [2] },
    ]);
  });

  it('take an ordering only where an order is asked for', async () => {
    for (const number of [Term.ASC, Term.DESC]) {
      const [type, message] = await bench.failure([Term.MAP, [array(1), [number, ['n']]]]);
      const name = number === Term.ASC ? 'ASC' : 'DESC';
      expect([type, message]).to.deep.equal([
        0,
        `${name} may only be used as an argument to ORDER_BY or UNION.`,
      ]);
    }
  });
});

describe('functions that append', () => {
  const bench = new Bench();
  const append = (item: (x: unknown) => unknown): unknown =>
    fn((all, x) => [Term.APPEND, [all, item(x)]], 2);
  const fold = (base: unknown, by: unknown, count = 1_000): unknown => [
    Term.FOLD,
    [[Term.RANGE, [count]], base, by],
  ];

  it('fold as others do', async () => {
    const squares = fold(
      array('a'),
      append((x) => [Term.MUL, [x, x]]),
    );
    const expected = ['a', ...Array.from({ length: 1_000 }, (_, x) => x * x)];
    expect(await bench.run(squares)).to.deep.equal(expected);
    const twice = call(
      fn((base) =>
        array(
          fold(
            base,
            append((x) => x),
            3,
          ),
          base,
          fold(
            base,
            append((x) => x),
            2,
          ),
        ),
      ),
      array(9),
    );
    expect(await bench.run(twice)).to.deep.equal([[9, 0, 1, 2], [9], [9, 0, 1]]);
    const nested = fold(
      array(),
      fn((all, x) => [Term.APPEND, [all, array(all, x)]], 2),
      3,
    );
    expect(await bench.run(nested)).to.deep.equal([
      [[], 0],
      [[[[], 0]], 1],
      [
        [
          [[], 0],
          [[[[], 0]], 1],
        ],
        2,
      ],
    ]);
    const reduced = [Term.REDUCE, [array(array(1), 2, 3), append((x) => [Term.ADD, [x, 1]])]];
    expect(await bench.run(reduced)).to.deep.equal([1, 3, 4]);
    const emitted = [
      Term.FOLD,
      [array(1, 2, 3), array(), append((x) => x)],
      { emit: fn((before, _, after) => array(array(before, after)), 3) },
    ];
    expect(await bench.run(emitted)).to.deep.equal([
      [[], [1]],
      [[1], [1, 2]],
      [
        [1, 2],
        [1, 2, 3],
      ],
    ]);
  });

  it('are refused where they stand', async () => {
    const failing = append((x) => [Term.ADD, [x, [Term.BRANCH, [[Term.EQ, [x, 5]], 'x', 1]]]]);
    expect(await bench.failure(fold(array(), failing))).to.deep.equal([
      3_000_000,
      'Expected type NUMBER but found STRING.',
      [2, 1, 1],
    ]);
    const [type, message, place] = await bench.failure(
      fold(
        array(),
        append((x) => x),
      ),
      {
        array_limit: 500,
      },
    );
    expect([type, message.slice(0, 30), place]).to.deep.equal([
      2_000_000,
      'Array over size limit `500`.  ',
      [2, 1],
    ]);
    expect(
      (
        await bench.failure(
          fold(
            7,
            append((x) => x),
          ),
        )
      )[1],
    ).to.equal('Expected type ARRAY but found NUMBER.');
    const streams = append((x) => [Term.RANGE, [x]]);
    expect((await bench.failure(fold(array(), streams)))[1]).to.contain('Expected type DATUM');
  });

  it('take time that grows with what they append', async () => {
    const { pauses } = bench.environment;
    expect(
      await bench.run([
        Term.COUNT,
        [
          fold(
            array(),
            append((x) => x),
            60_000,
          ),
        ],
      ]),
    ).to.equal(60_000);
    // Copies of the array would take a thousand slices.
    expect(bench.environment.pauses - pauses).to.be.below(40);
  });
});
