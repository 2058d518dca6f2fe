import { expect } from 'chai';
import { MemoryDisk } from '../disk/memory-disk.ts';
import { truncateKind } from './record.ts';
import {
  directory,
  entry,
  failureOf,
  indexesOf,
  openLog,
  segmentBytes,
  settled,
  writtenLog,
} from './testing/log.ts';

describe('the write-ahead log', () => {
  it('hands out what was appended, in order, over several segments', async () => {
    const disk = await writtenLog(150);
    expect((await disk.list(directory)).length).to.be.greaterThan(2);
    const { wal, records } = await openLog(disk);
    const wanted = Array.from({ length: 150 }, (_, at) => [`1/${at + 1}`, `2/${at + 1}`]).flat();
    expect(indexesOf(records)).to.deep.equal(wanted);
    expect(records[7]).to.deep.equal(entry(4, 2));
    expect(wal.recovery).to.include({ records: 300 }).and.not.have.property('cut');
    expect(wal.recovery.lastIndex(1)).to.deep.equal({ term: 1, index: 150 });
    expect(wal.recovery.lastIndex(9)).to.equal(undefined);
    await wal.close();
  });

  it('does not hand out what is applied already', async () => {
    const replayFrom = (group: number): number => (group === 1 ? 8 : 10);
    const { wal, records } = await openLog(await writtenLog(10), { replayFrom });
    expect(indexesOf(records)).to.deep.equal(['1/9', '1/10']);
    await wal.close();
  });

  it('waits for each record to be handled before it hands out the next', async () => {
    const handled: string[] = [];
    const { wal } = await openLog(await writtenLog(30), {
      onRecord: async (record) => {
        await Promise.resolve();
        handled.push(`${record.group}/${record.index}`);
      },
    });
    expect(handled.length).to.equal(60);
    expect(handled.slice(-2)).to.deep.equal(['1/30', '2/30']);
    await wal.close();
  });

  it('tells its progress up to the whole', async () => {
    const told: [number, number][] = [];
    const onProgress = (done: number, total: number): void => void told.push([done, total]);
    const disk = await writtenLog(150);
    const segments = (await disk.list(directory)).length;
    const { wal } = await openLog(disk, { onProgress });
    expect(told[0]).to.deep.equal([0, segments * segmentBytes]);
    expect(told.at(-1)).to.deep.equal([segments * segmentBytes, segments * segmentBytes]);
    expect(told.map(([done]) => done)).to.deep.equal(
      told.map(([done]) => done).toSorted((a, b) => a - b),
    );
    await wal.close();
  });

  it('covers many waiting appends of all groups by few syncs', async () => {
    const { wal } = await openLog(new MemoryDisk());
    const writers = Array.from({ length: 64 }, async (_, group) => {
      for (let index = 1; index <= 5; index += 1) await wal.append([entry(index, group)]);
    });
    await Promise.all(writers);
    expect(wal.metrics()).to.include({ records: 320, queueBytes: 0 });
    expect(wal.metrics().syncs).to.be.lessThan(25);
    await wal.close();
  });

  it('acknowledges in the order of the calls, and only what is durable', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    const acknowledged: number[] = [];
    const appends = Array.from({ length: 40 }, async (_, at) => {
      await wal.append([entry(at + 1, 1, 700)]);
      acknowledged.push(at + 1);
      const { records, wal: found } = await openLog(disk.crash(() => false));
      expect(records.length).to.be.at.least(at + 1);
      await found.close();
    });
    await Promise.all(appends);
    expect(acknowledged).to.deep.equal(Array.from({ length: 40 }, (_, at) => at + 1));
    await wal.close();
  });

  it('forgets a suffix of one group, goes on behind it, and knows the last term', async () => {
    const disk = new MemoryDisk();
    const first = await openLog(disk);
    await first.wal.append([entry(1), { ...entry(2), term: 2 }, { ...entry(3), term: 3 }]);
    await first.wal.truncate(1, 2);
    await first.wal.append([{ ...entry(2), term: 4 }]);
    await first.wal.truncate(1, 2);
    await first.wal.close();
    const { wal, records } = await openLog(disk);
    expect(records.map((record) => [record.index, record.kind])).to.deep.equal([
      [1, 1],
      [2, 1],
      [3, 1],
      [2, truncateKind],
      [2, 1],
      [2, truncateKind],
    ]);
    expect(wal.recovery.lastIndex(1)).to.deep.equal({ term: 1, index: 1 });
    await wal.append([{ ...entry(2), term: 5 }]);
    await wal.close();
  });

  it('asserts that entries follow one another and terms never go back', async () => {
    const { wal } = await openLog(new MemoryDisk());
    await wal.append([{ ...entry(5), term: 3 }]);
    const gap = await failureOf(wal.append([{ ...entry(7), term: 3 }]));
    expect(gap.message).to.equal('entry 7 of group 1 does not follow entry 5');
    const term = await failureOf(wal.append([{ ...entry(6), term: 2 }]));
    expect(term.message).to.equal('entry 6 of group 1 goes back from term 3 to 2');
    const kind = await failureOf(wal.append([{ ...entry(6), kind: truncateKind }]));
    expect(kind.message).to.equal('an order is not an entry');
    await wal.close();
  });

  it('takes a record that is larger than a segment, and refuses one beyond all bounds', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    await wal.append([entry(1)]);
    await wal.append([entry(2, 1, 3 * segmentBytes)]);
    const huge = { ...entry(3), payload: new Uint8Array(128 * 1_048_576) };
    const { code, message } = await failureOf(wal.append([huge]));
    expect(code).to.equal('wal.append_too_large');
    expect(message).to.contain('134217728 at most');
    await wal.append([entry(3)]);
    await wal.close();
    const again = await openLog(disk);
    expect(again.records.map((record) => record.payload.byteLength)).to.deep.equal([
      100,
      3 * segmentBytes,
      100,
    ]);
    await again.wal.close();
  });

  it('writes what waits before it closes, and takes nothing afterwards', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    const appends = [wal.append([entry(1)]), wal.append([entry(2)])];
    await Promise.all([wal.close(), ...appends]);
    await wal.close();
    expect((await failureOf(wal.append([entry(3)]))).code).to.equal('wal.closed');
    const again = await openLog(disk);
    expect(indexesOf(again.records)).to.deep.equal(['1/1', '1/2']);
    await again.wal.close();
  });

  it('stops opening when it is aborted', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    const { message } = await failureOf(openLog(await writtenLog(100), { signal }));
    expect(message).to.equal('enough');
  });
});

