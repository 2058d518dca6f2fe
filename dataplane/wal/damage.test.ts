import { expect } from 'chai';
import { announceSegment } from './segment-file.ts';
import { MemoryDisk } from '../disk/memory-disk.ts';
import { headerCopyOffset } from './segment-header.ts';
import {
  directory,
  entry,
  failureOf,
  indexesOf,
  openLog,
  segmentBytes,
  segmentPath,
  segmentsOf,
} from './testing/log.ts';
import type { OpenedLog } from './testing/log.ts';
import type { WalOptions } from './wal.ts';

const isDispensable = (group: number): boolean => group !== 0;
const open = (disk: MemoryDisk, options: Partial<WalOptions> = {}): Promise<OpenedLog> =>
  openLog(disk, { isDispensable, ...options });

/** Which groups append in turn; each turn fills about three segments. */
const turns = [[1], [2], [1, 3], [2, 3], [1, 3]] as const;
const perTurn = 240;

interface Written {
  readonly disk: MemoryDisk;
  /** By group, the last entry. */
  readonly last: ReadonlyMap<number, number>;
}

async function writeTurns(): Promise<Written> {
  const disk = new MemoryDisk();
  const { wal } = await open(disk);
  const last = new Map<number, number>();
  for (const groups of turns) {
    for (let count = 0; count < perTurn / groups.length; count += 1) {
      const records = groups.map((group) => entry((last.get(group) ?? 0) + 1, group));
      for (const { group, index } of records) last.set(group, index);
      await wal.append(records);
    }
  }
  await wal.close();
  return { disk, last };
}

const flip = (bytes: Uint8Array, at: number): void => void (bytes[at] = (bytes[at] ?? 0) ^ 1);
/** Of the only segment that has nothing but group 2. */
const onlySecond = 4;
const place = { segment: '0000000000000005.wal', offset: 6_000 };
/** Of a batch of one entry. */
const batchBytes = 168;

/** A log whose fifth segment is damaged. */
async function damaged(at = place.offset): Promise<Written> {
  const written = await writeTurns();
  const path = await segmentPath(written.disk, onlySecond);
  const bytes = written.disk.bytesOf(path);
  flip(bytes, at);
  const file = await written.disk.open(path, 'write');
  await file.writeDurably(0, bytes);
  await file.close();
  return written;
}

const ofGroup = ({ records }: OpenedLog, group: number): string[] =>
  indexesOf(records.filter((record) => record.group === group));

const wholeGroup = (group: number, last = 0): string[] =>
  Array.from({ length: last }, (_, at) => `${group}/${at + 1}`);

/** Entries up to the last are there, of all groups but the second. */
function expectOthersWhole(log: OpenedLog, last: ReadonlyMap<number, number>): void {
  expect([...log.wal.damaged.keys()]).to.deep.equal([2]);
  for (const group of [1, 3]) {
    expect(ofGroup(log, group)).to.deep.equal(wholeGroup(group, last.get(group)));
    expect(log.wal.recovery.lastIndex(group)?.index).to.equal(last.get(group));
  }
}

const without = (first: number, group: number): ReadonlyMap<number, number> =>
  new Map([1, 2, 3].filter((each) => each !== group).map((each) => [each, first]));

const all = (index: number): Map<number, number> => new Map([1, 2, 3].map((each) => [each, index]));

const asideOf = async (disk: MemoryDisk): Promise<readonly string[]> =>
  (await disk.list(directory)).filter((name) => /\.(damaged|kept)$/.test(name));

