import { expect } from 'chai';
import { createQueryEngine } from './create-engine.ts';
import { Term } from './term-table.ts';
import { MemoryEnvironment } from './testing/memory-environment.ts';
import { array, Bench, fn } from './testing/run.ts';
import { queryLimits } from './work/limits.ts';

/** Data that makes a term large, and behind it what is looked at. */
const filler = (): unknown[] => Array.from({ length: 600 }, (_, id) => ({ id, a: [2, [id, 'x']] }));
const last = (term: unknown): unknown => [Term.NTH, [array(...filler(), term), -1]];
const field = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];
const items = (count: number): unknown => array(...Array.from({ length: count }, (_, at) => at));
const numbers = items(3_000);

describe('terms of many parts', () => {
  const bench = new Bench();
  let table: unknown;

  before(async () => {
    table = await bench.table('t', [{ id: 1, n: 'one' }]);
  });

  const values: readonly unknown[] = [
    { b: 1, a: { d: [2, [1, 2]], c: null } },
    { a: [Term.ADD, [1, 2]], b: [2, [[Term.ADD, ['x', 'y']], { c: 1 }]] },
    { '2': 'b', '1': 'a', ä: 1, z: 2 },
    { $reql_type$: 'TIME', epoch_time: 1.0004, timezone: '+01:00' },
    [2, [[2, []], {}, [3, { a: 1 }]]],
    [Term.DATUM, [[1, 2], { b: 1, a: 2 }]],
    [Term.MAP, [numbers, fn((x) => [Term.ADD, [x, 1]])]],
    [Term.FILTER, [array({ a: 1, b: 2 }, { a: 2 }), { a: 1 }]],
    [Term.FUNCALL, [fn((x, y) => array(x, { y }), 2), 1, numbers]],
    [Term.BRANCH, [false, 1, true, { a: numbers }, 3]],
    [Term.DEFAULT, [field({ a: numbers }, 'b'), 'none']],
    [Term.AND, [true, numbers, [Term.OR, [false, { a: 1 }]]]],
    [Term.ORDER_BY, [array({ a: 2 }, { a: 1 }), [Term.DESC, ['a']]]],
    [Term.SUM, [[Term.ARGS, [array(numbers)]]]],
    [Term.COERCE_TO, [[Term.UNION, [[Term.RANGE, [2]], numbers]], 'array']],
    [Term.MERGE, [{ a: 1 }, { b: numbers }, fn((x) => ({ c: field(x, 'a') }))]],
  ];
  it('have the values of small ones', async () => {
    for (const term of values)
      expect(await bench.run(last(term)), JSON.stringify(term).slice(0, 200)).to.deep.equal(
        await bench.run(term),
      );
    const rows = [Term.GET_ALL, [table, ...Array.from({ length: 3_000 }, (_, id) => id)]];
    expect(await bench.run(rows)).to.deep.equal([{ id: 1, n: 'one' }]);
    const chain = Array.from({ length: 3_000 }).reduce((x: unknown) => [Term.ADD, [x, 1]], 1);
    expect(await bench.run([Term.ADD, [chain, [Term.COUNT, [numbers]]]])).to.equal(6_001);
  });

  const refused: readonly unknown[] = [
    [999, []],
    [Term.ADD, []],
    [Term.ADD, [1, 'x']],
    [Term.VAR, [77]],
    [Term.IMPLICIT_VAR, []],
    [Term.ASC, ['a']],
    [Term.FUNC, [1]],
    [Term.MAP, [array(1)], { x: 1 }],
    [Term.GET_ALL, [table, 1], { index: [Term.VAR, [5]] }],
    [Term.MAP, [array(1), fn(() => [Term.INSERT, [table, {}]])]],
    { a: { $reql_type$: 'TIME', epoch_time: 'x', timezone: 'Z' } },
    { a: { b: { $reql_type$: 'NONE' } }, c: [999, []] },
    { a: Infinity },
    { '\ud800': 1 },
    array('\udc00', 1),
    [2, items(10), { a: 1 }],
  ];
  it('are refused as small ones, at their place', async () => {
    for (const term of refused) {
      const failure = await bench.failure(term).catch((error: unknown) => error);
      const found = await bench.failure(last(term)).catch((error: unknown) => error);
      if (!Array.isArray(failure) || !Array.isArray(found)) {
        expect(String(found)).to.equal(String(failure));
        continue;
      }
      const [type, message, place] = failure as [number, string, readonly unknown[]];
      const prefix = type === 0 || place.length > 0 || !message.startsWith('Query') ? [0, 600] : [];
      expect(found, JSON.stringify(term).slice(0, 200)).to.deep.equal([
        type,
        message,
        [...prefix, ...place],
      ]);
    }
    const [type, message] = await bench.failure(items(100_001));
    expect([type, message.slice(0, 32)]).to.deep.equal([
      2_000_000,
      'Array over size limit `100000`. ',
    ]);
  });

  it('are read, compiled and evaluated with pauses', async () => {
    const documents = (make: (id: number) => unknown): unknown =>
      array(...Array.from({ length: 10_000 }, (_, id) => make(id)));
    for (const make of [
      (id: number) => ({ id, n: 1, tags: array('a', 'b'), city: { name: 'x', zip: 1 } }),
      (id: number) => ({ id, at: [Term.EPOCH_TIME, [id]], city: { name: 'x', zip: 1 } }),
      (id: number) => array(id, [Term.ADD, [id, 1]], { id, n: 1 }),
      (id: number) => [Term.ADD, [id, 1]],
    ]) {
      const { pauses } = bench.environment;
      expect(await bench.run([Term.COUNT, [documents(make)]])).to.equal(10_000);
      expect(bench.environment.pauses - pauses).to.be.at.least(2);
    }
  });

  it('are charged to the memory of the query', async () => {
    const limits = { ...queryLimits, queryBytesMax: 1_048_576, allBytesMax: 1_048_576 };
    const engine = createQueryEngine(new MemoryEnvironment(), limits);
    const { signal } = new AbortController();
    const term = [Term.COUNT, [array(...Array.from({ length: 20_000 }, (_, a) => ({ a })))]];
    let message = '';
    try {
      await engine.run(term, {}, { user: 'admin', signal });
    } catch (error) {
      ({ message } = error as Error);
    }
    expect(message).to.match(/^Query over memory limit: it needs more than 1 MiB/);
  });
});
