import { expect } from 'chai';
import { backoffMs } from './backoff.ts';
import { sleep, systemClock } from './clock.ts';
import { microTime } from './micro-time.ts';
import { isOlder } from './resource-version.ts';
import { FakeClock, settle } from './testing/fake-clock.ts';
import { TokenBucket } from './token-bucket.ts';

describe('backoff', () => {
  it('doubles up to its longest pause, with a jitter of half', () => {
    const limits = { firstMs: 100, maxMs: 1000 };
    const longest = [0, 1, 2, 3, 4, 1000].map((failures) => backoffMs(limits, failures, () => 1));
    expect(longest).to.deep.equal([100, 200, 400, 800, 1000, 1000]);
    expect(backoffMs(limits, 0, () => 0)).to.equal(50);
  });
});

describe('token bucket', () => {
  it('lets a burst through and then one token per interval', () => {
    const bucket = new TokenBucket({ ratePerSecond: 10, burst: 3 });
    expect([1, 2, 3, 4, 5].map(() => bucket.reserve(0))).to.deep.equal([0, 0, 0, 100, 200]);
    expect(bucket.tryTake(200)).to.equal(false);
    expect(bucket.tryTake(300)).to.equal(true);
    expect([1, 2, 3, 4].map(() => bucket.tryTake(10_000))).to.deep.equal([true, true, true, false]);
  });
});

describe('micro time', () => {
  it('has six digits of a second', () => {
    expect(microTime(Date.UTC(2026, 0, 2, 3, 4, 5, 6))).to.equal('2026-01-02T03:04:05.006000Z');
  });
});

describe('resource versions', () => {
  it('are compared as numbers of any length, and otherwise not at all', () => {
    expect(isOlder('9', '10')).to.equal(true);
    expect(isOlder('10', '10')).to.equal(false);
    expect(isOlder('9007199254740992', '9007199254740993')).to.equal(true);
    expect(isOlder('abc', '10')).to.equal(false);
    expect(isOlder(undefined, '10')).to.equal(false);
  });
});

describe('sleep', () => {
  it('ends after its time, or with its signal, and leaves no timer', async () => {
    const clock = new FakeClock();
    const stopper = new AbortController();
    let woken = 0;
    for (const delayMs of [10, 1000]) {
      void sleep(clock, delayMs, stopper.signal).then(() => {
        woken += 1;
      });
    }
    await clock.advance(10);
    expect(woken).to.equal(1);
    stopper.abort();
    await settle();
    expect(woken).to.equal(2);
    expect(clock.timers).to.equal(0);
    await sleep(clock, 1000, stopper.signal);
  });

  it('does not fire at once for a time longer than a timer can take', async () => {
    let isFired = false;
    const cancel = systemClock.after(90 * 86_400_000, () => {
      isFired = true;
    });
    await sleep(systemClock, 20, new AbortController().signal);
    cancel();
    expect(isFired).to.equal(false);
  });
});
