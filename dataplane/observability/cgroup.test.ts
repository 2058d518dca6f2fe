import { expect } from 'chai';
import { cgroupUsage } from './cgroup.ts';

const usageOf = (files: Readonly<Record<string, string>>) => cgroupUsage((path) => files[path]);

describe('the usage of a control group', () => {
  const version2 = {
    'memory.current': '300000000\n',
    'memory.stat': 'anon 1\ninactive_file 100000000\nactive_file 5\n',
    'memory.max': '1073741824\n',
    'cpu.stat': 'usage_usec 2500000\nuser_usec 2\n',
    'cpu.max': '50000 100000\n',
  };

  it('is read from version 2, without page cache that can be given back', () => {
    expect(usageOf(version2)).to.deep.equal({
      cpuSeconds: 2.5,
      cpuLimit: 0.5,
      workingSetBytes: 200_000_000,
      memoryLimitBytes: 1_073_741_824,
    });
  });

  it('has no limit where there is none', () => {
    const unlimited = { ...version2, 'memory.max': 'max\n', 'cpu.max': 'max 100000\n' };
    expect(usageOf(unlimited)).to.include({ cpuLimit: undefined, memoryLimitBytes: undefined });
  });

  it('is read from version 1', () => {
    const version1 = {
      'memory/memory.usage_in_bytes': '300\n',
      'memory/memory.stat': 'inactive_file 1\ntotal_inactive_file 400\n',
      'memory/memory.limit_in_bytes': '9223372036854771712\n',
      'cpuacct/cpuacct.usage': '1500000000\n',
      'cpu/cpu.cfs_quota_us': '-1\n',
      'cpu/cpu.cfs_period_us': '100000\n',
    };
    expect(usageOf(version1)).to.deep.equal({
      cpuSeconds: 1.5,
      cpuLimit: undefined,
      workingSetBytes: 0,
      memoryLimitBytes: undefined,
    });
    const limited = {
      ...version1,
      'cpu/cpu.cfs_quota_us': '150000\n',
      'memory/memory.limit_in_bytes': '536870912\n',
    };
    expect(usageOf(limited)).to.include({ cpuLimit: 1.5, memoryLimitBytes: 536_870_912 });
  });

  it('is unknown without files, or with files that cannot be read', () => {
    expect(usageOf({})).to.equal(undefined);
    expect(usageOf({ ...version2, 'memory.current': 'much' })).to.equal(undefined);
    expect(usageOf({ ...version2, 'cpu.stat': '' })).to.equal(undefined);
  });
});
