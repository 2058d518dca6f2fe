import { expect } from 'chai';
import { nextStart } from './start-numbers.ts';
import { MemoryFiles } from './testing/memory-files.ts';

describe('the numbers that a process of a node begins with', () => {
  it('are above all of an earlier process, also when the clock went back', () => {
    const files = new MemoryFiles();
    const now = Date.UTC(2030, 0, 1);
    let last = nextStart(files, now);
    expect(last).to.deep.equal({ incarnation: now, sequence: now * 1_000 });
    for (const later of [now + 5, now - 86_400_000, 0, now + 1_000]) {
      const next = nextStart(files, later);
      expect(next.incarnation).to.be.at.least(last.incarnation + 1_000);
      expect(next.sequence).to.be.at.least(last.sequence + 1e12);
      expect(Number.isSafeInteger(next.sequence)).to.equal(true);
      last = next;
    }
  });
});
