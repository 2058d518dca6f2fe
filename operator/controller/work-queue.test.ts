import { expect } from 'chai';
import * as fc from 'fast-check';
import { FakeClock } from './testing/fake-clock.ts';
import { WorkQueue } from './work-queue.ts';

describe('work queue', () => {
  it('gives out keys in the order they came, each once however often it was added', async () => {
    const queue = new WorkQueue(new FakeClock());
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(queue.depth).to.equal(3);
    expect([await queue.take(), await queue.take(), await queue.take()]).to.deep.equal([
      'a',
      'b',
      'c',
    ]);
  });

  it('never gives a key to two workers, and gives it again when it changed meanwhile', async () => {
    const queue = new WorkQueue(new FakeClock());
    queue.add('a');
    expect(await queue.take()).to.equal('a');
    queue.add('a');
    queue.add('b');
    expect(await queue.take()).to.equal('b');
    const next = queue.take();
    queue.done('a');
    expect(await next).to.equal('a');
  });

  it('does not give a key again that did not change while it was processed', async () => {
    const queue = new WorkQueue(new FakeClock());
    queue.add('a');
    await queue.take();
    queue.done('a');
    expect(queue.depth).to.equal(0);
    expect(queue.processing).to.equal(0);
  });

  it('brings a failing key back later each time, up to the longest pause', async () => {
    const clock = new FakeClock();
    const queue = new WorkQueue(clock, { retryMaxMs: 1000, retriesPerSecond: 1e6 });
    const pauses: number[] = [];
    for (let failure = 0; failure < 10; failure += 1) {
      const failedAt = clock.now();
      queue.addRateLimited('a');
      while (queue.depth === 0) await clock.advance(5);
      pauses.push(clock.now() - failedAt);
      queue.done((await queue.take()) ?? '');
    }
    expect(pauses).to.deep.equal([5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    queue.forget('a');
    expect(queue.failures('a')).to.equal(0);
  });

  it('lets all failing keys together back at a bounded rate', async () => {
    const clock = new FakeClock();
    const queue = new WorkQueue(clock, { retriesPerSecond: 10, retryBurst: 100 });
    for (let index = 0; index < 200; index += 1) queue.addRateLimited(`key-${index}`);
    await clock.advance(10);
    expect(queue.depth).to.be.within(100, 101);
    await clock.advance(5000);
    expect(queue.depth).to.be.within(149, 152);
    await clock.advance(10_000);
    expect(queue.depth).to.equal(200);
  });

  it('keeps the earliest of several delays of a key, and an addition overtakes them', async () => {
    const clock = new FakeClock();
    const queue = new WorkQueue(clock);
    queue.addAfter('a', 500);
    queue.addAfter('a', 900);
    queue.addAfter('a', 100);
    expect(queue.delayed).to.equal(1);
    await clock.advance(99);
    expect(queue.depth).to.equal(0);
    await clock.advance(1);
    expect(queue.depth).to.equal(1);
    queue.addAfter('b', 500);
    queue.add('b');
    expect(queue.delayed).to.equal(0);
    expect(queue.depth).to.equal(2);
  });

  it('turns keys away beyond its bound, and says so once', () => {
    const queue = new WorkQueue(new FakeClock(), { keysMax: 3 });
    for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
    queue.addAfter('e', 10);
    expect(queue.depth + queue.delayed).to.equal(3);
    expect(queue.takeOverflow()).to.equal(true);
    expect(queue.takeOverflow()).to.equal(false);
  });

  it('closes: waiting workers get nothing, keys under way are waited for, timers are gone', async () => {
    const clock = new FakeClock();
    const queue = new WorkQueue(clock);
    queue.add('a');
    await queue.take();
    queue.addAfter('b', 1000);
    const waiting = queue.take();
    let isClosed = false;
    const closing = queue.close().then(() => {
      isClosed = true;
    });
    expect(await waiting).to.equal(undefined);
    expect(isClosed).to.equal(false);
    expect(clock.timers).to.equal(0);
    queue.add('c');
    queue.done('a');
    await closing;
    expect(await queue.take()).to.equal(undefined);
  });

  it('says how long the first key has been waiting', async () => {
    const clock = new FakeClock();
    const queue = new WorkQueue(clock);
    expect(queue.oldestMs).to.equal(0);
    queue.add('a');
    await clock.advance(70);
    queue.add('b');
    expect(queue.oldestMs).to.equal(70);
  });

  it('holds its two promises for any sequence: one worker for a key, and no change unseen', async () => {
    const step = fc.record({
      action: fc.constantFrom('add', 'later', 'retry', 'take', 'done'),
      key: fc.constantFrom('a', 'b', 'c'),
    });
    const heldAndDelayed = [
      { action: 'add', key: 'a' },
      { action: 'take', key: 'a' },
      { action: 'add', key: 'a' },
      { action: 'retry', key: 'c' },
      { action: 'take', key: 'a' },
    ] as const;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const clock = new FakeClock();
        const queue = new WorkQueue(clock);
        const held = new Set<string>();
        const changed = new Set<string>();
        /** Keys that changed in the hands of their worker: they count, and nobody can take them yet. */
        const again = new Set<string>();
        const takeAll = async (): Promise<void> => {
          while (queue.depth > again.size) {
            const key = await queue.take();
            if (key === undefined) return;
            expect(held.has(key)).to.equal(false);
            held.add(key);
            changed.delete(key);
          }
        };
        for (const { action, key } of steps) {
          if (action === 'done') {
            again.delete(key);
            if (held.delete(key)) queue.done(key);
          } else if (action === 'take') {
            await takeAll();
          } else {
            changed.add(key);
            if (action === 'add' && held.has(key)) again.add(key);
            if (action === 'add') queue.add(key);
            if (action === 'later') queue.addAfter(key, 50);
            if (action === 'retry') queue.addRateLimited(key);
          }
        }
        for (let round = 0; round < 3; round += 1) {
          await clock.advance(2_000_000);
          for (const key of held) queue.done(key);
          held.clear();
          again.clear();
          await takeAll();
        }
        expect([...changed]).to.deep.equal([]);
      }),
      // A key that changed in its worker's hands while another one is only delayed.
      { numRuns: 300, examples: [[[...heldAndDelayed]]] },
    );
  });
});
