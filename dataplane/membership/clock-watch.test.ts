import { expect } from 'chai';
import { ClockWatch, clockPeriodMs } from './clock-watch.ts';
import { encodeTime } from './echo.ts';
import { clockOffsetMsMax } from './quarantine-causes.ts';

/** Clocks of nodes beside one whose time moves only with the answers of the others. */
class Clocks {
  at = 1_000_000;
  readonly offsets = new Map<string, number>();
  readonly delays = new Map<string, number>();
  readonly asked: string[] = [];
  readonly wrong: string[] = [];
  readonly watch = new ClockWatch({
    clock: { now: () => this.at, timeOfDay: () => this.at },
    peers: () => [...this.offsets.keys()],
    echo: async (id) => {
      this.asked.push(id);
      const half = (this.delays.get(id) ?? 0) / 2;
      this.at += half;
      const answer = encodeTime(this.at + (this.offsets.get(id) ?? 0));
      this.at += half;
      return answer;
    },
    wrong: (id, offsetMs) => this.wrong.push(`${id} ${offsetMs}`),
  });

  async measure(times: number): Promise<void> {
    for (let at = 0; at < times; at += 1) await this.watch.measure();
  }
}

describe('the watch over the clocks of other nodes', () => {
  it('measures one node after the other, and one with a wrong clock three times', async () => {
    const clocks = new Clocks();
    for (const id of ['a', 'b', 'c']) clocks.offsets.set(id, 0);
    clocks.offsets.set('b', clockOffsetMsMax + 5);
    await clocks.measure(7);
    expect(clocks.asked.join('')).to.equal('abbbcab');
    expect(clocks.wrong).to.deep.equal(Array.from({ length: 4 }, () => 'b 10005'));
  });

  it('measures often until all clocks were right, while one is wrong, and when a node comes back', async () => {
    const clocks = new Clocks();
    const { calm, first, watchful } = clockPeriodMs;
    expect(clocks.watch.pauseMs).to.equal(watchful);
    const pauses: number[] = [];
    const measured = async (times: number): Promise<void> => {
      await clocks.measure(times);
      pauses.push(clocks.watch.pauseMs);
    };
    for (const id of ['a', 'b']) clocks.offsets.set(id, 0);
    await measured(1);
    await measured(1);
    clocks.offsets.set('a', clockOffsetMsMax + 5);
    await measured(3);
    clocks.offsets.set('a', 0);
    await measured(2);
    clocks.offsets.delete('b');
    await measured(1);
    clocks.offsets.set('b', 0);
    pauses.push(clocks.watch.pauseMs);
    expect(pauses).to.deep.equal([first, calm, watchful, calm, calm, first]);
  });

  it('finds clocks that are behind, and none within the bound', async () => {
    const clocks = new Clocks();
    clocks.offsets.set('a', -clockOffsetMsMax - 1);
    clocks.offsets.set('b', clockOffsetMsMax);
    await clocks.measure(4);
    expect(clocks.wrong).to.deep.equal(Array.from({ length: 3 }, () => 'a -10001'));
  });

  it('does not take the time of the answer for an offset', async () => {
    const clocks = new Clocks();
    clocks.offsets.set('a', 0);
    clocks.delays.set('a', 60_000);
    await clocks.measure(3);
    expect(clocks.wrong).to.deep.equal([]);
  });

  it('does not ask a node again and again that does not answer', async () => {
    const clocks = new Clocks();
    const silent = new ClockWatch({
      clock: { now: () => clocks.at, timeOfDay: () => clocks.at },
      peers: () => ['a'],
      echo: () => Promise.reject(new Error('it does not answer')),
      wrong: () => undefined,
    });
    expect(silent.pauseMs).to.equal(clockPeriodMs.first);
    await silent.measure().catch(() => undefined);
    expect(silent.pauseMs).to.equal(clockPeriodMs.calm);
  });

  it('has nothing to do without other nodes', async () => {
    const clocks = new Clocks();
    await clocks.measure(2);
    expect(clocks.asked).to.deep.equal([]);
  });
});
