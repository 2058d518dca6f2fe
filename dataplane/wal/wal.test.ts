import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { Prng } from '../common/prng.ts';
import { MemoryDisk } from '../disk/memory-disk.ts';
import type { Disk } from '../disk/disk.ts';
import { encodeHeader, headerCopyOffset, truncateKind, walFormat } from './format.ts';
import type { WalRecord } from './format.ts';
import { openWal } from './wal.ts';
import type { Wal } from './wal.ts';

const directory = '/wal';
const segmentBytes = 16_384;
const { signal } = new AbortController();

interface OpenedLog {
  readonly wal: Wal;
  readonly records: WalRecord[];
}

async function open(disk: Disk, applied: (group: number) => number = () => 0): Promise<OpenedLog> {
  const records: WalRecord[] = [];
  const wal = await openWal({
    disk,
    directory,
    segmentBytes,
    replayFrom: applied,
    onRecord: (record) => records.push({ ...record, payload: new Uint8Array(record.payload) }),
    onProgress: () => undefined,
    signal,
  });
  return { wal, records };
}

const entry = (index: number, group = 1, size = 100): WalRecord => ({
  group,
  term: 1,
  index,
  kind: 1,
  payload: encodeUtf8(`${group}/${index}`.padEnd(size, '.')),
});

const indexesOf = (records: readonly WalRecord[]): string[] =>
  records.map((record) => `${record.group}/${record.index}`);

async function failure(action: Promise<unknown>): Promise<{ code?: string; message: string }> {
  try {
    await action;
  } catch (error) {
    return error as Error & { code: string };
  }
  throw new Error('expected a rejection');
}

/** A log with `count` acknowledged entries of two groups over several segments, closed. */
async function written(count: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const { wal } = await open(disk);
  for (let index = 1; index <= count; index += 1) {
    await wal.append([entry(index, 1), entry(index, 2)]);
  }
  await wal.close();
  return disk;
}

