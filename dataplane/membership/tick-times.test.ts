import { expect } from 'chai';
import { TickTimes } from './tick-times.ts';

/** The times at which ticks come that are each late by so much. */
function ticksLateBy(delays: readonly number[]): readonly number[] {
  const times = new TickTimes();
  let now = 1_000;
  return delays.map((delay) => {
    now += times.pauseMs(now, 100) + delay;
    return now - 1_000;
  });
}

describe('the times of ticks', () => {
  it('keep their distance in the long run, although each tick comes late', () => {
    expect(ticksLateBy([0, 0, 0])).to.deep.equal([100, 200, 300]);
    expect(ticksLateBy(Array.from({ length: 60 }, () => 30)).at(-1)).to.equal(6_030);
    expect(ticksLateBy([90, 10, 50, 0])).to.deep.equal([190, 210, 350, 400]);
  });

  it('are not made up for after a pause of the process', () => {
    expect(ticksLateBy([5_000, 0, 0, 0])).to.deep.equal([5_100, 5_100, 5_200, 5_300]);
  });
});
