import { expect } from 'chai';
import { MemoryDisk } from '../disk/memory-disk.ts';
import { batchKind, decodeBatch, encodeBatch } from './batch.ts';
import { decodeRanges, rangesBytes, writeRanges } from './group-index.ts';
import {
  decodeHeader,
  encodeHeader,
  firstBatchOffset,
  headerCopyOffset,
} from './segment-header.ts';
import {
  directory,
  entry,
  failureOf,
  openLog,
  segmentBytes,
  segmentsOf,
  writtenLog,
} from './testing/log.ts';

const count = 600;

/** A log whose newest segment stands in the room of a released one, with that one's bytes behind it. */
async function recycledLog(): Promise<{ disk: MemoryDisk; bytes: Uint8Array; path: string }> {
  const disk = new MemoryDisk();
  const { wal } = await openLog(disk);
  for (let index = 1; index <= count; index += 1) {
    await wal.append([entry(index, 1, 60 + ((index * 37) % 90))]);
    if (index % 50 === 0) await wal.truncateFront(new Map([[1, index - 120]]));
  }
  await wal.close();
  const newest = (await segmentsOf(disk)).at(-1) ?? '';
  const path = `${directory}/${newest}`;
  return { disk, bytes: disk.bytesOf(path), path };
}

describe('a segment in the room of a released one', () => {
  it('is read without what stood there before, and that is not called torn', async () => {
    const { disk, bytes } = await recycledLog();
    expect(decodeHeader(bytes)?.recycled).to.equal(true);
    expect(bytes.at(-1_000)).to.not.equal(0);
    const { wal, records } = await openLog(disk, { replayFrom: () => count - 10 });
    expect(records.length).to.equal(10);
    expect(wal.recovery).to.not.have.property('cut');
    expect(bytes.at(-1_000)).to.equal(0);
    await wal.append([entry(count + 1)]);
    await wal.close();
    expect((await openLog(disk)).records.at(-1)?.index).to.equal(count + 1);
  });

  it('reports a torn batch whatever single byte of it is wrong', async () => {
    const { disk } = await recycledLog();
    const { wal } = await openLog(disk);
    const path = `${directory}/${(await segmentsOf(disk)).at(-1)}`;
    const before = new Uint8Array(disk.bytesOf(path));
    const start = Math.ceil((before.findLastIndex((byte) => byte !== 0) + 1) / 8) * 8;
    await wal.append([entry(count + 1, 1, 40)]);
    const after = new Uint8Array(disk.bytesOf(path));
    const end = after.findLastIndex((byte) => byte !== 0);
    for (let at = start; at <= end; at += 1) {
      const found = disk.crash(() => true);
      const bytes = found.bytesOf(path);
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      const { wal: again } = await openLog(found);
      expect(again.recovery, `byte ${at - start}`).to.have.property('cut');
      expect(again.recovery.lastIndex(1)?.index).to.equal(count);
      await again.close();
    }
    await wal.close();
  });

  it('has nothing of before when it is finished: every flipped byte is damage', async () => {
    const { disk } = await recycledLog();
    const path = `${directory}/${(await segmentsOf(disk)).at(-2)}`;
    const bytes = disk.bytesOf(path);
    expect(decodeHeader(bytes)?.recycled).to.equal(true);
    for (let at = 0; at < bytes.byteLength; at += 7) {
      bytes[at] = (bytes[at] ?? 0) ^ 0x04;
      expect((await failureOf(openLog(disk))).code, `byte ${at}`).to.equal('wal.corrupt');
      bytes[at] = (bytes[at] ?? 0) ^ 0x04;
    }
  }).timeout(60_000);

  it('gives back the room that it kept when the disk becomes almost full', async () => {
    const disk = new MemoryDisk(20 * segmentBytes);
    const { wal } = await openLog(disk);
    for (let index = 1; index <= 300; index += 1) await wal.append([entry(index)]);
    await wal.truncateFront(new Map([[1, 300]]));
    const spares = async (): Promise<number> =>
      (await disk.list(directory)).filter((name) => name.endsWith('.old')).length;
    expect(await spares()).to.be.greaterThan(1);
    await disk.makeDirectory('/other');
    const other = await disk.open('/other/a', 'create');
    await other.write(0, new Uint8Array((await disk.freeBytes()) - segmentBytes));
    await wal.truncateFront(new Map([[1, 300]]));
    expect(await spares()).to.equal(0);
    for (let index = 301; index <= 350; index += 1) await wal.append([entry(index)]);
    await wal.close();
  });

  it('leaves no room behind that belongs to nobody', async () => {
    const { disk } = await recycledLog();
    expect(await disk.list(directory)).to.deep.equal(await segmentsOf(disk));
  });
});

