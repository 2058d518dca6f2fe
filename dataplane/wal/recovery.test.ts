import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { MemoryDisk } from '../disk/memory-disk.ts';
import { batchKind, encodeBatch } from './batch.ts';
import { encodeHeader, headerCopyOffset, walFormat } from './segment-header.ts';
import {
  directory,
  entry,
  failureOf,
  indexesOf,
  openLog,
  segmentBytes,
  segmentPath,
  segmentsOf,
  writtenLog,
} from './testing/log.ts';

const endOf = (bytes: Uint8Array): number => bytes.findLastIndex((byte) => byte !== 0) + 1;

/** A log in one unsealed segment whose entries were appended one by one. */
async function smallLog(count: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const { wal } = await openLog(disk);
  for (let index = 1; index <= count; index += 1) await wal.append([entry(index)]);
  await wal.close();
  return disk;
}

describe('recovery of a torn tail', () => {
  it('cuts it, says where, and never reads it again', async () => {
    const disk = await smallLog(1);
    const bytes = disk.bytesOf(await segmentPath(disk));
    bytes.set(encodeUtf8('half a batch'.repeat(100)), endOf(bytes) + 20);
    const again = await openLog(disk);
    expect(again.records.length).to.equal(1);
    expect(again.wal.recovery.cut).to.include({ segment: '0000000000000001.wal' });
    expect(again.wal.recovery.cut?.bytes).to.be.within(1_208, 1_220);
    await again.wal.append([entry(2)]);
    await again.wal.close();
    const third = await openLog(disk);
    expect(third.records.length).to.equal(2);
    expect(third.wal.recovery).to.not.have.property('cut');
    await third.wal.close();
  });

  it('keeps all that was acknowledged when the last write ends at any byte', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    for (let index = 1; index <= 5; index += 1) await wal.append([entry(index)]);
    const path = await segmentPath(disk);
    const before = new Uint8Array(disk.bytesOf(path));
    await wal.append([entry(6, 1, 60)]);
    const after = new Uint8Array(disk.bytesOf(path));
    const [start, end] = [endOf(before), endOf(after)];
    for (let torn = start; torn <= end; torn += 1) {
      const found = disk.crash(() => false);
      const bytes = found.bytesOf(path);
      bytes.set(before);
      bytes.set(after.subarray(0, torn));
      const { wal: again, records } = await openLog(found);
      expect(records.length, `torn at ${torn}`).to.equal(torn === end ? 6 : 5);
      await again.append([entry(records.length + 1)]);
      await again.close();
      expect((await openLog(found)).records.length).to.equal(records.length + 1);
    }
    await wal.close();
  });

  it('does not take the bytes of a document for a batch: nobody can foresee the salt', async () => {
    const salt = Math.floor(0.25 * 0x1_0000_0000);
    const outcome = async (guessed: number): Promise<string> => {
      const disk = await smallLog(2);
      const bytes = disk.bytesOf(await segmentPath(disk));
      const torn = Math.ceil(endOf(bytes) / 8) * 8;
      // A document that claims that what stands before it was durable.
      const position = torn + 64;
      const place = { position, durablePosition: position, previousCrc: 0, salt: guessed };
      const forged = encodeBatch({ kind: batchKind.seal, ...place }, 0, () => undefined);
      const payload = new Uint8Array(200);
      payload.set(forged.bytes, position - torn - 61);
      const { wal } = await openLog(disk);
      await wal.append([{ ...entry(3), payload }]);
      await wal.close();
      bytes.fill(0, torn, torn + 8);
      bytes.fill(0, torn + 61 + 200);
      const found = await openLog(disk).catch((error: { code: string }) => error.code);
      return typeof found === 'string' ? found : `cut ${found.records.length}`;
    };
    expect(await outcome(salt + 1)).to.equal('cut 2');
    expect(await outcome(salt)).to.equal('wal.corrupt');
  });

  it('cuts an index whose copy is missing, and goes on in the same segment', async () => {
    const disk = await writtenLog(150);
    const path = await segmentPath(disk);
    const names = await disk.list(directory);
    for (const name of names.slice(1)) await disk.remove(`${directory}/${name}`);
    const bytes = disk.bytesOf(path);
    bytes.fill(0, endOf(bytes) - 1);
    const { wal, records } = await openLog(disk);
    expect(wal.recovery.cut?.bytes).to.be.greaterThan(0);
    const next = records.length / 2 + 1;
    await wal.append([entry(next, 1), entry(next, 2)]);
    await wal.close();
    expect((await openLog(disk)).records.length).to.equal(records.length + 2);
  });
});

