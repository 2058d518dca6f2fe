import { expect } from 'chai';
import { LogPace } from './log-pace.ts';

describe('the pace of a log', () => {
  it('is slow while a write takes a second, and while slow writes follow each other', () => {
    const pace = new LogPace();
    expect([pace.isSlow(0, 999), pace.isSlow(0, 1_000)]).to.deep.equal([false, true]);
    pace.ended(0, 1_200);
    expect(pace.isSlow(1_200, 1_300)).to.equal(true);
    expect(pace.isSlow(undefined, 3_199)).to.equal(true);
  });

  it('is not slow after a quick write, or without any', () => {
    const pace = new LogPace();
    pace.ended(0, 1_200);
    pace.ended(1_200, 1_210);
    expect(pace.isSlow(undefined, 1_210)).to.equal(false);
    pace.ended(2_000, 4_000);
    expect(pace.isSlow(undefined, 6_000)).to.equal(false);
  });
});
