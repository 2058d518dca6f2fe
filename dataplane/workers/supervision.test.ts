import { expect } from 'chai';
import { ownBytesIn, RestartPolicy, WorkerWatch } from './supervision.ts';

const limits = { periodMs: 500, silentMsMax: 10_000, ownBytesMax: 1_000 };

describe('the watch over a query worker', () => {
  it('finds a worker healthy that answers and stays small', () => {
    const watch = new WorkerWatch(limits, 0);
    for (let now = 500; now < 60_000; now += 500) {
      watch.heard();
      expect(watch.look(now, 1_000)).to.deep.equal({ type: 'healthy' });
    }
  });

  it('finds a worker that does not answer for too long', () => {
    const watch = new WorkerWatch(limits, 0);
    const verdicts = Array.from({ length: 21 }, (_, at) => watch.look((at + 1) * 500, 0).type);
    expect(verdicts.slice(0, 20).every((type) => type === 'healthy')).to.equal(true);
    expect(verdicts[20]).to.equal('silent');
  });

  it('does not count the time in which the core itself stood still', () => {
    const watch = new WorkerWatch(limits, 0);
    expect(watch.look(3_600_000, 0)).to.deep.equal({ type: 'healthy' });
    expect(watch.silentMs).to.equal(1_000);
    watch.heard();
    expect(watch.silentMs).to.equal(0);
  });

  it('does not count the pages of files that a worker has mapped', () => {
    expect(ownBytesIn('67123456 300000 280000 12000 0 45000 0\n')).to.equal(20_000 * 4_096);
    expect(ownBytesIn('')).to.equal(0);
  });

  it('finds a worker that outgrows its memory, whether it answers or not', () => {
    const watch = new WorkerWatch(limits, 0);
    watch.heard();
    expect(watch.look(500, 1_001)).to.deep.equal({ type: 'memory', ownBytes: 1_001 });
  });
});

describe('the restart of a query worker', () => {
  it('is at once when it has served, however often it ends', () => {
    const policy = new RestartPolicy();
    for (let at = 0; at < 10; at += 1) expect(policy.afterEnd(true, 0.5)).to.equal(0);
  });

  it('waits longer and longer for one that ends before it serves, up to a bound', () => {
    const policy = new RestartPolicy();
    const waits = Array.from({ length: 12 }, () => policy.afterEnd(false, 1));
    expect(waits.slice(0, 4)).to.deep.equal([250, 500, 1_000, 2_000]);
    expect(waits.at(-1)).to.equal(10_000);
    expect(policy.afterEnd(true, 1)).to.equal(0);
    expect(policy.afterEnd(false, 1)).to.equal(250);
  });
});
