import { expect } from 'chai';
import { Prng } from '../common/prng.ts';
import { MemoryDisk } from '../disk/memory-disk.ts';
import { directory, entry, openLog } from './testing/log.ts';
import type { OpenedLog } from './testing/log.ts';
import { groups, powerCut } from './testing/power-cut.ts';

async function append(found: OpenedLog, group: number, index: number): Promise<void> {
  await found.wal.append([entry(index, group)]);
}

describe('a log whose power goes', () => {
  it('at any operation, in any order of sectors and names, has everything acknowledged', async () => {
    let cuts = 0;
    for (let cutAt = 1; ; cutAt += 1) {
      const cut = await powerCut(7, cutAt);
      if (cut === undefined) break;
      const [workload, disk] = cut;
      const found = await openLog(disk);
      workload.check(found, `power cut before operation ${cutAt}`);
      for (const group of groups) {
        const last = found.wal.recovery.lastIndex(group);
        if (last === undefined) continue;
        await found.wal.append([{ ...entry(last.index + 1, group), term: last.term }]);
      }
      await found.wal.close();
      await (await openLog(disk)).wal.close();
      cuts += 1;
    }
    expect(cuts).to.be.greaterThan(150);
  }).timeout(60_000);

  it('has everything acknowledged for many workloads', async () => {
    for (let seed = 100; seed < 200; seed += 1) {
      const cut = await powerCut(seed, 1 + new Prng(seed).below(250));
      if (cut === undefined) continue;
      const [workload, disk] = cut;
      const found = await openLog(disk);
      workload.check(found, `seed ${seed}`);
      await found.wal.close();
    }
  }).timeout(60_000);

  it('right after a killed process was replaced, is not taken for damaged', async () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const prng = new Prng(seed);
      const disk = new MemoryDisk();
      const first = await openLog(disk);
      const written = 1 + prng.below(30);
      for (let index = 1; index <= written; index += 1) await append(first, 1, index);
      // Killed between the write and the sync of the next entry: the page cache has it, the medium not.
      disk.failBy((operation) => {
        if (operation === 'sync') throw new Error('killed');
      });
      await append(first, 1, written + 1).catch(() => undefined);
      disk.failBy(() => undefined);
      const second = await openLog(disk);
      expect(second.records.length).to.equal(written + 1);
      let operations = 0;
      let found: MemoryDisk | undefined;
      disk.failBy(() => {
        operations += 1;
        if (operations === 2) found = disk.crash(() => prng.next() < 0.5);
      });
      await append(second, 1, written + 2);
      disk.failBy(() => undefined);
      await second.wal.close();
      const third = await openLog(found ?? disk);
      // What the second process handed out must not be lost by the power failure.
      expect(third.records.length, `seed ${seed}`).to.be.within(written + 1, written + 2);
      await third.wal.close();
    }
  }).timeout(60_000);

  it('in the middle of a change of segments with many groups, is not taken for damaged', async () => {
    const count = 120;
    const prng = new Prng(3);
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    const crashed: MemoryDisk[] = [];
    disk.failBy((operation, path) => {
      if (operation !== 'sync' || path.endsWith('.new')) return;
      for (let image = 0; image < 60; image += 1) {
        crashed.push(disk.crash(() => prng.next() < 0.85));
      }
    });
    for (let index = 1; index <= 3; index += 1) {
      await wal.append(Array.from({ length: count }, (_, group) => entry(index, group, 60)));
    }
    await wal.close();
    expect((await disk.list(directory)).length).to.equal(4);
    for (const found of crashed) {
      const again = await openLog(found);
      expect(again.records.length % count).to.equal(0);
      await again.wal.close();
    }
  }).timeout(60_000);

  it('when a process was killed before the name of a segment was durable, keeps the segment', async () => {
    const disk = new MemoryDisk();
    let isKilled = false;
    disk.failBy((operation) => {
      isKilled ||= operation === 'rename';
      if (operation === 'syncDirectory' && isKilled) throw new Error('killed');
    });
    await openLog(disk).catch(() => undefined);
    disk.failBy(() => undefined);
    const second = await openLog(disk);
    await append(second, 1, 1);
    const { wal, records } = await openLog(disk.crash(() => false));
    expect(records.length).to.equal(1);
    await wal.close();
    await second.wal.close();
  });

  it('while it is being recovered, is recovered the next time', async () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const cut = await powerCut(seed, 20 + new Prng(seed).below(150));
      if (cut === undefined) continue;
      const [workload, disk] = cut;
      const prng = new Prng(seed);
      const crashed: MemoryDisk[] = [];
      disk.failBy(() => void crashed.push(disk.crash(() => prng.next() < 0.5)));
      await (await openLog(disk)).wal.close();
      for (const again of crashed) {
        const found = await openLog(again);
        workload.check(found, `seed ${seed}`);
        await found.wal.close();
      }
    }
  }).timeout(60_000);

  it('before it was ever used, begins empty', async () => {
    const disk = new MemoryDisk();
    const prng = new Prng(1);
    const crashed: MemoryDisk[] = [];
    disk.failBy(() => void crashed.push(disk.crash(() => prng.next() < 0.5)));
    await (await openLog(disk)).wal.close();
    for (const again of crashed) {
      const { wal, records } = await openLog(again);
      expect(records).to.deep.equal([]);
      expect(await again.list(directory)).to.deep.equal(['0000000000000001.wal']);
      await wal.close();
    }
  });
});