describe('a log with a damaged segment', () => {
  it('hands out every other group, again and again, and of the damaged one what is before', async () => {
    const { disk, last } = await damaged();
    const image = new Uint8Array(disk.bytesOf(await segmentPath(disk, onlySecond)));
    let reason = '';
    for (let start = 0; start < 3; start += 1) {
      const log = await open(disk);
      expectOthersWhole(log, last);
      const before = ofGroup(log, 2);
      expect(before).to.deep.equal(wholeGroup(2, before.length));
      expect(before.length).to.be.within(1, perTurn);
      const error = log.wal.damaged.get(2);
      expect(error?.place.segment).to.equal(place.segment);
      expect(error?.place.offset).to.be.within(place.offset - batchBytes, place.offset);
      expect(error?.place.position).to.equal(4 * segmentBytes + (error?.place.offset ?? 0));
      if (start > 0) expect(error?.message).to.equal(reason);
      reason = error?.message ?? '';
      await log.wal.close();
    }
    expect(disk.bytesOf(await segmentPath(disk, onlySecond))).to.deep.equal(image);
  });

  it('takes entries of the others, and refuses those of the damaged group with the reason', async () => {
    const { disk, last } = await damaged();
    const { wal } = await open(disk);
    const next = (last.get(1) ?? 0) + 1;
    const refused = [
      wal.append([entry(next, 1), entry((last.get(2) ?? 0) + 1, 2)]),
      wal.append([entry(1, 2)]),
      wal.truncate(2, 5),
      wal.read({ group: 2, from: 1, to: 5 }, new AbortController().signal).next(),
    ];
    for (const refusal of refused) expect((await failureOf(refusal)).code).to.equal('wal.corrupt');
    await wal.append([entry(next, 1)]);
    await wal.close();
    expectOthersWhole(await open(disk), new Map(last).set(1, next));
  });

  it('refuses to open when a group is touched that the node cannot do without', async () => {
    const { disk } = await damaged();
    for (const options of [{ isDispensable: (group: number) => group !== 2 }, {}]) {
      const failure = await failureOf(openLog(disk, options));
      expect(failure).to.deep.include({ code: 'wal.corrupt', groups: new Set([2]) });
      expect(failure.message)
        .to.contain('0000000000000005.wal')
        .and.to.contain('Restore this node');
    }
  });

  it('opens whichever byte is damaged, unless the groups cannot be known', async () => {
    const { disk, last } = await writeTurns();
    const bytes = disk.bytesOf(await segmentPath(disk, onlySecond));
    for (let at = 0; at < bytes.byteLength; at += 97) {
      flip(bytes, at);
      const log = await open(disk);
      expectOthersWhole(log, last);
      await log.wal.close();
      flip(bytes, at);
    }
    const end = bytes.findLastIndex((byte) => byte !== 0);
    for (const places of [
      [0, headerCopyOffset],
      [end, end - 60],
    ]) {
      for (const at of places) flip(bytes, at);
      expect((await failureOf(open(disk))).code).to.equal('wal.corrupt');
      for (const at of places) flip(bytes, at);
    }
  });

  it('appends to a new segment when the damaged one is the newest', async () => {
    for (const hit of ['a record', 'the second copy of the index']) {
      const { disk } = await writeTurns();
      const names = await segmentsOf(disk);
      for (const name of names.slice(onlySecond + 1)) await disk.remove(`${directory}/${name}`);
      // As when the power went before the next one began.
      await announceSegment({ disk, directory }, { sequence: onlySecond + 2, size: segmentBytes });
      const bytes = disk.bytesOf(await segmentPath(disk, onlySecond));
      flip(bytes, place.offset);
      if (hit !== 'a record')
        flip(
          bytes,
          bytes.findLastIndex((byte) => byte !== 0),
        );
      const { wal } = await open(disk);
      await wal.append([entry(1, 4)]);
      await wal.close();
      expect((await segmentsOf(disk)).length, hit).to.equal(onlySecond + 2);
      const log = await open(disk);
      expect([...log.wal.damaged.keys()], hit).to.deep.equal([2]);
      expect(ofGroup(log, 4), hit).to.deep.equal(['4/1']);
      await log.wal.close();
      // The medium reads right again: the chain was continued as if nothing had been damaged.
      flip(bytes, place.offset);
      if (hit === 'a record') expect((await open(disk)).wal.damaged.size).to.equal(0);
    }
  });

  it('adds up the damage of several segments', async () => {
    const { disk } = await damaged();
    const paths = await Promise.all([8, 11].map((at) => segmentPath(disk, at)));
    for (const path of paths) flip(disk.bytesOf(path), place.offset);
    const log = await open(disk);
    expect([...log.wal.damaged.keys()]).to.have.members([1, 2, 3]);
    expect(log.wal.damaged.get(2)?.place.segment).to.equal(place.segment);
    await log.wal.close();
  });
});

