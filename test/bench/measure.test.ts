import { expect } from 'chai';
import { asText, measure, median, rateOf } from './measure.ts';

describe('the measure of benchmarks', () => {
  it('warms up, then lets the subjects take turns, in both orders', async () => {
    const turns: string[] = [];
    const subject = (
      name: string,
      rates: readonly number[],
    ): { name: string; run(): Promise<number> } => {
      let round = 0;
      return {
        name,
        run: async () => {
          turns.push(name);
          round += 1;
          return rates[round - 1] ?? 0;
        },
      };
    };
    const subjects = [subject('a', [999, 10, 20, 40]), subject('b', [999, 20, 30, 20])];
    const result = await measure({ about: 'turns', unit: '/s', subjects }, 3);
    expect(turns.join('')).to.equal('ababbaab');
    expect(result.figures[1]).to.deep.equal({
      name: 'b',
      median: 20,
      least: 20,
      most: 30,
      ratio: { median: 1.5, least: 0.5, most: 2 },
    });
    expect(asText(result)).to.contain('20.0 /s (20.0 to 30.0)  1.50x (0.50 to 2.00)');
  });

  it('knows the median of odd and even numbers of rounds', () => {
    expect([median([3, 1, 2]), median([4, 1, 3, 2])]).to.deep.equal([2, 2.5]);
  });

  it('counts operations until the time is over', async () => {
    const seen: number[] = [];
    const rate = await rateOf(5, async (count) => {
      seen.push(count);
      await new Promise((resolve) => setTimeout(resolve, 1));
    });
    expect(rate).to.be.greaterThan(0);
    expect(seen).to.deep.equal(seen.map((_, at) => at));
  });
});
