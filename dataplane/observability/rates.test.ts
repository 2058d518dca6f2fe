import { expect } from 'chai';
import { Rates } from './rates.ts';

const totals = (total: number): ReadonlyMap<string, number> => new Map([['queries', total]]);

describe('rates', () => {
  it('are those since the start at first', () => {
    const rates = new Rates(0);
    expect(rates.read(2_000, totals(10))('queries')).to.equal(5);
  });

  it('are those of the last second or more when they are read often', () => {
    const rates = new Rates(0);
    rates.read(10_000, totals(1_000));
    rates.read(11_000, totals(1_005));
    expect(rates.read(12_000, totals(1_025))('queries')).to.equal(20);
    expect(rates.read(12_500, totals(1_035))('queries')).to.equal(20);
  });

  it('are never negative, and zero for what is not counted', () => {
    const rates = new Rates(0);
    rates.read(10_000, totals(1_000));
    rates.read(11_000, totals(1_000));
    const rate = rates.read(12_000, totals(3));
    expect(rate('queries')).to.equal(3);
    expect(rate('other')).to.equal(0);
    expect(new Rates(5).read(5, totals(0))('queries')).to.equal(0);
  });
});