describe('segments of damaged groups', () => {
  it('do not hold the log, stay until the group is dropped, and say the same at each start', async () => {
    const { disk, last } = await damaged();
    const first = await open(disk);
    const message = first.wal.damaged.get(2)?.message;
    await first.wal.truncateFront(all(9_999));
    await first.wal.close();
    expect(await segmentsOf(disk)).to.have.length(1);
    const aside = await asideOf(disk);
    expect(aside.filter((name) => name.endsWith('.damaged'))).to.deep.equal([
      `${place.segment}.damaged`,
    ]);
    for (let start = 0; start < 2; start += 1) {
      const { wal } = await open(disk);
      expect(wal.damaged.get(2)?.message).to.equal(message);
      await wal.append([entry((last.get(1) ?? 0) + 1 + start, 1)]);
      await wal.truncateFront(all(9_999));
      expect(await asideOf(disk)).to.deep.equal(aside);
      await wal.close();
    }
    const { wal } = await open(disk);
    await wal.truncateFront(all(9_999).set(2, Number.POSITIVE_INFINITY));
    expect(await asideOf(disk)).to.deep.equal([]);
    await wal.close();
    expect((await open(disk)).wal.damaged.size).to.equal(0);
  });

  it('wait for the others of their segment, and go at once when the group is dropped', async () => {
    const { disk } = await damaged();
    const { wal } = await open(disk);
    const before = await segmentsOf(disk);
    await wal.truncateFront(without(9_999, 1));
    expect(await segmentsOf(disk)).to.deep.equal(before);
    await wal.truncateFront(all(9_999).set(2, Number.POSITIVE_INFINITY));
    expect(await segmentsOf(disk)).to.have.length(1);
    expect(await asideOf(disk)).to.deep.equal([]);
    await wal.close();
  });

  it('are not believed again when the medium reads them right once they were set aside', async () => {
    const { disk } = await damaged();
    const { wal } = await open(disk);
    await wal.truncateFront(all(9_999));
    await wal.close();
    flip(disk.bytesOf(`${directory}/${place.segment}.damaged`), place.offset);
    const again = await open(disk);
    expect([...again.wal.damaged.keys()]).to.deep.equal([2]);
    expect(again.wal.damaged.get(2)?.message).to.contain('damaged before');
    await again.wal.close();
    expect((await failureOf(openLog(disk))).code).to.equal('wal.corrupt');
  });

  it('give the same answer wherever the power goes while they are set aside', async () => {
    let cuts = 0;
    for (let cutAt = 1; ; cutAt += 1) {
      const { disk } = await damaged();
      const { wal } = await open(disk);
      const message = wal.damaged.get(2)?.message;
      let operations = 0;
      let found: MemoryDisk | undefined;
      disk.failBy(() => {
        operations += 1;
        if (operations === cutAt) found = disk.crash(() => cutAt % 2 === 0);
      });
      await wal.truncateFront(all(9_999));
      await wal.close();
      if (found === undefined) break;
      cuts += 1;
      const again = await open(found);
      expect(again.wal.damaged.get(2)?.message, `operation ${cutAt}`).to.equal(message);
      expect([...again.wal.damaged.keys()]).to.deep.equal([2]);
      await again.wal.close();
    }
    expect(cuts).to.be.greaterThan(10);
  });
});
