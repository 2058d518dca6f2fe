import { expect } from 'chai';
import { MemoryDisk } from '../disk/memory-disk.ts';
import {
  entry,
  failureOf,
  indexesOf,
  openLog,
  segmentBytes,
  segmentsOf,
  settled,
} from './testing/log.ts';
import type { OpenedLog } from './testing/log.ts';
import type { WalRecord } from './record.ts';

const { signal } = new AbortController();

async function appended(found: OpenedLog, from: number, to: number): Promise<void> {
  for (let index = from; index <= to; index += 1) {
    await found.wal.append([entry(index, 1), entry(index, 2)]);
  }
}

async function read(
  { wal }: OpenedLog,
  group: number,
  from: number,
  to: number,
): Promise<WalRecord[]> {
  const records: WalRecord[] = [];
  for await (const record of wal.read({ group, from, to }, signal)) records.push(record);
  return records;
}

const flushed = (index: number): ReadonlyMap<number, number> =>
  new Map([
    [1, index],
    [2, index],
  ]);

const bounds = { bytesMax: 100 * segmentBytes, ageMsMax: 60_000 };

describe('a holder of the write-ahead log', () => {
  it('keeps the segments that it needs, until it is past them', async () => {
    const disk = new MemoryDisk();
    const found = await openLog(disk);
    const hold = found.wal.hold({ name: 'follower 7', positions: new Map([[1, 10]]), ...bounds });
    await appended(found, 1, 200);
    const before = await segmentsOf(disk);
    await found.wal.truncateFront(flushed(200));
    expect(await segmentsOf(disk)).to.deep.equal(before);
    expect((await read(found, 1, 11, 12)).map(({ index }) => index)).to.deep.equal([11, 12]);
    hold.advance(1, 100);
    await found.wal.truncateFront(flushed(200));
    expect((await segmentsOf(disk)).length).to.be.within(2, before.length - 1);
    expect((await read(found, 1, 101, 200)).length).to.equal(100);
    hold.end();
    expect(found.wal.metrics().holders).to.equal(0);
    await found.wal.truncateFront(flushed(200));
    expect((await segmentsOf(disk)).length).to.equal(1);
    await found.wal.close();
  });

  it('does not hold groups that it did not name', async () => {
    const disk = new MemoryDisk();
    const found = await openLog(disk);
    found.wal.hold({ name: 'archive', positions: new Map([[3, 0]]), ...bounds });
    await appended(found, 1, 200);
    await found.wal.truncateFront(flushed(200));
    expect((await segmentsOf(disk)).length).to.equal(1);
    await found.wal.close();
  });

  it('loses its hold past its bytes, and hears why', async () => {
    const disk = new MemoryDisk();
    const found = await openLog(disk);
    const positions = new Map([[1, 0]]);
    const small = found.wal.hold({ name: 'feed 1', positions, ...bounds, bytesMax: segmentBytes });
    const large = found.wal.hold({ name: 'feed 2', positions: new Map([[1, 60]]), ...bounds });
    await appended(found, 1, 200);
    await found.wal.truncateFront(flushed(200));
    expect(small.lost?.code).to.equal('wal.hold_lost');
    expect(small.lost?.message).to.contain('feed 1').and.contain(`${segmentBytes} at most`);
    expect(() => small.advance(1, 5)).to.throw('feed 1');
    expect(large.lost).to.equal(undefined);
    expect((await read(found, 1, 61, 61)).length).to.equal(1);
    expect((await failureOf(read(found, 1, 1, 5))).code).to.equal('wal.entries_gone');
    await found.wal.close();
  });

  it('loses its hold past its age', async () => {
    const disk = new MemoryDisk();
    const found = await openLog(disk);
    const hold = found.wal.hold({ name: 'feed', positions: new Map([[1, 0]]), ...bounds });
    await appended(found, 1, 100);
    await found.wal.truncateFront(flushed(100));
    found.clock.advance(bounds.ageMsMax);
    await found.wal.truncateFront(flushed(100));
    expect(hold.lost).to.equal(undefined);
    found.clock.advance(1);
    await found.wal.truncateFront(flushed(100));
    expect(hold.lost?.code).to.equal('wal.hold_lost');
    expect((await segmentsOf(disk)).length).to.equal(1);
    await found.wal.close();
  });

  it('is one of a bounded number', async () => {
    const { wal } = await openLog(new MemoryDisk());
    const options = { name: 'leak', positions: new Map<number, number>(), ...bounds };
    for (let count = 0; count < 256; count += 1) wal.hold(options);
    expect(() => wal.hold(options)).to.throw('256 holders');
    await wal.close();
  });
});