describe('the write-ahead log', () => {
  it('hands out what was appended, in order, over several segments', async () => {
    const disk = await written(150);
    expect((await disk.list(directory)).length).to.be.greaterThan(2);
    const { wal, records } = await open(disk);
    const wanted = Array.from({ length: 150 }, (_, at) => [`1/${at + 1}`, `2/${at + 1}`]).flat();
    expect(indexesOf(records)).to.deep.equal(wanted);
    expect(wal.recovery).to.not.have.property('cut');
    expect([wal.lastIndex(1), wal.lastIndex(9)]).to.deep.equal([150, 0]);
    await wal.close();
  });

  it('does not hand out what is applied already', async () => {
    const { wal, records } = await open(await written(10), (group) => (group === 1 ? 8 : 10));
    expect(indexesOf(records)).to.deep.equal(['1/9', '1/10']);
    await wal.close();
  });

  it('covers many waiting appends by few syncs', async () => {
    const { wal } = await open(new MemoryDisk());
    await Promise.all(Array.from({ length: 64 }, (_, group) => wal.append([entry(1, group)])));
    expect(wal.metrics()).to.include({ records: 64 });
    expect(wal.metrics().syncs).to.be.lessThan(4);
    await wal.close();
  });

  it('forgets a suffix of one group and goes on behind it', async () => {
    const disk = new MemoryDisk();
    const first = await open(disk);
    await first.wal.append([entry(1), entry(2), entry(3)]);
    await first.wal.truncate(1, 2);
    await first.wal.append([entry(2)]);
    await first.wal.close();
    const { wal, records } = await open(disk);
    expect(records.map((record) => [record.index, record.kind])).to.deep.equal([
      [1, 1],
      [2, 1],
      [3, 1],
      [2, truncateKind],
      [2, 1],
    ]);
    await wal.close();
  });

  it('releases segments whose entries are all applied, and only those', async () => {
    const disk = await written(200);
    const { wal } = await open(disk);
    const before = await disk.list(directory);
    await wal.release(() => 60);
    const after = await disk.list(directory);
    expect(after.length).to.be.lessThan(before.length);
    await wal.close();
    const again = await open(disk, () => 60);
    expect(indexesOf(again.records).slice(0, 2)).to.deep.equal(['1/61', '2/61']);
    await again.wal.close();
  });

  it('takes a record that is larger than a segment', async () => {
    const disk = new MemoryDisk();
    const { wal } = await open(disk);
    await wal.append([entry(1, 1, 3 * segmentBytes)]);
    await wal.close();
    const again = await open(disk);
    expect(again.records[0]?.payload.byteLength).to.equal(3 * segmentBytes);
    await again.wal.close();
  });

  it('keeps everything acknowledged when the power goes at any moment, in any order of sectors', async () => {
    for (let seed = 1; seed <= 150; seed += 1) {
      const prng = new Prng(seed);
      const disk = new MemoryDisk();
      const { wal } = await open(disk);
      let acknowledged = 0;
      let operations = 0;
      const cutAt = prng.below(140);
      const power: { found?: MemoryDisk } = {};
      disk.failBy(() => {
        operations += 1;
        if (operations === cutAt) power.found = disk.crash(() => prng.next() < 0.5);
      });
      for (let index = 1; power.found === undefined && index <= 80; index += 1) {
        await wal.append([entry(index, 1, 40 + prng.below(900))]);
        if (power.found === undefined) acknowledged = index;
      }
      const found = await open(power.found ?? disk.crash(() => false));
      const indexes = found.records.map((record) => record.index);
      expect(indexes.slice(0, acknowledged), `seed ${seed}`).to.deep.equal(
        Array.from({ length: acknowledged }, (_, at) => at + 1),
      );
      expect(indexes.length, `seed ${seed}`).to.be.at.most(acknowledged + 1);
      await found.wal.append([entry(indexes.length + 1)]);
      await found.wal.close();
    }
  });

  it('cuts a torn tail, says where, and never reads it again', async () => {
    const disk = new MemoryDisk();
    const { wal } = await open(disk);
    await wal.append([entry(1)]);
    await wal.close();
    const name = `${directory}/${(await disk.list(directory))[0]}`;
    const bytes = disk.bytesOf(name);
    const end = bytes.findLastIndex((byte) => byte !== 0);
    bytes.set(encodeUtf8('half a batch'), end + 20);
    const again = await open(disk);
    expect(again.records.length).to.equal(1);
    expect(again.wal.recovery.cut?.bytes).to.be.greaterThan(0);
    await again.wal.append([entry(2)]);
    await again.wal.close();
    const third = await open(disk);
    expect(third.records.length).to.equal(2);
    expect(third.wal.recovery).to.not.have.property('cut');
    await third.wal.close();
  });

  it('calls every flipped byte of a sealed segment corruption, and cuts nothing', async () => {
    const disk = await written(80);
    const name = `${directory}/${(await disk.list(directory))[0]}`;
    const bytes = disk.bytesOf(name);
    for (let at = 0; at < bytes.byteLength; at += 7) {
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      const { code } = await failure(open(disk));
      expect(code, `byte ${at}`).to.be.oneOf(['wal.corrupt', 'wal.format']);
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
    }
    const { wal, records } = await open(disk);
    expect(records.length).to.equal(160);
    await wal.close();
  }).timeout(60_000);

  it('never loses a durable entry to a flipped byte of the unsealed segment without saying so', async () => {
    const disk = new MemoryDisk();
    const { wal } = await open(disk);
    for (let index = 1; index <= 20; index += 1) await wal.append([entry(index)]);
    await wal.close();
    const name = `${directory}/${(await disk.list(directory))[0]}`;
    const image = new Uint8Array(disk.bytesOf(name));
    const end = image.findLastIndex((byte) => byte !== 0);
    for (let at = 0; at < end; at += 1) {
      const bytes = disk.bytesOf(name);
      bytes.set(image);
      bytes[at] = (image[at] ?? 0) ^ 0x01;
      const outcome = await open(disk).catch((error: { code: string }) => error.code);
      if (typeof outcome === 'string') {
        expect(outcome, `byte ${at}`).to.be.oneOf(['wal.corrupt', 'wal.format']);
        continue;
      }
      expect(outcome.records.length, `byte ${at}`).to.equal(20);
      expect(outcome.wal.recovery, `byte ${at}`).to.have.property('cut');
      await outcome.wal.close();
    }
  }).timeout(60_000);

  it('refuses a newer format by naming both versions', async () => {
    const disk = await written(1);
    const name = `${directory}/${(await disk.list(directory))[0]}`;
    const header = encodeHeader({
      format: walFormat + 1,
      sequence: 1,
      size: segmentBytes,
      previousCrc: 0,
    });
    disk.bytesOf(name).set(header, 0);
    disk.bytesOf(name).set(header, headerCopyOffset);
    const { code, message } = await failure(open(disk));
    expect(code).to.equal('wal.format');
    expect(message)
      .to.contain(`format ${walFormat + 1}`)
      .and.contain(`format ${walFormat} `);
  });

  it('says which segment is missing', async () => {
    const disk = await written(200);
    await disk.remove(`${directory}/${(await disk.list(directory))[1]}`);
    const { code, message } = await failure(open(disk));
    expect(code).to.equal('wal.corrupt');
    expect(message).to.contain('0000000000000002.wal').and.contain('missing');
  });

  it('stops for good when a sync fails, and never tries it again', async () => {
    const disk = new MemoryDisk();
    const { wal } = await open(disk);
    await wal.append([entry(1)]);
    let syncs = 0;
    disk.failBy((operation) => {
      if (operation !== 'sync') return;
      syncs += 1;
      throw Object.assign(new Error('input/output error'), { code: 'EIO' });
    });
    expect((await failure(wal.append([entry(2)]))).code).to.equal('wal.sync_failed');
    expect((await failure(wal.append([entry(3)]))).code).to.equal('wal.sync_failed');
    expect((await wal.failed).message).to.contain('input/output error');
    await wal.close();
    expect(syncs).to.equal(1);
  });

  it('says that the disk is full when there is no room for a segment', async () => {
    const disk = new MemoryDisk();
    disk.failBy((operation) => {
      if (operation === 'write') throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    });
    const { code, message } = await failure(open(disk));
    expect(code).to.equal('wal.disk_full');
    expect(message).to.contain('make room');
    disk.failBy(() => undefined);
    await (await open(disk)).wal.close();
  });

  it('stops opening when it is told to', async () => {
    const disk = await written(100);
    const options = {
      disk,
      directory,
      segmentBytes,
      replayFrom: () => 0,
      onRecord: () => undefined,
    };
    const aborted = AbortSignal.abort(new Error('enough'));
    const { message } = await failure(
      openWal({ ...options, onProgress: () => undefined, signal: aborted }),
    );
    expect(message).to.equal('enough');
  });
});
