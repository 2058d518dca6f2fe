import { expect } from 'chai';
import { MemoryDisk } from '../disk/memory-disk.ts';
import type { Wal } from './wal.ts';
import {
  directory,
  entry,
  failureOf,
  indexesOf,
  openLog,
  segmentBytes,
  segmentPath,
  segmentsOf,
  settled,
  writtenLog,
} from './testing/log.ts';

const released = (first: number, second: number): ReadonlyMap<number, number> =>
  new Map([
    [1, first],
    [2, second],
  ]);

describe('release of segments', () => {
  it('removes those whose entries are all applied, and only those', async () => {
    const disk = await writtenLog(200);
    const { wal } = await openLog(disk);
    const before = await segmentsOf(disk);
    await wal.truncateFront(released(60, 20));
    await wal.truncateFront(new Map([[1, 200]]));
    const held = await segmentsOf(disk);
    await wal.truncateFront(released(60, 60));
    const after = await segmentsOf(disk);
    expect(held.length).to.be.within(after.length + 1, before.length);
    expect(wal.metrics().segments).to.equal(after.length);
    await wal.close();
    const again = await openLog(disk, { replayFrom: () => 60 });
    expect(indexesOf(again.records).slice(0, 2)).to.deep.equal(['1/61', '2/61']);
    await again.wal.close();
  });

  it('keeps the newest segment, and goes on behind released ones', async () => {
    const disk = await writtenLog(200);
    const { wal } = await openLog(disk);
    await Promise.all([
      wal.truncateFront(released(200, 200)),
      wal.truncateFront(released(200, Infinity)),
    ]);
    expect((await segmentsOf(disk)).length).to.equal(1);
    await wal.append([entry(201, 1), entry(201, 2)]);
    await wal.close();
    const again = await openLog(disk, { replayFrom: () => 200 });
    expect(indexesOf(again.records)).to.deep.equal(['1/201', '2/201']);
    await again.wal.close();
  });

  it('never leaves a gap between segments when the power goes', async () => {
    const disk = await writtenLog(200);
    const { wal } = await openLog(disk);
    let turn = 0;
    const crashed: MemoryDisk[] = [];
    disk.failBy(() => {
      for (let pattern = 0; pattern < 4; pattern += 1) {
        crashed.push(disk.crash(() => ((turn += 1) + pattern) % 3 === 0));
      }
    });
    await wal.truncateFront(released(200, 200));
    disk.failBy(() => undefined);
    expect(crashed.length).to.be.greaterThan(10);
    for (const found of crashed) await (await openLog(found)).wal.close();
    await wal.close();
  });
});

const signal = new AbortController().signal;

/** Appends until the disk is full; answers the last entry that was acknowledged. */
async function fillDisk(
  wal: Wal,
  groups: readonly number[] = [1],
  append = async (index: number): Promise<void> =>
    wal.append(groups.map((group) => entry(index, group))),
): Promise<number> {
  for (let index = 1; index <= 1_000; index += 1) {
    try {
      await append(index);
    } catch (error) {
      expect(error).to.include({ code: 'wal.disk_full' });
      return index - 1;
    }
  }
  throw new Error('the disk never became full');
}

describe('a log whose queue is full', () => {
  it('refuses what comes behind a refused entry, also of a group that has none yet', async () => {
    const { wal } = await openLog(new MemoryDisk(), { queueBytesMax: 1_000 });
    for (const group of [1, 2]) {
      const filling = wal.append([entry(1, 9 + group, 2_000)]);
      const refused = wal.append([entry(1, group)]);
      expect((await failureOf(refused)).code).to.equal('wal.full');
      await filling;
      expect(wal.full).to.equal(false);
      expect((await failureOf(wal.append([entry(2, group)]))).code).to.equal('wal.full');
      await wal.append([entry(1, group)]);
      await wal.append([entry(2, group)]);
    }
    await wal.close();
  });

  it('goes on behind a truncation of what was refused', async () => {
    const { wal } = await openLog(new MemoryDisk(), { queueBytesMax: 1_000 });
    await wal.append([entry(1), entry(2)]);
    const filling = wal.append([entry(1, 9, 2_000)]);
    expect((await failureOf(wal.append([entry(3)]))).code).to.equal('wal.full');
    await filling;
    await wal.truncate(1, 2);
    expect((await failureOf(wal.append([entry(3)]))).code).to.equal('wal.full');
    await wal.append([entry(2)]);
    await wal.append([entry(3)]);
    await wal.close();
  });
});

