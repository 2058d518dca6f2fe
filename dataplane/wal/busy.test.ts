import { expect } from 'chai';
import { noBytes } from '../common/bytes.ts';
import { MemoryDisk } from '../disk/memory-disk.ts';
import { entry, openLog } from './testing/log.ts';

/** More than twice of what is written: no room is prepared meanwhile, every operation is the log's. */
const segmentBytes = 24 * 1_048_576;
const count = 150;
const entryBytes = 65_536;

/** More waits than one batch holds: the next batch is encoded while one is being written. */
describe('a busy log', () => {
  it('writes a batch only when the sync of the one before has returned', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk, { segmentBytes });
    const steps: string[] = [];
    disk.holdBy(async (operation) => {
      steps.push(operation);
    });
    await Promise.all(
      Array.from({ length: count }, (_, at) => wal.append([entry(at + 1, 1, entryBytes)])),
    );
    const batches = steps.filter((operation) => operation === 'write').length;
    expect(batches).to.be.within(3, 6);
    expect(steps).to.deep.equal(Array.from({ length: batches }, () => ['write', 'sync']).flat());
    await wal.close();
    const { records } = await openLog(disk, { segmentBytes });
    expect(records.map((record) => record.index)).to.deep.equal(
      Array.from({ length: count }, (_, at) => at + 1),
    );
    expect(records.every(({ payload }) => payload.byteLength === entryBytes)).to.equal(true);
  }).timeout(60_000);

  it('does not keep the event loop for long with very many small records', async () => {
    const disk = new MemoryDisk();
    const { wal } = await openLog(disk, { segmentBytes });
    const many = 20_000;
    await Promise.all(
      Array.from({ length: many }, (_, at) => wal.append([{ ...entry(at + 1), payload: noBytes }])),
    );
    expect(wal.metrics()).to.include({ records: many, syncs: 3 });
    await wal.close();
    expect((await openLog(disk, { segmentBytes })).records.length).to.equal(many);
  }).timeout(60_000);

  it('when a write fails, has what was acknowledged, and leaves nobody waiting', async () => {
    for (let failing = 1; failing <= 3; failing += 1) {
      const disk = new MemoryDisk();
      const { wal } = await openLog(disk, { segmentBytes });
      let syncs = 0;
      disk.failBy((operation) => {
        if (operation !== 'sync') return;
        syncs += 1;
        if (syncs === failing) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      });
      const outcomes = await Promise.allSettled(
        Array.from({ length: count }, (_, at) => wal.append([entry(at + 1, 1, entryBytes)])),
      );
      disk.failBy(() => undefined);
      const refused = outcomes.findIndex(({ status }) => status === 'rejected');
      expect(refused).to.be.within(failing === 1 ? 0 : 1, count - 1);
      expect(outcomes.slice(refused).every(({ status }) => status === 'rejected')).to.equal(true);
      expect(await wal.failed).to.include({ code: 'wal.sync_failed' });
      await wal.close();
      const { records } = await openLog(
        disk.crash(() => false),
        { segmentBytes },
      );
      expect(records.length).to.equal(refused);
    }
  }).timeout(60_000);
});
