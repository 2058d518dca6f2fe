import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { storeCompliance } from '../kv/store.compliance.ts';
import { SnapshotExpiredError } from './errors.ts';
import { LmdbStore } from './lmdb-store.ts';

const key = encodeUtf8;

describe('LMDB behind the contract', () => {
  const root = mkdtempSync(join(tmpdir(), 'photondb-lmdb-'));
  let count = 0;
  const nextDirectory = (): string => join(root, String((count += 1)));

  after(() => rmSync(root, { recursive: true, force: true }));

  storeCompliance(async () => new LmdbStore({ directory: nextDirectory(), mapBytes: 1 << 26 }));

  it('finds everything again after it was closed', async () => {
    const directory = nextDirectory();
    const first = new LmdbStore({ directory, mapBytes: 1 << 26 });
    await first.write((transaction) => transaction.put('data', key('a'), key('1')));
    await first.close();
    const second = new LmdbStore({ directory, mapBytes: 1 << 26 });
    expect(second.read((view) => view.get('data', key('a')))).to.deep.equal(Buffer.from('1'));
    await second.close();
  });

  it('lets a snapshot expire, so that it cannot pin old pages for ever', async () => {
    const store = new LmdbStore({ directory: nextDirectory(), mapBytes: 1 << 26, snapshotMs: 5 });
    const snapshot = store.snapshot();
    while (!snapshot.expired) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(() => snapshot.get('data', key('a'))).to.throw(SnapshotExpiredError);
    snapshot[Symbol.dispose]();
    await store.close();
  });
});
