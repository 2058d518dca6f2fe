import { expect } from 'chai';
import { createQueryEngine } from '../create-engine.ts';
import type { QueryEngine } from '../engine.ts';
import { RuntimeError } from '../errors.ts';
import { Term } from '../term-table.ts';
import { MemoryEnvironment } from '../testing/memory-environment.ts';
import { array, fn, wholeAnswer } from '../testing/run.ts';
import { queryLimits } from './limits.ts';
import { MemoryBudget, QueryMemory } from './memory.ts';

const mebibyte = 1_048_576;
const { signal } = new AbortController();
const session = { user: 'admin', signal };
const range = (count: number): unknown => [Term.RANGE, [count]];
const list = (term: unknown): unknown => [Term.COERCE_TO, [term, 'array']];
const field = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];
const long = 'x'.repeat(65_536);
const doubled = (times: number): unknown => [
  Term.FOLD,
  [range(times), 'xx', fn((text) => [Term.ADD, [text, text]], 2)],
];

describe('the memory of a query', () => {
  const engineOf = (queryMib: number, allMib = queryMib): QueryEngine =>
    createQueryEngine(new MemoryEnvironment(), {
      ...queryLimits,
      queryBytesMax: queryMib * mebibyte,
      allBytesMax: allMib * mebibyte,
    });
  const run = async (engine: QueryEngine, term: unknown, options = {}): Promise<unknown> =>
    wholeAnswer(await engine.run(term, options, session), signal);
  const failure = async (engine: QueryEngine, term: unknown): Promise<[number, string]> => {
    try {
      await run(engine, term, { array_limit: 1_000_000 });
    } catch (error) {
      if (error instanceof RuntimeError) return [error.type, error.message];
      throw error;
    }
    throw new Error(`it did not fail: ${JSON.stringify(term).slice(0, 200)}`);
  };
  const rows = range(2_000);
  const texts = [Term.MAP, [rows, fn((x) => [Term.ADD, [long, [Term.COERCE_TO, [x, 'string']]]])]];
  const documents = [Term.MAP, [texts, fn((text) => ({ text, one: 1 }))]];
  const byText = fn((row) => field(row, 'text'));

  const kinds: readonly (readonly [string, unknown])[] = [
    ['an array of a stream', list(texts)],
    [
      'an array of an array',
      [Term.MAP, [list(rows), fn((x) => [Term.ADD, [long, [Term.COERCE_TO, [x, 'string']]]])]],
    ],
    [
      'items that are flattened',
      [Term.CONCAT_MAP, [list(rows), fn(() => array(long, [Term.ADD, [long, 'y']]))]],
    ],
    ['an order', [Term.ORDER_BY, [documents, 'one']]],
    [
      'keys of an order',
      [Term.ORDER_BY, [list(rows), fn((x) => [Term.ADD, [long, [Term.COERCE_TO, [x, 'string']]]])]],
    ],
    ['different values', [Term.DISTINCT, [texts]]],
    ['a set', [Term.SET_UNION, [list(texts), array(1)]]],
    ['a difference', [Term.DIFFERENCE, [array(1), texts]]],
    ['groups', [Term.GROUP, [documents, byText]]],
    ['the items of groups', [Term.GROUP, [documents, 'one']]],
    ['accumulators of groups', [Term.MAX, [[Term.GROUP, [documents, byText]], 'one']]],
    ['the right side of a join', [Term.INNER_JOIN, [array(1), texts, fn(() => true, 2)]]],
    ['pairs of a join of arrays', [Term.INNER_JOIN, [list(rows), list(rows), fn(() => true, 2)]]],
    ['a string that grows', doubled(25)],
    ['a string of arguments', [Term.ADD, [doubled(23), doubled(23), doubled(23)]]],
    ['letters of a string', [Term.SPLIT, [doubled(23), '']]],
    ['a string in capitals', [Term.UPCASE, [doubled(24)]]],
    ['JSON of a value', [Term.TO_JSON_STRING, [array(doubled(23), doubled(23))]]],
    [
      'an accumulator',
      [
        Term.FOLD,
        [
          rows,
          array(),
          fn(
            (all, x) => [Term.APPEND, [all, [Term.ADD, [long, [Term.COERCE_TO, [x, 'string']]]]]],
            2,
          ),
        ],
      ],
    ],
    ['a reduction', [Term.REDUCE, [texts, fn((a, b) => [Term.ADD, [a, b]], 2)]]],
    [
      'an object that grows',
      [
        Term.FOLD,
        [
          rows,
          {},
          fn(
            (all, x) => [
              Term.MERGE,
              [
                all,
                [
                  Term.OBJECT,
                  [
                    [Term.COERCE_TO, [x, 'string']],
                    [Term.ADD, [long, [Term.COERCE_TO, [x, 'string']]]],
                  ],
                ],
              ],
            ],
            2,
          ),
        ],
      ],
    ],
    ['a sample', [Term.SAMPLE, [texts, 2_000]]],
    [
      'variables',
      [
        Term.FUNCALL,
        [
          fn((a) => [
            Term.FUNCALL,
            [
              [
                Term.FUNC,
                [
                  array(2),
                  [
                    Term.COUNT,
                    [
                      [
                        Term.ADD,
                        [
                          [Term.VAR, [1]],
                          [Term.VAR, [2]],
                        ],
                      ],
                    ],
                  ],
                ],
              ],
              [Term.ADD, [a, 'y']],
            ],
          ]),
          doubled(23),
        ],
      ],
    ],
    ['an answer', [Term.MAP, [list(range(400)), fn(() => array(long, long))]]],
  ];
  for (const [title, term] of kinds) {
    it(`is bounded: ${title}`, async () => {
      const [type, message] = await failure(engineOf(16, 1_024), term);
      expect(type).to.equal(2_000_000);
      expect(message).to.match(
        /^Query over memory limit: it needs more than 16 MiB \(`query-memory-mib` of the node\)\. {2}/,
      );
    });
  }

  it('is not what streams by, nor what is garbage', async () => {
    const engine = engineOf(16);
    const large = 'x'.repeat(mebibyte);
    const cases: readonly (readonly [unknown, unknown])[] = [
      [[Term.COUNT, [[Term.MAP, [range(3_000), fn(() => large)]]]], 3_000],
      [[Term.COUNT, [[Term.FILTER, [texts, fn((x) => [Term.NE, [x, '']])]]]], 2_000],
      [[Term.FOLD, [texts, '', fn((_, x) => x, 2)]], `${long}1999`],
      [[Term.REDUCE, [texts, fn((_, b) => b, 2)]], `${long}1999`],
      [
        [
          Term.COUNT,
          [
            [
              Term.MAP,
              [
                list(rows),
                fn((x) => [Term.COUNT, [[Term.ADD, [long, [Term.COERCE_TO, [x, 'string']]]]]]),
              ],
            ],
          ],
        ],
        2_000,
      ],
      [[Term.MAX, [[Term.MAP, [texts, fn((x) => [Term.COUNT, [x]])]]]], long.length + 4],
      [
        [
          Term.COUNT,
          [[Term.FOLD, [texts, 0, fn((n) => n, 2)], { emit: fn((_, x) => array(x), 3) }]],
        ],
        2_000,
      ],
    ];
    for (const [term, expected] of cases) expect(await run(engine, term)).to.deep.equal(expected);
    const outcome = await engine.run([Term.MAP, [range(50), fn(() => large)]], {}, session);
    if (outcome.type !== 'sequence') throw new Error('it is no sequence');
    const limits = { maxRows: 1_000, maxBytes: 4 * mebibyte, maxMilliseconds: 500 };
    let count = 0;
    for (let done = false; !done;) {
      const batch = await outcome.cursor.next(limits, signal);
      expect(batch.rows.length).to.be.at.most(4);
      count += batch.rows.length;
      ({ done } = batch);
    }
    expect(count).to.equal(50);
  });

  it('is that of all queries together, given back when one ends', async () => {
    const engine = engineOf(64, 8);
    const [type, message] = await failure(engine, list(texts));
    expect(type).to.equal(2_000_000);
    expect(message).to.match(
      /^Query over memory limit: all queries of the node together need more than 8 MiB \(`queries-memory-mib` of the node\)\. {2}/,
    );
    for (let count = 0; count < 20; count += 1) {
      expect(await run(engine, [Term.COUNT, [list([Term.LIMIT, [texts, 60]])]])).to.equal(60);
      const outcome = await engine.run([Term.MAP, [range(9), fn(() => long)]], {}, session);
      if (outcome.type === 'sequence') outcome.cursor.close();
    }
  });

  it('counts what an open cursor holds until it is closed', async () => {
    const budget = new MemoryBudget({ queryBytesMax: 8 * mebibyte, allBytesMax: 8 * mebibyte });
    const [one, two] = [new QueryMemory(budget), new QueryMemory(budget)];
    one.charge(6 * mebibyte);
    expect(() => two.charge(6 * mebibyte)).to.throw(/all queries of the node together/);
    one.rewind(0);
    two.rewind(0);
    expect(budget.usedBytes).to.equal(0);
    two.charge(6 * mebibyte);
    two.close();
    expect(budget.usedBytes).to.equal(0);
    expect(() => two.charge(mebibyte)).to.throw('Query has ended.');
    expect(budget.usedBytes).to.equal(0);
  });
});