describe('reading a group from the write-ahead log', () => {
  it('streams a range over finished segments and the newest one', async () => {
    const found = await openLog(new MemoryDisk());
    await appended(found, 1, 200);
    const records = await read(found, 2, 7, 195);
    expect(indexesOf(records)).to.deep.equal(Array.from({ length: 189 }, (_, at) => `2/${at + 7}`));
    expect(records[0]).to.deep.equal(entry(7, 2));
    expect((await read(found, 1, 190, 1_000)).at(-1)?.index).to.equal(200);
    expect(await read(found, 1, 201, 300)).to.deep.equal([]);
    expect(await read(found, 9, 1, 300)).to.deep.equal([]);
    await found.wal.close();
  });

  it('gives what is in force: nothing that was truncated, also across segments', async () => {
    const found = await openLog(new MemoryDisk());
    await appended(found, 1, 150);
    await found.wal.truncate(1, 20);
    expect((await read(found, 1, 15, 100)).map(({ index }) => index)).to.deep.equal([
      15, 16, 17, 18, 19,
    ]);
    for (let index = 20; index <= 120; index += 1) {
      await found.wal.append([{ ...entry(index), term: 2 }]);
    }
    await found.wal.truncate(1, 119);
    await found.wal.append([{ ...entry(119), term: 3 }]);
    const terms = (await read(found, 1, 18, 200)).map(({ index, term }) => [index, term]);
    expect(terms.length).to.equal(102);
    expect(terms.slice(0, 3)).to.deep.equal([
      [18, 1],
      [19, 1],
      [20, 2],
    ]);
    expect(terms.slice(-2)).to.deep.equal([
      [118, 2],
      [119, 3],
    ]);
    await found.wal.close();
  });

  it('goes on while segments change, and says when they were released behind it', async () => {
    const disk = new MemoryDisk();
    const found = await openLog(disk);
    await appended(found, 1, 200);
    const reader = found.wal.read({ group: 1, from: 1, to: 10_000 }, signal);
    for (let index = 1; index <= 5; index += 1) {
      expect((await reader.next()).value).to.include({ index });
    }
    await appended(found, 201, 260);
    await found.wal.truncateFront(flushed(200));
    await appended(found, 261, 400);
    const { code } = await failureOf(
      (async () => {
        while (!(await reader.next()).done);
      })(),
    );
    expect(code).to.equal('wal.entries_gone');
    await found.wal.close();
  });

  it('never reads room that is being recycled', async () => {
    const found = await openLog(new MemoryDisk());
    let last = 0;
    for (let round = 0; round < 30; round += 1) {
      const reading = read(found, 1, Math.max(1, last - 60), last).catch(
        (error: { code: string }) => error.code,
      );
      const releasing = found.wal.truncateFront(flushed(last - 40));
      await appended(found, last + 1, last + 20);
      last += 20;
      await releasing;
      expect(await reading).to.satisfy(
        (result: unknown) => Array.isArray(result) || result === 'wal.entries_gone',
      );
    }
    await found.wal.close();
  });

  it('makes a release wait until the segment that it loads is loaded', async () => {
    const disk = new MemoryDisk();
    const found = await openLog(disk);
    await appended(found, 1, 200);
    const slowDisk = Promise.withResolvers<void>();
    disk.holdBy(async (operation) => (operation === 'read' ? slowDisk.promise : undefined));
    const reading = read(found, 1, 1, 5);
    await settled();
    const releasing = found.wal.truncateFront(flushed(200));
    // Enough to write over all room that would be free by now.
    await appended(found, 201, 600);
    slowDisk.resolve();
    expect((await reading).map(({ index }) => index)).to.deep.equal([1, 2, 3, 4, 5]);
    await releasing;
    await found.wal.close();
  });

  it('verifies what it reads, and names the groups of a damaged segment', async () => {
    const disk = new MemoryDisk();
    const found = await openLog(disk);
    await appended(found, 1, 200);
    const bytes = disk.bytesOf(`/data/wal/${(await segmentsOf(disk))[0]}`);
    bytes[9_000] = (bytes[9_000] ?? 0) ^ 1;
    const failure = await failureOf(read(found, 1, 1, 200));
    expect(failure).to.deep.include({ code: 'wal.corrupt', groups: new Set([1, 2]) });
    await found.wal.close();
  });

  it('is bounded in readers, and gives a place back when a reader leaves early', async () => {
    const found = await openLog(new MemoryDisk());
    await appended(found, 1, 3);
    const range = { group: 1, from: 1, to: 3 };
    const readers = Array.from({ length: 8 }, () => found.wal.read(range, signal));
    for (const reader of readers) await reader.next();
    expect((await failureOf(read(found, 1, 1, 3))).code).to.equal('wal.too_many');
    await readers[0]?.return();
    expect((await read(found, 1, 1, 3)).length).to.equal(3);
    const leaving = AbortSignal.abort(new Error('gone'));
    await readers[1]?.return();
    expect((await failureOf(found.wal.read(range, leaving).next())).message).to.equal('gone');
    await found.wal.close();
  });
});

