import { expect } from 'chai';
import { CpuRate, resourceReasons } from './resource-reasons.ts';
import type { ResourceState } from './resource-reasons.ts';

const mebibyte = 1_048_576;
const well: ResourceState = {
  cpuCores: 0.5,
  cpuLimit: 2,
  workingSetBytes: 500 * mebibyte,
  memoryLimitBytes: 1_000 * mebibyte,
  eventLoopDelayP99Ms: 3,
};

describe('the resources of a node', () => {
  const cases: readonly (readonly [string, Partial<ResourceState>, string | undefined])[] = [
    ['enough of everything', {}, undefined],
    ['no limits', { cpuLimit: undefined, memoryLimitBytes: undefined }, undefined],
    ['memory near its limit', { workingSetBytes: 950 * mebibyte }, '950 MiB of its 1000 MiB'],
    ['CPU at its limit', { cpuCores: 1.99 }, '1.99 of its 2 CPU cores'],
    ['a slow event loop', { eventLoopDelayP99Ms: 812.4 }, 'delayed for 812 ms'],
  ];
  for (const [about, change, words] of cases) {
    it(`are judged: ${about}`, () => {
      const [reason, ...others] = resourceReasons({ ...well, ...change });
      expect(others).to.deep.equal([]);
      if (words === undefined) expect(reason).to.equal(undefined);
      else expect(reason).to.contain(words);
    });
  }

  it('include the cores that are used since the last reading', () => {
    const rate = new CpuRate(0, 10);
    expect(rate.read(500, 11)).to.equal(0);
    expect(rate.read(2_000, 13)).to.equal(1.5);
    expect(rate.read(2_500, 13.4)).to.equal(1.5);
    // The control group was replaced.
    expect(rate.read(10_000, 1)).to.equal(0);
  });
});
