import { expect } from 'chai';
import * as fc from 'fast-check';
import { backoffMs } from './backoff.ts';
import { Prng } from './prng.ts';

describe('exponential back-off', () => {
  const options = { initialMs: 100, maximumMs: 5_000 };

  it('doubles its bound and stays below the maximum', () => {
    const bounds = [0, 1, 2, 3, 10, 1_000].map((attempt) => backoffMs(options, attempt, 1));
    expect(bounds).to.deep.equal([100, 200, 400, 800, 5_000, 5_000]);
  });

  it('spreads the waits of many over the upper half', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
        const bound = Math.min(5_000, 100 * 2 ** attempt);
        expect(backoffMs(options, attempt, random)).to.be.within(bound / 2, bound);
      }),
    );
  });
});

describe('the deterministic generator', () => {
  it('gives the same sequence for the same seed, within its bounds', () => {
    const [one, two, other] = [new Prng(7), new Prng(7), new Prng(8)];
    const draws = Array.from({ length: 200 }, () => one.below(10));
    expect(Array.from({ length: 200 }, () => two.below(10))).to.deep.equal(draws);
    expect(Array.from({ length: 200 }, () => other.below(10))).to.not.deep.equal(draws);
    expect(new Set(draws)).to.deep.equal(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    expect(one.pick(['only'])).to.equal('only');
  });
});