describe('the seal of a write-ahead log', () => {
  it('closes the tail once, after ten idle milliseconds', async () => {
    const { wal, clock } = await openLog(new MemoryDisk());
    await settled();
    expect([wal.metrics().syncs, clock.sleeping]).to.deep.equal([0, 0]);
    await wal.append([entry(1)]);
    await settled();
    clock.advance(6);
    await wal.append([entry(2)]);
    await settled();
    clock.advance(6);
    await settled();
    expect(wal.metrics().syncs).to.equal(2);
    clock.advance(6);
    await settled();
    expect(wal.metrics().syncs).to.equal(3);
    clock.advance(100);
    await settled();
    expect([wal.metrics().syncs, clock.sleeping]).to.deep.equal([3, 0]);
    await wal.append([entry(3)]);
    expect(wal.metrics()).to.include({ syncs: 4, records: 3 });
    await wal.close();
    expect([wal.metrics().syncs, clock.sleeping]).to.deep.equal([5, 0]);
  });

  it('has its room also at the very end of a segment', async () => {
    // Four batches of 3,008 bytes with a seal behind each: the last seal would stand in the index's place.
    for (let size = 2_930; size <= 2_960; size += 1) {
      const disk = new MemoryDisk();
      const { wal, clock } = await openLog(disk);
      for (let index = 1; index <= 6; index += 1) {
        await wal.append([entry(index, 1, size)]);
        clock.advance(20);
        await settled();
      }
      await wal.close();
      const again = await openLog(disk);
      expect(again.records.length, `payloads of ${size} bytes`).to.equal(6);
      await again.wal.close();
    }
  });

  it('is written at stop, and nothing is written by a run without appends', async () => {
    const disk = await writtenLog(3);
    const before = new Uint8Array(disk.bytesOf(`${directory}/0000000000000001.wal`));
    const { wal } = await openLog(disk);
    expect(wal.recovery).to.not.have.property('cut');
    await wal.close();
    const after = disk.bytesOf(`${directory}/0000000000000001.wal`);
    expect(Buffer.compare(before, after)).to.equal(0);
  });
});