describe('a log whose disk is full', () => {
  it('says so when it is opened, and leaves nothing behind', async () => {
    const disk = new MemoryDisk(segmentBytes - 1_000);
    const { code, message } = await failureOf(openLog(disk));
    expect(code).to.equal('wal.disk_full');
    expect(message).to.contain(`needs ${segmentBytes} bytes and ${segmentBytes - 1_000} are free`);
    expect(await disk.list(directory)).to.deep.equal([]);
  });

  it('refuses what waits, without having taken it, and resumes when there is space again', async () => {
    const disk = new MemoryDisk(3 * segmentBytes);
    const { wal, clock } = await openLog(disk);
    const last = await fillDisk(wal);
    expect(await Promise.race([wal.failed, Promise.resolve('works')])).to.equal('works');
    expect(wal.full).to.equal(true);
    // Refused with what it builds on, and in no other order.
    expect((await failureOf(wal.append([entry(last + 2)]))).code).to.equal('wal.disk_full');
    expect((await failureOf(wal.room(signal))).code).to.equal('wal.disk_full');
    clock.advance(1_000);
    expect((await failureOf(wal.room(signal))).code).to.equal('wal.disk_full');
    await wal.truncateFront(new Map([[1, last]]));
    clock.advance(1_000);
    await wal.room(signal);
    expect((await failureOf(wal.append([entry(last + 2)]))).code).to.equal('wal.disk_full');
    for (let index = last + 1; index <= last + 100; index += 1) await wal.append([entry(index)]);
    await wal.close();
    const { records } = await openLog(disk.crash(() => false));
    expect(records.at(-1)?.index).to.equal(last + 100);
  });

  it('refuses all that waits at once, of each group from its own first on', async () => {
    const disk = new MemoryDisk(3 * segmentBytes);
    const { wal, clock } = await openLog(disk);
    const last = await fillDisk(wal, [1, 2, 3]);
    const records = [1, 2, 3, 4].flatMap((ahead) => [
      entry(last + ahead, 1),
      entry(last + ahead, 2),
    ]);
    const outcomes = await Promise.allSettled(records.map((record) => wal.append([record])));
    expect(outcomes.every(({ status }) => status === 'rejected')).to.equal(true);
    await wal.truncateFront(new Map([1, 2, 3].map((group) => [group, last])));
    clock.advance(1_000);
    await wal.room(signal);
    await Promise.all([1, 2, 3].map((group) => wal.append([entry(last + 1, group)])));
    await wal.close();
  });

  it('undoes a truncation that it refuses', async () => {
    const disk = new MemoryDisk(3 * segmentBytes);
    const { wal, clock } = await openLog(disk);
    const last = await fillDisk(wal, [1], async (index) => {
      await Promise.all([wal.truncate(1, index - 1), wal.append([entry(index - 1)])]);
      await wal.append([entry(index)]);
    });
    await wal.truncateFront(new Map([[1, last - 3]]));
    clock.advance(1_000);
    await wal.room(signal);
    await wal.append([entry(last + 1)]);
    await wal.close();
  });

  it('seals its tail, keeps everything acknowledged, and does not open without room for more', async () => {
    const disk = new MemoryDisk(3 * segmentBytes);
    const { wal, clock } = await openLog(disk);
    const last = await fillDisk(wal);
    await settled();
    clock.advance(20);
    await settled();
    await wal.close();
    const { wal: again, records } = await openLog(disk.crash(() => false));
    expect(records.at(-1)?.index).to.equal(last);
    expect(again.recovery).to.not.have.property('cut');
    await again.close();
  });

  it('ends when the header of a prepared segment cannot be written', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    disk.failBy((operation) => {
      if (operation === 'rename') throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    });
    const append = async (): Promise<void> => {
      for (let index = 1; index <= 200; index += 1) await wal.append([entry(index)]);
    };
    expect((await failureOf(append())).code).to.equal('wal.sync_failed');
    expect(await wal.failed).to.include({ code: 'wal.sync_failed' });
  });

  it('continues when space was freed before the next segment is due', async () => {
    const disk = new MemoryDisk(2 * segmentBytes);
    const other = await disk.makeDirectory('/other').then(() => disk.open('/other/a', 'create'));
    await other.write(0, new Uint8Array(segmentBytes - 100));
    const { wal } = await openLog(disk);
    let index = 0;
    const used = async (): Promise<number> =>
      disk.bytesOf(await segmentPath(disk)).findLastIndex((byte) => byte !== 0);
    while ((await used()) < segmentBytes * 0.7) await wal.append([entry((index += 1))]);
    await settled();
    await disk.remove('/other/a');
    for (let count = 0; count < 50; count += 1) await wal.append([entry((index += 1))]);
    await wal.close();
    expect((await openLog(disk)).records.length).to.equal(index);
  });
});

