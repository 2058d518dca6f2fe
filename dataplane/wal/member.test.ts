import { expect } from 'chai';
import { encodeUtf8, noBytes } from '../common/bytes.ts';
import { MemoryDisk } from '../disk/memory-disk.ts';
import { hardStateKind, restartKind, truncateKind } from './record.ts';
import type { WalRecord } from './record.ts';
import { decodeHeader, plainWalFormat, walFormat } from './segment-header.ts';
import {
  directory,
  entry,
  failureOf,
  indexesOf,
  openLog,
  segmentPath,
  segmentsOf,
} from './testing/log.ts';
import type { Wal } from './wal.ts';

const hardState = (group: number, term: number, vote = 'node-a'): WalRecord => ({
  group,
  term,
  index: term * 10,
  kind: hardStateKind,
  payload: encodeUtf8(vote),
});

const order = (group: number, kind: number, index: number, term = 0): WalRecord => ({
  group,
  kind,
  index,
  term,
  payload: noBytes,
});

const formats = async (disk: MemoryDisk): Promise<number[]> =>
  (await segmentsOf(disk)).map(
    (name) => decodeHeader(disk.bytesOf(`${directory}/${name}`))?.format ?? 0,
  );

async function entriesOf(wal: Wal, group: number, from: number, to = 1_000): Promise<number[]> {
  const found: number[] = [];
  const { signal } = new AbortController();
  for await (const { index } of wal.read({ group, from, to }, signal)) found.push(index);
  return found;
}

/** Appends until the log has so many segments more. */
async function fill(wal: Wal, from: number, segments: number): Promise<number> {
  const wanted = wal.metrics().segments + segments;
  let index = from;
  for (; wal.metrics().segments < wanted; index += 1) await wal.append([entry(index, 2, 900)]);
  return index;
}

