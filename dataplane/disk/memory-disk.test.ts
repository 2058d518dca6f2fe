import { expect } from 'chai';
import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import { describeDisk } from './disk.compliance.ts';
import type { Disk } from './disk.ts';
import { MemoryDisk } from './memory-disk.ts';

const directory = '/data';

async function emptyDisk(capacityBytes?: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk(capacityBytes);
  await disk.makeDirectory(directory);
  return disk;
}

describeDisk('the disk in memory', async () => ({
  disk: await emptyDisk(),
  directory,
  cleanUp: async () => undefined,
}));

async function content(disk: Disk, name: string): Promise<string | undefined> {
  if (!(await disk.list(directory)).includes(name)) return undefined;
  const file = await disk.open(`${directory}/${name}`, 'read');
  return decodeUtf8(await file.read(0, await file.size()));
}

const all = (): boolean => true;
const none = (): boolean => false;

describe('the disk in memory when the power goes', () => {
  it('keeps what was synced, and of the rest whatever it likes', async () => {
    const disk = await emptyDisk();
    const file = await disk.open(`${directory}/a`, 'create');
    await file.write(0, encodeUtf8('synced'));
    await file.sync();
    await disk.syncDirectory(directory);
    await file.write(0, encodeUtf8('newest'));
    expect(await content(disk.crash(none), 'a')).to.equal('synced');
    expect(await content(disk.crash(all), 'a')).to.equal('newest');
    expect(await content(disk, 'a')).to.equal('newest');
  });

  it('keeps what was written durably, and nothing else for it', async () => {
    const disk = await emptyDisk();
    const file = await disk.open(`${directory}/a`, 'create');
    await file.write(0, encodeUtf8('.'.repeat(2_000)));
    await file.sync();
    await disk.syncDirectory(directory);
    await file.write(0, encodeUtf8('unsynced'));
    await file.writeDurably(1_024, encodeUtf8('durable'));
    const found = await content(disk.crash(none), 'a');
    expect(found?.slice(0, 8)).to.equal('........');
    expect(found?.slice(1_024, 1_032)).to.equal('durable.');
  });

  it('loses the bytes of a file by sectors, in any combination', async () => {
    const disk = await emptyDisk();
    const file = await disk.open(`${directory}/a`, 'create');
    await disk.syncDirectory(directory);
    await file.write(0, encodeUtf8('x'.repeat(1_024)));
    let turn = 0;
    const found = await content(
      disk.crash(() => (turn += 1) === 2),
      'a',
    );
    expect(found).to.equal(`${'\0'.repeat(512)}${'x'.repeat(512)}`);
  });

  it('loses a name whose directory was not synced, and brings a removed one back', async () => {
    const disk = await emptyDisk();
    const file = await disk.open(`${directory}/a`, 'create');
    await file.sync();
    expect(await content(disk.crash(none), 'a')).to.equal(undefined);
    await disk.syncDirectory(directory);
    await disk.rename(`${directory}/a`, `${directory}/b`);
    expect(await disk.crash(none).list(directory)).to.deep.equal(['a']);
    expect(await disk.crash(all).list(directory)).to.deep.equal(['b']);
    await disk.syncDirectory(directory);
    await disk.remove(`${directory}/b`);
    expect(await disk.crash(none).list(directory)).to.deep.equal(['b']);
    expect(await disk.crash(all).list(directory)).to.deep.equal([]);
  });
});

describe('the disk in memory with faults', () => {
  it('fails the operations that a fault selects, without any effect', async () => {
    const disk = await emptyDisk();
    const file = await disk.open(`${directory}/a`, 'create');
    disk.failBy((operation, path) => {
      if (operation === 'write') throw new Error(`refused: ${path}`);
    });
    const refused = await file.write(0, encodeUtf8('x')).catch((error: Error) => error.message);
    expect(refused).to.equal('refused: /data/a');
    expect(await file.size()).to.equal(0);
  });

  it('is full when its capacity is used', async () => {
    const disk = await emptyDisk(10);
    const file = await disk.open(`${directory}/a`, 'create');
    await file.write(0, encodeUtf8('12345678'));
    const full = await file
      .write(8, encodeUtf8('901'))
      .catch((error: { code: string }) => error.code);
    expect([full, await disk.freeBytes()]).to.deep.equal(['ENOSPC', 2]);
    await file.write(0, encodeUtf8('again'));
    await disk.remove(`${directory}/a`);
    expect(await disk.freeBytes()).to.equal(10);
  });
});
