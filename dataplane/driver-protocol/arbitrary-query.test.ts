import { expect } from 'chai';
import * as fc from 'fast-check';
import { createQueryEngine } from '../query/create-engine.ts';
import { Term } from '../query/term-table.ts';
import { MemoryEnvironment } from '../query/testing/memory-environment.ts';
import { parseQuery, queryErrorText } from './messages.ts';

/**
 * Whatever JSON a client sends as a query, it gets an answer or an error that says what is wrong with it;
 * never an internal one.
 */
const limits = { maxRows: 20, maxBytes: 100_000, maxMilliseconds: 100 };

/** Terms that wait for somebody, or make what the next query would meet. */
const left = new Set<number>([Term.WAIT, Term.INDEX_WAIT]);
const numbers = Object.values(Term).filter((number) => !left.has(number));

const scalars = fc.oneof(
  fc.constantFrom(
    null,
    true,
    false,
    0,
    -1,
    2,
    0.5,
    1e300,
    '',
    'a',
    'id',
    't',
    'index',
    'TIME',
    '+00:00',
  ),
  fc.double({ noNaN: true }),
  fc.string({ maxLength: 4 }),
);

/** JSON that has nothing to do with queries. */
const anyJson = fc.json({ maxDepth: 6 }).map((text) => JSON.parse(text) as unknown);

/** Terms that are almost right: real numbers, arguments of every kind, parameters that may not be there. */
const terms = fc.letrec<{ term: unknown }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalars,
    fc.constantFrom<unknown[]>([15, ['t']], [16, [[15, ['t']], 1]], [10, [1]], [13, []], [180, []]),
    fc.tuple(fc.constantFrom(...numbers), fc.array(tie('term'), { maxLength: 4 })),
    fc.tuple(
      fc.constantFrom(...numbers),
      fc.array(tie('term'), { maxLength: 3 }),
      fc.dictionary(
        fc.constantFrom('index', 'multi', 'conflict', 'default', 'float', 'emit', 'return_changes'),
        tie('term'),
        { maxKeys: 2 },
      ),
    ),
    fc.tuple(fc.constant(Term.MAKE_ARRAY), fc.array(tie('term'), { maxLength: 3 })),
    fc
      .tuple(fc.subarray([1, 2, 3]), tie('term'))
      .map(([ids, body]) => [Term.FUNC, [[Term.MAKE_ARRAY, ids], body]]),
    fc.dictionary(fc.constantFrom('a', 'id', '$reql_type$', '__proto__'), tie('term'), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
  ),
})).term;

const options = fc.oneof(
  fc.constant({}),
  fc.dictionary(
    fc.constantFrom('db', 'durability', 'array_limit', 'noreply', 'profile', 'read_mode', 'x'),
    fc.oneof(terms, anyJson),
    { maxKeys: 2 },
  ),
);

/** What the query came to; throws what no client may cause. */
async function answerOf(text: string, environment: MemoryEnvironment): Promise<string> {
  const query = parseQuery(text);
  if (query.type !== 'start') return query.type;
  const abort = AbortSignal.timeout(5_000);
  try {
    const engine = createQueryEngine(environment);
    const session = { user: 'admin', signal: abort };
    const outcome = await engine.run(query.term, query.options, session);
    if (outcome.type === 'sequence') {
      for (const row of (await outcome.cursor.next(limits, abort)).rows) JSON.parse(row);
      outcome.cursor.close();
    } else JSON.parse(outcome.json);
    return 'answer';
  } catch (error) {
    const said = queryErrorText(error);
    if (said === undefined) throw error;
    JSON.parse(said);
    return 'error';
  }
}

async function environmentWithTable(): Promise<MemoryEnvironment> {
  const environment = new MemoryEnvironment();
  const run = (term: unknown): Promise<string> => answerOf(JSON.stringify([1, term]), environment);
  await run([60, ['t']]);
  await run([
    75,
    [
      [15, ['t']],
      'index',
      [
        69,
        [
          [2, [1]],
          [170, [[10, [1]], 'a']],
        ],
      ],
    ],
  ]);
  await run([
    56,
    [
      [15, ['t']],
      [
        2,
        [
          { id: 1, a: 'x' },
          { id: 2, a: [2, [1]] },
        ],
      ],
    ],
  ]);
  return environment;
}

describe('a query of any JSON', () => {
  const malformed = [
    '',
    '1',
    '{}',
    '[]',
    '[1]',
    '[1,null]',
    '[1,[]]',
    '[1,[1]]',
    '[1,[1,[]]]',
    '[1,[1,[[[]]]]]',
    '[1,[[]]]',
    '[1,[15]]',
    '[1,[24,null]]',
    '[1,[24,5]]',
    '[1,[24,[1,2],null]]',
    '[1,[24,[1,2],[]]]',
    '[1,[24,[1,2],{},{}]]',
    '[1,[24,{},{}]]',
    '[1,[24,[1e309,1]]]',
    '[1,{"a":"\\ud800"}]',
    '[1,{"\\udc00":1}]',
    '[1,[69,[]]]',
    '[1,[69,[1,2]]]',
    '[1,[69,[[2,5],1]]]',
    '[1,[69,[[2,["a"]],1]]]',
    '[1,[10,[]]]',
    '[1,[10,[{}]]]',
    '[1,[65,[]]]',
    '[1,[92,[]]]',
    '[1,[64,[]]]',
    '[1,1,null]',
    '[1,1,[]]',
    '[1,1,{"db":[]}]',
    '[1,1,{"db":[14]}]',
    '[1,[15,["t"]],{"db":[14,5]}]',
    '[1,[60],{"db":{}}]',
    '[99]',
    '["1"]',
    '[1.5,1]',
    '[2]',
    `[1,${'['.repeat(100_000)}${']'.repeat(100_000)}]`,
    `[1,${'[2,['.repeat(50_000)}${']]'.repeat(50_000)}]`,
    `[1,[1,${'['.repeat(50_000)}${']'.repeat(50_000)}]]`,
    `[1,${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}]`,
    `[1,1,{"db":${'['.repeat(50_000)}${']'.repeat(50_000)}}]`,
  ];

  it('is answered or refused, however malformed it is', async () => {
    const environment = await environmentWithTable();
    for (const text of malformed) await answerOf(text, environment);
    expect(await answerOf('[1,[43,[[15,["t"]]]]]', environment)).to.equal('answer');
  });

  it('is answered or refused, whatever it is', async () => {
    const environment = await environmentWithTable();
    await fc.assert(
      fc.asyncProperty(anyJson, async (query) => {
        await answerOf(JSON.stringify([1, query]), environment);
        await answerOf(JSON.stringify(query), environment);
      }),
      { numRuns: 500 },
    );
  });

  it('is answered or refused, however close it is to a query', async () => {
    let answers = 0;
    await fc.assert(
      fc.asyncProperty(terms, options, async (term, global) => {
        const environment = await environmentWithTable();
        const text = JSON.stringify([1, term, global]);
        if ((await answerOf(text, environment)) === 'answer') answers += 1;
      }),
      { numRuns: 3_000 },
    );
    expect(answers).to.be.greaterThan(100);
  });
});
