import { expect } from 'chai';
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
    const numbers = [Term.MAP, [[Term.RANGE, [4_000]], fn((x) => x)]];
    const session = { user: 'admin', signal };
    const outcome = await createQueryEngine(environment).run(numbers, {}, session);
    if (outcome.type !== 'sequence') throw new Error('it is no sequence');
    const { cursor } = outcome;
    const first = await cursor.next(limits, signal);
    expect([first.rows.length, first.done]).to.deep.equal([3_000, false]);
    const second = await cursor.next(limits, signal);
    expect([second.rows.length, second.done]).to.deep.equal([1_000, true]);
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
    const batch = await new StreamCursor(slow, () => nowMs).next(limits, signal);
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
