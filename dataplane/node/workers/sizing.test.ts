import { expect } from 'chai';
import { loadConfig } from '../../config/config.ts';
import type { Config } from '../../config/config.ts';
import { queryOptionsOf, workerSizes } from './sizing.ts';

const gibibytes = (count: number): number => count * 1_024 ** 3;
const configOf = (...flags: readonly string[]): Config =>
  loadConfig({ flags, environment: {}, readFile: () => '' });

describe('the sizes of query workers', () => {
  it('are one worker less than the cores, and at least one', () => {
    const counts = [1, 2, 3, 16].map(
      (cores) => workerSizes(configOf(), { cores, memoryBytes: gibibytes(64) }).count,
    );
    expect(counts).to.deep.equal([1, 1, 2, 15]);
    const machine = { cores: 16, memoryBytes: gibibytes(64) };
    expect(workerSizes(configOf('--query-workers', '3'), machine).count).to.equal(3);
    expect(workerSizes(configOf('--query-workers', '0'), machine).count).to.equal(0);
  });

  it('share half of the memory, within bounds, unless an option says how much', () => {
    const of = (memory: number, ...flags: string[]): number =>
      workerSizes(configOf('--query-workers', '2', ...flags), {
        cores: 4,
        memoryBytes: gibibytes(memory),
      }).mebibytes;
    expect(of(64)).to.equal(1_024);
    expect(of(2)).to.equal(512);
    expect(of(0.25)).to.equal(192);
    expect(of(0.25, '--query-worker-mib', '4000')).to.equal(4_000);
  });

  it('leave more to the runtime than queries may hold', () => {
    for (const memory of [0.25, 1, 4, 64]) {
      const config = configOf();
      const sizes = workerSizes(config, { cores: 2, memoryBytes: gibibytes(memory) });
      const options = queryOptionsOf(config, sizes);
      expect(options['query-memory-mib']).to.be.at.most(options['queries-memory-mib']);
      expect(options['queries-memory-mib']).to.be.at.most(sizes.mebibytes / 2);
      expect(sizes.heapMebibytes).to.be.lessThan(sizes.mebibytes);
    }
  });
});
