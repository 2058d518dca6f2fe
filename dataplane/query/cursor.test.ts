import { expect } from 'chai';
import type { Context } from './compiled.ts';
import { StreamCursor } from './cursor.ts';
import { createQueryEngine } from './create-engine.ts';
import { readSessionOptions } from './global-options.ts';
import { streamOf } from './stream.ts';
import type { Stream } from './stream.ts';
import { Term } from './term-table.ts';
import { MemoryEnvironment } from './testing/memory-environment.ts';
import { fn } from './testing/run.ts';

const { signal } = new AbortController();
const limits = { maxRows: 5_000, maxBytes: 1_000_000, maxMilliseconds: 500 };

describe('a cursor', () => {
  it('ends a batch when its time is over, and goes on with the next', async () => {
    const environment = new MemoryEnvironment();
    environment.pause = () => {
      environment.nowMs += 300;
      return Promise.resolve();
    };
    const numbers = [Term.MAP, [[Term.RANGE, [60_000]], fn((x) => x)]];
    const session = { user: 'admin', signal };
    const outcome = await createQueryEngine(environment).run(numbers, {}, session);
    if (outcome.type !== 'sequence') throw new Error('it is no sequence');
    const { cursor } = outcome;
    const rows: string[] = [];
    let batches = 0;
    for (let done = false; !done; batches += 1) {
      const begunMs = environment.nowMs;
      const batch = await cursor.next({ ...limits, maxRows: 100_000 }, signal);
      // One slice more than the time has room for ends it.
      expect(environment.nowMs - begunMs).to.be.at.most(600);
      rows.push(...batch.rows);
      ({ done } = batch);
    }
    expect(batches).to.be.greaterThan(1);
    expect(rows).to.deep.equal(Array.from({ length: 60_000 }, (_, at) => String(at)));
  });

  it('waits for a first row, however long it takes', async () => {
    let nowMs = 0;
    const rows = streamOf([1]);
    let pulls = 0;
    const slow: Stream = {
      next: (limit, signalOf) => {
        nowMs += 1_000;
        pulls += 1;
        return pulls < 5 ? Promise.resolve([]) : rows.next(limit, signalOf);
      },
      close: () => undefined,
    };
    const context = { environment: { now: () => nowMs } } as Context;
    const batch = await new StreamCursor(slow, context).next(limits, signal);
    expect(batch.rows).to.deep.equal(['1']);
  });
});

describe('options of a connection', () => {
  it('are those of the table, and what they are without being given', () => {
    expect(readSessionOptions({})).to.deep.equal({
      noreply: false,
      profile: false,
      max_batch_rows: undefined,
      max_batch_bytes: undefined,
      max_batch_seconds: undefined,
      first_batch_scaledown_factor: undefined,
    });
    expect(readSessionOptions({ noreply: true, max_batch_rows: 5, db: [14, ['x']] })).to.include({
      noreply: true,
      max_batch_rows: 5,
    });
  });

  it('leave to the engine what it refuses', () => {
    const wrong = { noreply: 'yes', max_batch_rows: 0, max_batch_seconds: [103, []] };
    expect(readSessionOptions(wrong)).to.deep.equal(readSessionOptions({}));
  });
});