describe('recovery of a damaged log', () => {
  it('calls every flipped byte of a sealed segment corruption, and cuts nothing', async () => {
    const disk = await writtenLog(80);
    const bytes = disk.bytesOf(await segmentPath(disk));
    const image = new Uint8Array(bytes);
    for (let at = 0; at < bytes.byteLength; at += 1) {
      bytes[at] = (image[at] ?? 0) ^ (1 << (at % 8));
      const { code } = await failureOf(openLog(disk));
      expect(code, `byte ${at}`).to.equal('wal.corrupt');
      bytes[at] = image[at] ?? 0;
    }
    const { wal, records } = await openLog(disk);
    expect(records.length).to.equal(160);
    await wal.close();
  }).timeout(60_000);

  it('never loses a durable entry to a flipped byte of the unsealed segment without saying so', async () => {
    const disk = await smallLog(20);
    const bytes = disk.bytesOf(await segmentPath(disk));
    const image = new Uint8Array(bytes);
    for (let at = 0; at < endOf(image) + 64; at += 1) {
      bytes.set(image);
      bytes[at] = (image[at] ?? 0) ^ 0x01;
      const outcome = await openLog(disk).catch((error: { code: string }) => error.code);
      if (typeof outcome === 'string') {
        expect(outcome, `byte ${at}`).to.equal('wal.corrupt');
        continue;
      }
      expect(outcome.records.length, `byte ${at}`).to.equal(20);
      expect(outcome.wal.recovery, `byte ${at}`).to.have.property('cut');
      await outcome.wal.close();
    }
  }).timeout(60_000);

  it('notices a batch that is whole, but not the one that was written there', async () => {
    const [disk, other] = [await smallLog(1), await smallLog(1)];
    const path = await segmentPath(disk);
    const start = Math.ceil(endOf(disk.bytesOf(path)) / 8) * 8;
    for (const [log, text] of [
      [disk, 'written here'],
      [other, 'written else'],
    ] as const) {
      const { wal } = await openLog(log);
      await wal.append([{ ...entry(2), payload: encodeUtf8(text) }]);
      await wal.append([entry(3)]);
      await wal.close();
    }
    const length = 36 + 25 + 12;
    const stale = other.bytesOf(path).subarray(start, start + length);
    disk.bytesOf(path).set(stale, start);
    expect((await failureOf(openLog(disk))).code).to.equal('wal.corrupt');
  });

  it('says where the damage is', async () => {
    const disk = await writtenLog(200);
    const bytes = disk.bytesOf(await segmentPath(disk, 1));
    bytes[4_096] = (bytes[4_096] ?? 0) ^ 1;
    const failure = await failureOf(openLog(disk));
    expect(failure).to.deep.include({
      code: 'wal.corrupt',
      place: { segment: '0000000000000002.wal', offset: 4_096, position: segmentBytes + 4_096 },
    });
    expect(failure.message).to.contain('offset 4096').and.contain('nothing was truncated');
  });

  it('refuses a newer format by naming both versions', async () => {
    const disk = await writtenLog(1);
    const header = encodeHeader({
      format: walFormat + 1,
      sequence: 1,
      size: segmentBytes,
      basePosition: 0,
      previousCrc: 0,
      salt: 1,
      recycled: false,
    });
    const bytes = disk.bytesOf(await segmentPath(disk));
    bytes.set(header, 0);
    bytes.set(header, headerCopyOffset);
    const { code, message } = await failureOf(openLog(disk));
    expect(code).to.equal('wal.format');
    expect(message).to.contain('has format 4').and.contain('reads formats 1 to 3');
  });

  it('says which segment is missing, and refuses one from another log', async () => {
    const disk = await writtenLog(200);
    await disk.remove(await segmentPath(disk, 1));
    const missing = await failureOf(openLog(disk));
    expect(missing.code).to.equal('wal.corrupt');
    expect(missing.message).to.contain('0000000000000002.wal').and.contain('missing');
    const [one, other] = [await writtenLog(200), await writtenLog(190)];
    one.bytesOf(await segmentPath(one, 1)).set(other.bytesOf(await segmentPath(other, 1)));
    one.bytesOf(await segmentPath(one, 0)).fill(0, 5_000);
    expect((await failureOf(openLog(one))).code).to.equal('wal.corrupt');
  });

  it('notices that the newest segments were removed', async () => {
    for (const count of [1, 2]) {
      const disk = await writtenLog(200);
      const segments = await segmentsOf(disk);
      const lost = segments.slice(-count);
      for (const name of lost) await disk.remove(`${directory}/${name}`);
      for (let again = 0; again < 2; again += 1) {
        const { code, message } = await failureOf(openLog(disk));
        expect(code).to.equal('wal.corrupt');
        expect(message).to.contain(`segment ${lost[0]} `).and.contain('the file is missing');
      }
    }
  });

  it('refuses a segment that is shorter or longer than it says', async () => {
    for (const size of [0, 100, segmentBytes - 1, segmentBytes + 1]) {
      const disk = await writtenLog(1);
      const path = await segmentPath(disk);
      const image = disk.bytesOf(path);
      await disk.remove(path);
      const file = await disk.open(path, 'create');
      const resized = new Uint8Array(size);
      resized.set(image.subarray(0, size));
      await file.write(0, resized);
      expect((await failureOf(openLog(disk))).code, `${size} bytes`).to.equal('wal.corrupt');
    }
  });

  it('says what the system refused, and where', async () => {
    const disk = await writtenLog(1);
    disk.failBy((operation) => {
      if (operation === 'open') {
        throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
      }
    });
    const { code, message } = await failureOf(openLog(disk));
    expect(code).to.equal('wal.open_failed');
    expect(message).to.contain(directory).and.contain('permission denied');
  });

  it('finds the same records again and again', async () => {
    const disk = await writtenLog(120);
    const first = await openLog(disk);
    await first.wal.close();
    const second = await openLog(disk);
    expect(indexesOf(second.records)).to.deep.equal(indexesOf(first.records));
    await second.wal.close();
  });
});
