import { expect } from 'chai';
import * as fc from 'fast-check';
import { BoundedQueue, QueueClosedError } from './bounded-queue.ts';

const { signal } = new AbortController();

async function failure(action: Promise<unknown>): Promise<unknown> {
  try {
    await action;
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection');
}

describe('a bounded queue', () => {
  it('lets who pushes into a full queue wait, and keeps the order', async () => {
    const queue = new BoundedQueue<number>(2);
    const done: number[] = [];
    const pushes = [1, 2, 3, 4].map(async (item) => {
      await queue.push(item, signal);
      done.push(item);
    });
    await Promise.all(pushes.slice(0, 2));
    expect([queue.size, queue.tryPush(5), done]).to.deep.equal([2, false, [1, 2]]);
    const taken: (number | undefined)[] = [];
    for (let count = 0; count < 4; count += 1) taken.push(await queue.take(signal));
    await Promise.all(pushes);
    expect([taken, done]).to.deep.equal([
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ]);
  });

  it('hands an item to who waits for one', async () => {
    const queue = new BoundedQueue<string>(1);
    const takes = [queue.take(signal), queue.take(signal)];
    expect([queue.tryPush('a'), queue.tryPush('b'), queue.size]).to.deep.equal([true, true, 0]);
    expect(await Promise.all(takes)).to.deep.equal(['a', 'b']);
  });

  it('stops waiting when aborted, and loses nothing', async () => {
    const queue = new BoundedQueue<number>(1);
    const [pusher, taker] = [new AbortController(), new AbortController()];
    const take = queue.take(taker.signal);
    taker.abort(new Error('enough'));
    expect(await failure(take)).to.have.property('message', 'enough');
    expect(queue.tryPush(1)).to.equal(true);
    const push = queue.push(2, pusher.signal);
    pusher.abort(new Error('no more'));
    expect(await failure(push)).to.have.property('message', 'no more');
    expect(await queue.take(signal)).to.equal(1);
    expect(queue.size).to.equal(0);
    expect(await failure(queue.push(3, pusher.signal))).to.have.property('message', 'no more');
  });

  it('gives out what is inside after it was closed, and takes nothing more', async () => {
    const queue = new BoundedQueue<number>(1);
    await queue.push(1, signal);
    const waiting = queue.push(2, signal);
    queue.close();
    expect(await failure(waiting)).to.be.instanceOf(QueueClosedError);
    expect(() => queue.tryPush(3)).to.throw(QueueClosedError);
    expect([await queue.take(signal), await queue.take(signal)]).to.deep.equal([1, undefined]);
    const late = new BoundedQueue<number>(1);
    const take = late.take(signal);
    late.close();
    expect(await take).to.equal(undefined);
  });

  it('hands out each item once and in order, whoever waits for whom', async () => {
    const steps = fc.array(fc.boolean(), { maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), steps, async (capacity, isPush) => {
        const queue = new BoundedQueue<number>(capacity);
        const takes: Promise<number | undefined>[] = [];
        let pushed = 0;
        const pushes: Promise<void>[] = [];
        for (const push of isPush) {
          if (push) pushes.push(queue.push((pushed += 1), signal));
          else takes.push(queue.take(signal));
          expect(queue.size).to.be.at.most(capacity);
        }
        while (takes.length < pushed) takes.push(queue.take(signal));
        await Promise.all(pushes);
        queue.close();
        const wanted = Array.from({ length: takes.length }, (_, at) =>
          at < pushed ? at + 1 : undefined,
        );
        expect(await Promise.all(takes)).to.deep.equal(wanted);
      }),
    );
  });

  it('refuses a capacity that holds nothing', () => {
    expect(() => new BoundedQueue(0)).to.throw('not a capacity');
  });
});
