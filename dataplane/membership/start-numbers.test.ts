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

  it('are above the stored ones and below the next that are stored, while the disk is full', () => {
    const files = new MemoryFiles();
    const write = files.write.bind(files);
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const now = Date.UTC(2030, 0, 1);
    const refuse = (): never => {
      throw new Error('the file cannot be used', { cause: full });
    };
    files.write = refuse;
    expect(() => nextStart(files, now)).to.throw('cannot be used');
    files.write = write;
    let last = nextStart(files, now);
    last = nextStart(files, now + 1);
    files.write = refuse;
    for (const later of [now + 2_000, now + 4_000, now + 90_000_000]) {
      const next = nextStart(files, later);
      expect(next.incarnation).to.be.greaterThan(last.incarnation);
      expect(next.sequence).to.be.at.least(last.sequence + 1_000);
      last = next;
    }
    files.write = write;
    const stored = nextStart(files, now + 90_002_000);
    expect(stored.incarnation).to.be.greaterThan(last.incarnation);
    expect(stored.sequence).to.be.greaterThan(last.sequence);
  });
});
