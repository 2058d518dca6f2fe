import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { LmdbStore } from './lmdb-store.ts';
import { machineClock } from '../node/clock.ts';

const mebibyte = 1_048_576;
const key = encodeUtf8;

describe('the storage on a full disk', () => {
  let root: string;
  let store: LmdbStore;
  let free: number;
  let stopping: AbortController;
  let waits: number[];

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'photondb-room-'));
    free = 100 * mebibyte;
    stopping = new AbortController();
    waits = [];
    store = new LmdbStore({
      clock: machineClock,
      directory: join(root, 'store'),
      freeBytes: () => free,
      waiting: (missingBytes) => waits.push(missingBytes),
      signal: stopping.signal,
    });
  });

  afterEach(async () => {
    await store.close();
    rmSync(root, { recursive: true, force: true });
  });

  const put = (name: string, bytes = 10): Promise<void> =>
    store.write((transaction) => transaction.put('data', key(name), new Uint8Array(bytes)));
  const has = (name: string): boolean =>
    store.read((view) => view.get('data', key(name))) !== undefined;

  it('waits with what it cannot write, and is read meanwhile', async () => {
    await put('before');
    free = 0;
    const written = put('after', 2 * mebibyte);
    while (waits.length === 0) await nextTurn();
    expect(waits[0]).to.be.greaterThan(2 * mebibyte);
    expect([has('before'), has('after')]).to.deep.equal([true, false]);
    free = 100 * mebibyte;
    await written;
    expect(has('after')).to.equal(true);
    expect(waits).to.have.length(2).and.to.include(0);
  });

  it('runs what only looks', async () => {
    free = 0;
    const seen = await store.write((transaction) => transaction.get('data', key('nothing')));
    expect([seen, waits.length]).to.deep.equal([undefined, 0]);
  });

  it('gives up when the process stops, and says that nothing is lost', async () => {
    free = 0;
    const written = Promise.allSettled([put('a'), put('b')]);
    while (waits.length === 0) await nextTurn();
    stopping.abort(new Error('stopping'));
    const [first, second] = await written;
    expect(first.status === 'rejected' && first.reason).to.include({ code: 'storage.no_room' });
    expect(second.status === 'rejected' && String(second.reason)).to.contain('They are in the log');
    // With room, what the log has is still brought in while the process stops.
    free = 100 * mebibyte;
    await put('c');
    expect(has('c')).to.equal(true);
  });

  it('writes in smaller commits where a large one has no room', async () => {
    free = 3 * mebibyte;
    let visible = 0;
    const seen: number[] = [];
    await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        put(`k${n}`, 100_000).then(() => {
          visible += 1;
          seen.push(store.read((view) => [...view.entries('data', {})].length));
        }),
      ),
    );
    expect(visible).to.equal(40);
    // Those of the first commit saw no more than it.
    expect(seen[0]).to.be.lessThan(30);
    expect(waits).to.deep.equal([]);
  });
});