describe('the members of groups in the log', () => {
  it('keep their newest hard state, with entries and truncations under one sync', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    await wal.persist([hardState(1, 1), entry(1), entry(2), hardState(2, 4, '')]);
    const { syncs } = wal.metrics();
    await wal.persist([hardState(1, 2, 'node-b'), order(1, truncateKind, 2), entry(2, 1, 30)]);
    expect(wal.metrics().syncs).to.equal(syncs + 1);
    await wal.close();
    const again = await openLog(disk);
    const { recovery } = again.wal;
    expect(recovery.hardState(1)).to.deep.equal(hardState(1, 2, 'node-b'));
    expect(recovery.hardState(2)).to.deep.equal(hardState(2, 4, ''));
    expect(recovery.hardState(3)).to.equal(undefined);
    expect(recovery.lastIndex(1)).to.deep.equal({ term: 1, index: 2 });
    expect(again.records.some(({ kind }) => kind === hardStateKind)).to.equal(false);
    await again.wal.close();
  });

  it('keep it when every segment that had it was released', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    await wal.persist([hardState(1, 7)]);
    let index = 1;
    for (let round = 0; round < 4; round += 1) {
      index = await fill(wal, index, 2);
      await wal.truncateFront(new Map([[2, index]]));
      expect(wal.metrics().segments).to.equal(1);
      const copy = await openLog(disk.crash(() => false));
      expect(copy.wal.recovery.hardState(1)).to.deep.equal(hardState(1, 7));
      await copy.wal.close();
    }
    await wal.close();
  });

  it('keep it while the newest segment has nothing durable', async () => {
    const disk = new MemoryDisk();
    const first = await openLog(disk);
    await first.wal.persist([hardState(1, 7)]);
    const index = await fill(first.wal, 1, 1);
    await first.wal.close();
    // As if the process had died after it began the segment.
    const bytes = disk.bytesOf(await segmentPath(disk, (await segmentsOf(disk)).length - 1));
    bytes.fill(0, 4_096);
    const { wal } = await openLog(disk);
    await wal.truncateFront(new Map([[2, index]]));
    expect(wal.metrics().segments).to.equal(2);
    await wal.append([entry(index - 1, 2, 900)]);
    await wal.truncateFront(new Map([[2, index]]));
    expect(wal.metrics().segments).to.equal(1);
    await wal.close();
    const again = await openLog(disk);
    expect(again.wal.recovery.hardState(1)).to.deep.equal(hardState(1, 7));
    await again.wal.close();
  });

  it('are forgotten with their group', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    await wal.persist([hardState(1, 7), hardState(2, 3)]);
    await wal.truncateFront(new Map([[1, Number.POSITIVE_INFINITY]]));
    const index = await fill(wal, 1, 2);
    await wal.truncateFront(new Map([[2, index]]));
    await wal.close();
    const again = await openLog(disk);
    expect(again.wal.recovery.hardState(1)).to.equal(undefined);
    expect(again.wal.recovery.hardState(2)?.term).to.equal(3);
    await again.wal.close();
  });

  it('begin again behind a state that replaced their entries', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    for (let index = 1; index <= 5; index += 1) await wal.append([entry(index)]);
    await wal.persist([order(1, restartKind, 90, 6), { ...entry(91), term: 6 }]);
    await wal.append([{ ...entry(92), term: 7 }]);
    expect(await entriesOf(wal, 1, 91)).to.deep.equal([91, 92]);
    expect((await failureOf(entriesOf(wal, 1, 3))).code).to.equal('wal.entries_gone');
    const last = await failureOf(wal.append([{ ...entry(93), term: 5 }]));
    expect(last.message).to.contain('goes back');
    await wal.close();
    const again = await openLog(disk, { replayFrom: () => 90 });
    expect(again.wal.recovery.lastIndex(1)).to.deep.equal({ term: 7, index: 92 });
    expect(indexesOf(again.records)).to.deep.equal(['1/90', '1/91', '1/92']);
    expect(again.records[0]?.kind).to.equal(restartKind);
    expect(await entriesOf(again.wal, 1, 92)).to.deep.equal([92]);
    await again.wal.close();
  });

  it('hand out a truncation of what was applied: entries behind it were voided, too', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    await wal.persist([1, 2, 3, 4, 5].map((index) => entry(index)));
    await wal.persist([order(1, truncateKind, 3)]);
    const replacing = [3, 4].map((index) => ({ ...entry(index), term: 2 }));
    await wal.persist(replacing);
    await wal.close();
    // Entry 3 of the new term is applied.
    const again = await openLog(disk, { replayFrom: () => 3 });
    expect(again.records.map(({ index, term, kind }) => [index, term, kind])).to.deep.equal([
      [4, 1, entry(4).kind],
      [5, 1, entry(5).kind],
      [3, 0, truncateKind],
      [4, 2, entry(4).kind],
    ]);
    await again.wal.close();
  });

  it('begin again in a later segment, and nothing before is in force', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    const next = await fill(wal, 1, 2);
    await wal.persist([order(2, restartKind, next + 50, 2), { ...entry(next + 51, 2), term: 2 }]);
    expect((await failureOf(entriesOf(wal, 2, 1))).code).to.equal('wal.entries_gone');
    expect(await entriesOf(wal, 2, 1, 3)).to.deep.equal([]);
    expect(await entriesOf(wal, 2, next + 51)).to.deep.equal([next + 51]);
    await wal.close();
  });

  it('take again, in the same order, what a full log refused', async () => {
    const { wal } = await openLog(new MemoryDisk(), { queueBytesMax: 1_000 });
    const waiting = wal.persist([hardState(1, 1), entry(1, 1, 1_200), entry(1, 2)]);
    const batch = [hardState(1, 2), order(1, truncateKind, 1), entry(1), order(2, restartKind, 8)];
    expect((await failureOf(wal.persist(batch))).code).to.equal('wal.full');
    await waiting;
    expect((await failureOf(wal.persist([entry(2)]))).code).to.equal('wal.full');
    await wal.persist(batch);
    await wal.persist([entry(2), entry(9, 2)]);
    await wal.close();
  });

  it('are refused by a release that would not understand them', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    await wal.append([entry(1)]);
    expect(await formats(disk)).to.deep.equal([plainWalFormat]);
    await wal.persist([hardState(1, 1)]);
    const index = await fill(wal, 1, 1);
    await wal.close();
    expect(await formats(disk)).to.deep.equal([plainWalFormat, walFormat, walFormat]);
    const again = await openLog(disk);
    expect(indexesOf(again.records).at(-1)).to.equal(`2/${index - 1}`);
    await again.wal.close();
  });

  it('keep it over a damaged segment that intact ones follow', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    await wal.persist([hardState(1, 7), entry(1)]);
    await fill(wal, 1, 3);
    await wal.close();
    const bytes = disk.bytesOf(await segmentPath(disk, 2));
    bytes[5_000] = (bytes[5_000] ?? 0) ^ 1;
    const { wal: open } = await openLog(disk, { isDispensable: () => true });
    expect([...open.damaged.keys()]).to.deep.equal([2]);
    expect(open.recovery.hardState(1)).to.deep.equal(hardState(1, 7));
    await open.close();
  });

  it('do not open behind a damaged segment that may have had a newer vote', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk);
    await wal.persist([hardState(1, 7), entry(1)]);
    await fill(wal, 1, 3);
    await wal.close();
    const names = await segmentsOf(disk);
    await disk.remove(`${directory}/${names.at(-1)}`);
    const bytes = disk.bytesOf(`${directory}/${names.at(-2)}`);
    bytes[5_000] = (bytes[5_000] ?? 0) ^ 1;
    const note = await disk.open(`${directory}/${names.at(-1)}.soon`, 'create');
    await note.close();
    const { code } = await failureOf(openLog(disk, { isDispensable: () => true }));
    expect(code).to.equal('wal.corrupt');
  });
});