describe('a log without file descriptors', () => {
  it('refuses what needs a new segment, and takes it again when there are some', async () => {
    const disk = new MemoryDisk();
    const { wal, clock } = await openLog(disk);
    disk.failBy((operation) => {
      if (operation === 'open') throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' });
    });
    let last = 0;
    const fill = async (): Promise<void> => {
      for (; last < 1_000; last += 1) await wal.append([entry(last + 1)]);
    };
    expect((await failureOf(fill())).code).to.equal('wal.no_descriptors');
    expect((await failureOf(wal.room(signal))).code).to.equal('wal.no_descriptors');
    disk.failBy(() => undefined);
    clock.advance(1_000);
    await wal.room(signal);
    await wal.append([entry(last + 1)]);
    await wal.close();
    const { records } = await openLog(disk);
    expect(indexesOf(records)).to.have.length(last + 1);
  });
});

describe('a log whose disk fails', () => {
  it('stops for good when a sync fails, and never tries it again', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    await wal.append([entry(1)]);
    let syncs = 0;
    disk.failBy((operation) => {
      if (operation !== 'sync') return;
      syncs += 1;
      throw Object.assign(new Error('input/output error'), { code: 'EIO' });
    });
    const failures = await Promise.all([
      failureOf(wal.append([entry(2)])),
      failureOf(wal.append([entry(3)])),
    ]);
    expect(failures.map((failure) => failure.code)).to.deep.equal(Array(2).fill('wal.sync_failed'));
    expect((await failureOf(wal.append([entry(4)]))).code).to.equal('wal.sync_failed');
    expect((await wal.failed).message).to.contain('input/output error');
    await wal.close();
    expect(syncs).to.equal(1);
  });

  it('stops when the seal cannot be synced', async () => {
    const disk = new MemoryDisk();
    const { wal, clock } = await openLog(disk);
    await wal.append([entry(1)]);
    await settled();
    disk.failBy((operation) => {
      if (operation === 'sync') throw new Error('gone');
    });
    clock.advance(10);
    expect(await wal.failed).to.include({ code: 'wal.sync_failed' });
    await wal.close();
  });

  it('stops at the change of segments when the next one could not be synced', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    disk.failBy((operation, path) => {
      if (operation === 'sync' && path.endsWith('.new')) throw new Error('gone');
    });
    const { code } = await failureOf(
      (async () => {
        for (let index = 1; index <= 1_000; index += 1) await wal.append([entry(index)]);
      })(),
    );
    expect(code).to.equal('wal.sync_failed');
    await wal.close();
  });
});

describe('a log whose disk is slow', () => {
  const size = 1_048_576;

  it('bounds what waits: writers wait for room, and hear when there is none for long', async () => {
    const disk = new MemoryDisk();
    const { wal, clock } = await openLog(disk);
    const gate = Promise.withResolvers<void>();
    let held = true;
    disk.holdBy(async (operation) => {
      if (held && operation === 'sync') await gate.promise;
    });
    const { signal } = new AbortController();
    await wal.room(signal);
    const appends: Promise<void>[] = [];
    let index = 0;
    while (!wal.full) appends.push(wal.append([entry((index += 1), 1, size)]));
    expect(index).to.be.within(60, 64);
    expect((await failureOf(wal.append([entry(index + 1)]))).code).to.equal('wal.full');
    const [patient, aborted] = [wal.room(signal), new AbortController()];
    const leaving = failureOf(wal.room(aborted.signal));
    aborted.abort(new Error('client is gone'));
    expect((await leaving).message).to.equal('client is gone');
    clock.advance(10_000);
    const { code, message } = await failureOf(patient);
    expect(code).to.equal('wal.full');
    expect(message).to.contain('wait for the disk');
    const waiting = wal.room(signal);
    held = false;
    gate.resolve();
    await waiting;
    // What was refused left no gap.
    await wal.append([entry((index += 1))]);
    await Promise.all(appends);
    await wal.close();
    const again = await openLog(disk);
    expect(again.records.length).to.equal(index);
    await again.wal.close();
  }).timeout(20_000);
});
