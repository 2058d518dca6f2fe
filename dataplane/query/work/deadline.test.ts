import { expect } from 'chai';
import { ManualClock } from '../../wal/testing/manual-clock.ts';
import { createQueryEngine } from '../create-engine.ts';
import type { Outcome, QueryEngine } from '../engine.ts';
import { RuntimeError } from '../errors.ts';
import { Term } from '../term-table.ts';
import { MemoryEnvironment } from '../testing/memory-environment.ts';
import { fn, wholeAnswer } from '../testing/run.ts';
import { queryLimits } from './limits.ts';

const { signal } = new AbortController();
const numbers = [Term.MAP, [[Term.RANGE, []], fn((x) => [Term.ADD, [x, 1]])]];
const endless = [Term.COUNT, [[Term.RANGE, [1e15]]]];

describe('the time of a query', () => {
  /** Each turn of the event loop takes a tenth of a second. */
  const engineOf = (secondsMax: number): { engine: QueryEngine; clock: ManualClock } => {
    const clock = new ManualClock();
    const environment = new MemoryEnvironment();
    environment.pause = async () => {
      clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { engine: createQueryEngine(environment, { ...queryLimits, clock, secondsMax }), clock };
  };
  const failure = async (work: () => Promise<unknown>): Promise<[number, string]> => {
    try {
      await work();
    } catch (error) {
      if (error instanceof RuntimeError) return [error.type, error.message];
      throw error;
    }
    throw new Error('it did not fail');
  };
  const run = async (engine: QueryEngine, term: unknown, options = {}): Promise<Outcome> =>
    engine.run(term, options, { user: 'admin', signal });
  const words = (seconds: number): string =>
    `Query over time limit: it ran longer than ${seconds} s (\`max_query_seconds\`).  What it has written stays.  Ask for less at once, or raise the limit.`;

  it('is bounded by the node, by the query, and by the smaller of both', async () => {
    for (const [most, asked, expected] of [
      [2, 0, 2],
      [0, 3, 3],
      [2, 1.5, 1.5],
      [2, 60, 2],
    ] as const) {
      const { engine, clock } = engineOf(most);
      const options = asked === 0 ? {} : { max_query_seconds: asked };
      const found = await failure(() => run(engine, endless, options));
      expect(found).to.deep.equal([2_000_000, words(expected)]);
      expect(clock.now()).to.be.within(expected * 1_000, expected * 1_000 + 200);
    }
  });

  it('has no limit when none is set', async () => {
    const { engine, clock } = engineOf(0);
    const outcome = await run(engine, [Term.COUNT, [[Term.RANGE, [500_000]]]]);
    expect(await wholeAnswer(outcome, signal)).to.equal(500_000);
    expect(clock.now()).to.be.greaterThan(2_000);
  });

  it('does not count while the client reads', async () => {
    const { engine, clock } = engineOf(1);
    const outcome = await run(engine, numbers);
    if (outcome.type !== 'sequence') throw new Error('it is no sequence');
    const limits = { maxRows: 10, maxBytes: 10_000, maxMilliseconds: 1_000 };
    for (let count = 0; count < 5; count += 1) {
      expect((await outcome.cursor.next(limits, signal)).rows).to.have.length(10);
      clock.advance(60_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const all = { maxRows: 1e9, maxBytes: 1e9, maxMilliseconds: 1e9 };
    expect(await failure(() => outcome.cursor.next(all, signal))).to.deep.equal([
      2_000_000,
      words(1),
    ]);
  });

  it('ends what waits', async () => {
    const clock = new ManualClock();
    const environment = new MemoryEnvironment();
    await createQueryEngine(environment).run(
      [Term.TABLE_CREATE, ['t']],
      {},
      { user: 'admin', signal },
    );
    const waiting = createQueryEngine(
      Object.assign(environment, {
        catalog: { ...environment.catalog, ready: () => new Promise<void>(() => undefined) },
      }),
      { ...queryLimits, clock, secondsMax: 1 },
    );
    const ended = failure(() => run(waiting, [Term.INDEX_WAIT, [[Term.TABLE, ['t']]]]));
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1_000);
    expect(await ended).to.deep.equal([2_000_000, words(1)]);
  });
});