/** The bytes that format 1 had: it differs in its number, and never recycles. */
async function asFormat1(disk: MemoryDisk): Promise<void> {
  for (const name of await segmentsOf(disk)) {
    const bytes = disk.bytesOf(`${directory}/${name}`);
    const header = decodeHeader(bytes);
    expect(header?.recycled).to.equal(false);
    if (header === undefined) continue;
    for (const at of [0, headerCopyOffset]) bytes.set(encodeHeader({ ...header, format: 1 }), at);
  }
}

describe('a log of the release before', () => {
  it('is read, appended to, and continued in the new format', async () => {
    const disk = await writtenLog(100);
    await asFormat1(disk);
    const before = await segmentsOf(disk);
    const formatOf = (name: string): number | undefined =>
      decodeHeader(disk.bytesOf(`${directory}/${name}`))?.format;
    expect(new Set(before.map(formatOf))).to.deep.equal(new Set([1]));
    const { wal } = await openLog(disk);
    for (let index = 101; index <= 300; index += 1) await wal.append([entry(index)]);
    await wal.close();
    const formats = (await segmentsOf(disk)).map(formatOf);
    expect(formats.slice(0, before.length)).to.deep.equal(before.map(() => 1));
    expect(new Set(formats.slice(before.length))).to.deep.equal(new Set([2]));
    expect((await openLog(disk)).records.at(-1)?.index).to.equal(300);
  });

  it('has an index that leaves out groups that were only truncated', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    for (let index = 1; index <= 20; index += 1) await wal.append([entry(index)]);
    for (let index = 1; index <= 110; index += 1) await wal.append([entry(index, 2)]);
    await wal.truncate(1, 10);
    for (let index = 111; index <= 200; index += 1) await wal.append([entry(index, 2)]);
    await wal.close();
    await asFormat1(disk);
    const path = `${directory}/${(await segmentsOf(disk))[1]}`;
    withoutGroup(disk.bytesOf(path), 1);
    // The next segment continues from a batch that was there before; it goes.
    for (const name of (await segmentsOf(disk)).slice(2)) await disk.remove(`${directory}/${name}`);
    const again = await openLog(disk);
    const indexes: number[] = [];
    const range = { group: 1, from: 8, to: 30 };
    for await (const { index } of again.wal.read(range, new AbortController().signal)) {
      indexes.push(index);
    }
    expect(indexes).to.deep.equal([8, 9]);
    await again.wal.close();
  });
});

/** Rewrites both copies of a finished segment's index, without one group. */
function withoutGroup(segment: Uint8Array, group: number): void {
  const header = decodeHeader(segment);
  if (header === undefined) throw new Error('no header');
  let [offset, previousCrc] = [firstBatchOffset, header.previousCrc];
  for (;;) {
    const batch = decodeBatch(segment, offset, header);
    if (batch === undefined) throw new Error('no index');
    if (batch.kind === batchKind.index) {
      const ranges = decodeRanges(batch.body);
      expect(ranges.delete(group)).to.equal(true);
      segment.fill(0, offset);
      const durablePosition = header.basePosition + offset;
      for (let copy = 0; copy < 2; copy += 1) {
        const position = header.basePosition + offset;
        const place = { kind: batchKind.index, position, durablePosition, salt: header.salt };
        const { bytes, crc } = encodeBatch(
          { ...place, previousCrc },
          rangesBytes(ranges.size),
          (sink) => writeRanges(sink, ranges),
        );
        segment.set(bytes, offset);
        [offset, previousCrc] = [offset + bytes.byteLength, crc];
      }
      return;
    }
    [offset, previousCrc] = [batch.end, batch.crc];
  }
}