describe('damage in a finished segment', () => {
  it('is charged to the groups of its index, whichever byte it hits', async () => {
    const disk = new MemoryDisk();
    const found = await openLog(disk);
    for (let index = 1; index <= 150; index += 1) await found.wal.append([entry(index, 1)]);
    await found.wal.truncate(5, 3);
    await found.wal.append([entry(1, 4)]);
    for (let index = 151; index <= 400; index += 1)
      await found.wal.append(
        [entry(index, 2)].map((record) => ({ ...record, index: index - 150 })),
      );
    await found.wal.close();
    const names = await segmentsOf(disk);
    const touched: (number[] | undefined)[] = [];
    for (const name of names.slice(0, -1)) {
      const bytes = disk.bytesOf(`/data/wal/${name}`);
      const perSegment = new Set<string>();
      for (let at = 64; at < bytes.byteLength; at += 61) {
        bytes[at] = (bytes[at] ?? 0) ^ 2;
        const failure = (await failureOf(openLog(disk))) as { groups?: ReadonlySet<number> };
        perSegment.add(JSON.stringify([...(failure.groups ?? [])]));
        bytes[at] = (bytes[at] ?? 0) ^ 2;
      }
      expect(perSegment.size, name).to.equal(1);
      touched.push(JSON.parse([...perSegment][0] ?? '') as number[]);
    }
    expect(touched[0]).to.deep.equal([1]);
    expect(touched.find((groups) => groups?.includes(5))).to.include.members([5, 4]);
    expect(touched.at(-1)).to.deep.equal([2]);
    // In the newest segment nobody knows.
    const bytes = disk.bytesOf(`/data/wal/${names.at(-1)}`);
    bytes[4_200] = (bytes[4_200] ?? 0) ^ 2;
    const failure = await failureOf(openLog(disk));
    expect(failure).to.deep.include({ code: 'wal.corrupt', groups: undefined });
    expect(failure.message).to.contain('any group may be affected');
  });
});
