import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { open as openLmdb } from 'lmdb';
import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import { storeCompliance } from '../kv/store.compliance.ts';
import { MetaCorruptError, SnapshotExpiredError } from './errors.ts';
import { LmdbStore } from './lmdb-store.ts';
import { machineClock } from '../node/clock.ts';

const key = encodeUtf8;

describe('LMDB behind the contract', () => {
  const root = mkdtempSync(join(tmpdir(), 'photondb-lmdb-'));
  let count = 0;
  const nextDirectory = (): string => join(root, String((count += 1)));

  after(() => rmSync(root, { recursive: true, force: true }));

  storeCompliance(
    async () =>
      new LmdbStore({ clock: machineClock, directory: nextDirectory(), mapBytes: 1 << 26 }),
  );

  it('finds everything again after it was closed', async () => {
    const directory = nextDirectory();
    const first = new LmdbStore({ clock: machineClock, directory, mapBytes: 1 << 26 });
    await first.write((transaction) => transaction.put('data', key('a'), key('1')));
    await first.close();
    const second = new LmdbStore({ clock: machineClock, directory, mapBytes: 1 << 26 });
    expect(second.read((view) => view.get('data', key('a')))).to.deep.equal(Buffer.from('1'));
    await second.close();
  });

  it('gives the values of `meta` their checksum when it opens a directory of format 1', async () => {
    const directory = nextDirectory();
    const binary = { keyEncoding: 'binary', encoding: 'binary' } as const;
    const root = openLmdb({ path: directory, maxDbs: 8, ...binary });
    const meta = root.openDB({ name: 'meta', ...binary });
    for (const name of ['a', 'b']) await meta.put(Buffer.from(name), Buffer.from(`of ${name}`));
    await root.close();
    for (let opening = 1; opening <= 2; opening += 1) {
      const store = new LmdbStore({ clock: machineClock, directory, mapBytes: 1 << 26 });
      const found = store.read((view) => [...view.entries('meta', {})].map(({ value }) => value));
      expect(found.map((value) => decodeUtf8(value))).to.deep.equal(['of a', 'of b']);
      await store.close();
    }
  });

  it('answers no value of `meta` that is not as it was written', async () => {
    const directory = nextDirectory();
    const content = encodeUtf8('0123456789');
    const first = new LmdbStore({ clock: machineClock, directory, mapBytes: 1 << 26 });
    await first.write((transaction) => transaction.put('meta', key('applied/1'), content));
    await first.close();
    const file = join(directory, 'data.mdb');
    const bytes = readFileSync(file);
    const at = bytes.lastIndexOf(Buffer.from(content));
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const second = new LmdbStore({ clock: machineClock, directory, mapBytes: 1 << 26 });
    const read = (): unknown => second.read((view) => view.get('meta', key('applied/1')));
    expect(read).to.throw(MetaCorruptError, '`applied/1` is corrupt');
    await second.close();
  });

  it('says what of its file is in use and what is free, and who holds an old view', async () => {
    const store = new LmdbStore({
      clock: machineClock,
      directory: nextDirectory(),
      mapBytes: 1 << 26,
    });
    const names = Array.from({ length: 2_000 }, (_, n) => key(`k${n}`));
    await store.write((transaction) => {
      for (const name of names) transaction.put('data', name, new Uint8Array(1_000));
    });
    await store.flushed();
    const full = store.statistics();
    expect(full.usedBytes).to.be.within(2_000_000, full.fileBytes);
    expect(full).to.include({ fileBytesMax: 1 << 26, oldestReaderMs: 0 });
    await store.write((transaction) => {
      for (const name of names) transaction.remove('data', name);
    });
    await store.flushed();
    const empty = store.statistics();
    expect(empty.usedBytes).to.be.below(200_000);
    expect(empty.freeBytes).to.be.above(2_000_000);
    expect(empty.usedBytes + empty.freeBytes).to.be.at.most(empty.fileBytes);
    const snapshots = [store.snapshot(), store.snapshot()];
    while (store.statistics().oldestReaderMs === 0) await nextTurn();
    for (const snapshot of snapshots) snapshot[Symbol.dispose]();
    expect(store.statistics().oldestReaderMs).to.equal(0);
    await store.close();
  });

  it('lets a snapshot expire, so that it cannot pin old pages', async () => {
    const store = new LmdbStore({
      clock: machineClock,
      directory: nextDirectory(),
      mapBytes: 1 << 26,
      snapshotMs: 5,
    });
    const snapshot = store.snapshot();
    while (!snapshot.expired) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(() => snapshot.get('data', key('a'))).to.throw(SnapshotExpiredError);
    snapshot[Symbol.dispose]();
    await store.close();
  });

  it('refuses what comes after it was closed', async () => {
    const store = new LmdbStore({
      clock: machineClock,
      directory: nextDirectory(),
      mapBytes: 1 << 26,
    });
    await store.write((transaction) => transaction.put('data', encodeUtf8('k'), encodeUtf8('v')));
    await store.close();
    const [written] = await Promise.allSettled([store.write(() => undefined)]);
    expect(written).to.have.nested.property('reason.code', 'storage.unavailable');
    expect(() => store.read((view) => view.get('data', encodeUtf8('k')))).to.throw('closed');
    expect(() => store.read((view) => [...view.entries('data', {})])).to.throw('closed');
  });
});
