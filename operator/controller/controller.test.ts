import { expect } from 'chai';
import type { ReconcileObservation, ReconcileResult } from './controller.ts';
import { Controller } from './controller.ts';
import { FakeClock, settle } from './testing/fake-clock.ts';
import { WorkQueue } from './work-queue.ts';

type Reconcile = (key: string, signal: AbortSignal) => Promise<ReconcileResult>;

function started(
  reconcile: Reconcile,
  options: { workers?: number; keysMax?: number; keys?: readonly string[] } = {},
): {
  readonly clock: FakeClock;
  readonly queue: WorkQueue;
  readonly seen: ReconcileObservation[];
  readonly stop: () => Promise<void>;
} {
  const clock = new FakeClock();
  const queue = new WorkQueue(clock, { keysMax: options.keysMax ?? 100 });
  const seen: ReconcileObservation[] = [];
  const stopper = new AbortController();
  const controller = new Controller({
    queue,
    reconcile,
    keys: () => options.keys ?? [],
    clock,
    workers: options.workers ?? 2,
    reconcileMs: 1000,
    observe: (observation) => seen.push(observation),
  });
  const running = controller.run(stopper.signal);
  const stop = (): Promise<void> => {
    stopper.abort();
    return running;
  };
  return { clock, queue, seen, stop };
}

describe('controller', () => {
  it('survives whatever a reconcile throws, and tries that key again later', async () => {
    let calls = 0;
    const { clock, queue, seen, stop } = started(async () => {
      calls += 1;
      if (calls < 4) throw new TypeError(`failure ${calls}`);
      return { type: 'done' };
    });
    queue.add('a');
    await clock.advance(1000);
    expect(seen.map(({ outcome, failures }) => [outcome, failures])).to.deep.equal([
      ['failed', 1],
      ['failed', 2],
      ['failed', 3],
      ['done', 0],
    ]);
    await stop();
  });

  it('survives a reconcile that throws before it returns a promise', async () => {
    const { clock, queue, seen, stop } = started(() => {
      throw new Error('at once');
    });
    queue.add('a');
    await clock.advance(4);
    expect(seen[0]?.outcome).to.equal('failed');
    await stop();
  });

  it('comes back as the result says: never, after a time, or later with each time', async () => {
    const results: ReconcileResult[] = [
      { type: 'after', delayMs: 300 },
      { type: 'retry', reason: 'not yet' },
      { type: 'retry', reason: 'not yet' },
      { type: 'done' },
    ];
    const at: number[] = [];
    const { clock, queue, seen, stop } = started(async () => {
      at.push(clock.now());
      return results.shift() ?? { type: 'done' };
    });
    queue.add('a');
    await clock.advance(100_000);
    expect(at).to.deep.equal([0, 300, 305, 315]);
    expect(seen[1]).to.include({ outcome: 'retry', error: 'not yet', failures: 1 });
    expect(queue.failures('a')).to.equal(0);
    await stop();
  });

  it('works on several keys at once, and never on one key twice at once', async () => {
    const underWay = new Set<string>();
    let most = 0;
    const { clock, queue, stop } = started(async (key) => {
      expect(underWay.has(key)).to.equal(false);
      underWay.add(key);
      most = Math.max(most, underWay.size);
      await settle();
      underWay.delete(key);
      return { type: 'done' };
    });
    for (let round = 0; round < 5; round += 1) {
      for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
      await settle();
    }
    await clock.advance(10);
    expect(most).to.equal(2);
    await stop();
  });

  it('aborts a reconcile that takes too long, and counts it as failed', async () => {
    const { clock, queue, seen, stop } = started(
      (_key, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('told to end')));
        }),
    );
    queue.add('a');
    await clock.advance(1001);
    expect(seen[0]).to.include({ outcome: 'failed', durationMs: 1000 });
    await stop();
  });

  it('adds all keys again after the queue had to turn some away', async () => {
    const done: string[] = [];
    const keys = ['a', 'b', 'c', 'd', 'e'];
    const reconcile: Reconcile = async (key) => {
      done.push(key);
      return { type: 'done' };
    };
    const { clock, queue, stop } = started(reconcile, { workers: 1, keysMax: 3, keys });
    await settle();
    for (const key of keys) queue.add(key);
    await clock.advance(100);
    expect([...new Set(done)].sort()).to.deep.equal(keys);
    await stop();
  });

  it('stops only after the work under way has ended, and leaves no timer', async () => {
    let end: (() => void) | undefined;
    const { clock, queue, stop } = started(
      () =>
        new Promise((resolve) => {
          end = () => resolve({ type: 'after', delayMs: 50 });
        }),
    );
    queue.add('a');
    await settle();
    let isStopped = false;
    const stopping = stop().then(() => {
      isStopped = true;
    });
    await settle();
    expect(isStopped).to.equal(false);
    end?.();
    await stopping;
    expect(clock.timers).to.equal(0);
  });
});
