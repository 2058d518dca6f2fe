import { expect } from 'chai';
import { KubeError, isKubeError } from './errors.ts';
import type { KubeErrorCode } from './errors.ts';
import { RequestLimiter } from './request-limiter.ts';
import { attemptsMax, retryDelayMs } from './retry.ts';
import type { Timing } from './timing.ts';

/** Time that passes only as far as somebody sleeps. */
class SleepingTime implements Timing {
  nowMs = 0;
  now(): number {
    return this.nowMs;
  }
  random(): number {
    return 0;
  }
  async sleep(delayMs: number): Promise<void> {
    this.nowMs += delayMs;
  }
}

describe('request limiter', () => {
  it('lets a burst through at once and then keeps to its rate', async () => {
    const time = new SleepingTime();
    const limits = { ratePerSecond: 20, burst: 40, inFlightMax: 1000 };
    const limiter = new RequestLimiter(limits, time);
    for (let request = 0; request < 40; request += 1) await limiter.enter(undefined);
    expect(time.nowMs).to.equal(0);
    for (let request = 0; request < 20; request += 1) await limiter.enter(undefined);
    expect(time.nowMs).to.equal(1000);
  });

  it('holds back what is too much at once, first come first served', async () => {
    const limits = { ratePerSecond: 1e6, burst: 1e6, inFlightMax: 2 };
    const limiter = new RequestLimiter(limits, new SleepingTime());
    const order: number[] = [];
    const leave = await Promise.all([limiter.enter(undefined), limiter.enter(undefined)]);
    const waiting = [1, 2].map(async (number) => {
      const next = await limiter.enter(undefined);
      order.push(number);
      next();
    });
    await Promise.resolve();
    expect(order).to.deep.equal([]);
    leave[0]?.();
    leave[0]?.();
    await Promise.all(waiting);
    expect(order).to.deep.equal([1, 2]);
    leave[1]?.();
    await limiter.enter(undefined);
  });

  it('releases those whose signal is aborted', async () => {
    const limits = { ratePerSecond: 1e6, burst: 1e6, inFlightMax: 1 };
    const limiter = new RequestLimiter(limits, new SleepingTime());
    const leave = await limiter.enter(undefined);
    const stopper = new AbortController();
    const waiting = limiter.enter(stopper.signal).catch((error: unknown) => error);
    await new Promise(setImmediate);
    expect(limiter.waiting).to.equal(1);
    stopper.abort();
    expect(isKubeError(await waiting, 'kube.aborted')).to.equal(true);
    expect(limiter.waiting).to.equal(0);
    leave();
    await limiter.enter(undefined);
  });

  it('refuses more waiting than it can hold', async () => {
    const limits = { ratePerSecond: 1e6, burst: 1e6, inFlightMax: 1 };
    const limiter = new RequestLimiter(limits, new SleepingTime());
    const refusals = Array.from({ length: 1500 }, () =>
      limiter.enter(undefined).then(
        () => Promise.reject(new Error('entered')),
        (error: unknown) => error,
      ),
    );
    const refusal = await Promise.any(refusals);
    expect(isKubeError(refusal, 'kube.throttled')).to.equal(true);
  });
});

describe('retry', () => {
  const delay = (code: KubeErrorCode, idempotent: boolean, retryAfterMs?: number): unknown =>
    retryDelayMs(new KubeError(code, '', { retryAfterMs }), { attempt: 1, idempotent }, () => 1);

  it('repeats what the server did not take, and lost answers of idempotent verbs only', () => {
    expect(delay('kube.throttled', false)).to.equal(250);
    expect(delay('kube.unavailable', true)).to.equal(250);
    expect(delay('kube.timeout', true)).to.equal(250);
    expect(delay('kube.unavailable', false)).to.equal(undefined);
    expect(delay('kube.timeout', false)).to.equal(undefined);
  });

  it('takes every other error for the answer', () => {
    const answers: readonly KubeErrorCode[] = [
      'kube.not_found',
      'kube.conflict',
      'kube.forbidden',
      'kube.invalid',
      'kube.disruption_budget',
      'kube.aborted',
      'kube.expired',
    ];
    for (const code of answers) expect(delay(code, true)).to.equal(undefined);
  });

  it('waits as long as it is asked, up to a bound', () => {
    expect(delay('kube.throttled', true, 3000)).to.equal(3000);
    expect(delay('kube.throttled', true, 60_000)).to.equal(undefined);
  });

  it('gives up after a bounded number of attempts, with growing jittered pauses', () => {
    const lost = new KubeError('kube.unavailable', '');
    const pauses = [1, 2, 3, 4, 5].map((attempt) =>
      retryDelayMs(lost, { attempt, idempotent: true }, () => 0),
    );
    expect(pauses).to.deep.equal([125, 250, 500, 1000, undefined]);
    expect(attemptsMax).to.equal(5);
  });
});
