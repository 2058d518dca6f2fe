import * as fc from 'fast-check';
import { PhotonError } from '../../common/errors.ts';
import { createQueryEngine } from '../create-engine.ts';
import { specialTerms } from '../special-terms.ts';
import { Term } from '../term-table.ts';
import { definitions } from '../terms/all.ts';
import { Bench } from './run.ts';

/** Terms put together at random: whatever comes, a query answers or is refused, and nothing else happens. */
const known = [...definitions.keys(), ...specialTerms];
const optionNames = [
  ...new Set([...definitions.values()].flatMap(({ options }) => Object.keys(options?.table ?? {}))),
];

const texts =
  'a id t test i array open closed replace always soft ^a 2020-01-01T00:00:00Z +01:00 [1]';
const scalar = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, 1, -1, 2.5, 1e300, 5e-324, ''),
  fc.constantFrom<unknown>(...texts.split(' ')),
);
const table = fc.constant([Term.TABLE, ['t']]);
const row = fc.constant([Term.VAR, [1]]);

interface Trees {
  readonly term: unknown;
  readonly data: unknown;
  readonly options: unknown;
  readonly fn: unknown;
}

/** Mostly as many arguments as the term takes. */
function fitting(number: number, args: readonly unknown[], more: number): readonly unknown[] {
  const [least, most] = definitions.get(number)?.arity ?? [1, 3];
  return args.slice(0, Math.min(least + more, most));
}

const { term } = fc.letrec<Trees>((tie) => ({
  data: fc.oneof(
    { maxDepth: 3 },
    scalar,
    fc.array(scalar, { maxLength: 3 }).map((items) => [Term.MAKE_ARRAY, items]),
    fc.dictionary(fc.constantFrom('id', 'a', 'b', '$reql_type$'), tie('term'), { maxKeys: 2 }),
  ),
  fn: fc
    .tuple(fc.constantFrom([], [1], [1, 2], [1, 2, 3]), fc.oneof(row, tie('term')))
    .map(([ids, body]) => [Term.FUNC, [[Term.MAKE_ARRAY, ids], body]]),
  options: fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    {
      weight: 1,
      arbitrary: fc.dictionary(fc.constantFrom(...optionNames), fc.oneof(tie('data'), tie('fn')), {
        maxKeys: 2,
      }),
    },
  ),
  term: fc.oneof(
    { maxDepth: 6 },
    scalar,
    tie('data'),
    table,
    row,
    fc
      .tuple(
        fc.constantFrom(...known),
        fc.array(fc.oneof(tie('term'), tie('data'), tie('fn'), table), {
          minLength: 4,
          maxLength: 4,
        }),
        fc.nat({ max: 1 }),
        tie('options'),
      )
      .map(([number, args, more, options]) => [number, fitting(number, args, more), options]),
  ),
}));

const documents = [
  { id: 1, a: 'x', b: [Term.MAKE_ARRAY, [1, 2]] },
  { id: 'k', a: { b: 1 } },
  { id: 3, a: null },
];

const limits = { maxRows: 50, maxBytes: 100_000, maxMilliseconds: 100 };

/** The first rows are enough: a stream may have no end. */
async function refusalOf(asked: unknown): Promise<unknown> {
  const bench = new Bench();
  await bench.table('t', documents);
  await bench.run([Term.INDEX_CREATE, [[Term.TABLE, ['t']], 'a']]);
  const session = { user: 'admin', signal: AbortSignal.timeout(10_000) };
  try {
    const engine = createQueryEngine(bench.environment);
    const outcome = await engine.run(asked, { array_limit: 1_000 }, session);
    if (outcome.type === 'sequence') {
      await outcome.cursor.next(limits, session.signal);
      outcome.cursor.close();
    }
    return undefined;
  } catch (error) {
    return error;
  }
}

export const anyQuery = fc.asyncProperty(term, async (asked) => {
  const inFunction = [
    Term.FUNCALL,
    [[Term.FUNC, [[Term.MAKE_ARRAY, [1]], asked]], { id: 1, a: 'x' }],
  ];
  // As it would come: with the prototypes of parsed JSON.
  const error = await refusalOf(JSON.parse(JSON.stringify(inFunction)));
  if (error === undefined || error instanceof PhotonError) return;
  throw new Error(`not answered: ${JSON.stringify(asked)}`, { cause: error });
});
