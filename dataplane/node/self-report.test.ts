import { expect } from 'chai';
import type { StorageHealth } from '../http/health.ts';
import { loadIn } from '../membership/member-view.ts';
import type { MemberLoad } from '../membership/member-view.ts';
import { SelfReport, storageSentence } from './self-report.ts';

const mib = 1_048_576;
const calm: MemberLoad = {
  queriesPerSecond: 3,
  latencyP99Ms: 2,
  memoryBytes: 200 * mib,
  diskFreeBytes: 9_000 * mib,
};

const healthy: StorageHealth = {
  disk: { state: 'ok', reasons: [], freeBytes: 1, totalBytes: 2 },
  wal: { state: 'ok', reasons: [] },
  store: { state: 'ok', reasons: [] },
};

function reporter() {
  const said: Record<string, string> = {};
  const now = { ms: 1_000_000, load: calm, storage: healthy as StorageHealth | undefined };
  let loads = 0;
  const report = new SelfReport({
    clock: { now: () => now.ms, timer: () => ({ cancel: () => undefined }) },
    storage: () => now.storage,
    load: () => now.load,
    say: (key, value) => {
      if (key === 'load' && said[key] !== value) loads += 1;
      said[key] = value;
    },
  });
  const lookAfter = (ms: number, load: Partial<MemberLoad> = {}): void => {
    now.ms += ms;
    now.load = { ...calm, ...load };
    report.look();
  };
  return { said, now, lookAfter, loads: () => loads };
}

describe('what a node says of itself to the others', () => {
  it('has the versions that it reads, the state of its storage, and its load', () => {
    const { said, lookAfter } = reporter();
    lookAfter(0);
    expect(said['speaks']).to.match(/^protocol \d+-\d+, log \d+-\d+$/);
    expect(said['storage']).to.equal('ok');
    expect(loadIn(said['load'] ?? '')).to.deep.equal(calm);
  });

  it('changes at once when the storage is not well, and says why', () => {
    const { said, now, lookAfter } = reporter();
    lookAfter(0);
    const disk = { ...healthy.disk, state: 'degraded', reasons: ['the disk is full'] } as const;
    now.storage = { ...healthy, disk };
    lookAfter(10_000);
    expect(said['storage']).to.equal('the disk is full');
    expect(storageSentence(undefined)).to.equal('');
  });

  it('repeats no load that is much the same, and tells a different one once a minute at most', () => {
    const { said, lookAfter, loads } = reporter();
    lookAfter(0);
    for (let minute = 0; minute < 10; minute += 1) {
      lookAfter(60_000, { queriesPerSecond: minute, memoryBytes: (200 + 9 * minute) * mib });
    }
    expect(loads()).to.equal(1);
    lookAfter(60_000, { queriesPerSecond: 500 });
    lookAfter(10_000, { queriesPerSecond: 9_000 });
    expect(loadIn(said['load'] ?? '')?.queriesPerSecond).to.equal(500);
    lookAfter(60_000, { queriesPerSecond: 9_000 });
    expect(loadIn(said['load'] ?? '')?.queriesPerSecond).to.equal(9_000);
    expect(loads()).to.equal(3);
  });

  it('is read from others only when it is a load', () => {
    for (const text of [
      '',
      '{',
      '[]',
      'null',
      '{"queriesPerSecond":"many"}',
      '{"memoryBytes":-1}',
    ]) {
      expect(loadIn(text), text).to.equal(undefined);
    }
  });
});
