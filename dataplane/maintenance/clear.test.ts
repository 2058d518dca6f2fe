import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { CutStore } from '../database/testing/cut-store.ts';
import {
  cleared,
  indexesReady,
  killable,
  metaKeys,
  newFixture,
  next,
  open,
  put,
  putMany,
  scanIndex,
  stateOf,
  withIndex,
  withTable,
} from '../database/testing/fixture.ts';
import type { ApplyStore } from '../kv/store.ts';

/** Enough for several slices. */
const rowsMax = 1_600;
const rows = Array.from({ length: rowsMax }, (_, n) => [`k${n}`, `v${n % 7}`] as const);

const stored = (store: ApplyStore): number =>
  store.read((view) => [...view.entries('data', {}), ...view.entries('index', {})].length);

describe('what was dropped', () => {
  it('is removed in slices, which go on in the next process', async () => {
    const store = new CutStore();
    const fixture = newFixture();
    const database = await open(fixture, { store });
    await putMany(await withTable(database), rows);
    await withIndex(database);
    await database.settled();
    store.cutAfter(4);
    stateOf(await database.change({ type: 'dropTable', id: 't' }));
    await store.over;
    for (const left of ['visible', 'flushed'] as const) {
      const reopened = await store.reopened(left);
      if (left === 'visible') expect(stored(reopened)).to.be.within(1, 2 * rowsMax - 1);
      const again = await open(next(fixture), { store: reopened });
      await cleared(again);
      expect(stored(reopened)).to.equal(0);
      expect(metaKeys(reopened)).to.deep.equal(['applied/0', 'metadata']);
      await again.stop();
    }
  });

  it('leaves nothing of writes that were under way', async () => {
    const fixture = newFixture();
    const database = await open(fixture);
    const group = await withTable(database);
    await put(group, 'a', '1');
    const late = Array.from({ length: 20 }, (_, n) => put(group, `k${n}`, '1'));
    const dropped = database.change({ type: 'dropTable', id: 't' });
    await Promise.all([...late, dropped]);
    await put(group, 'b', '1');
    await cleared(database);
    await put(group, 'c', '1');
    await database.stop();
    expect(stored(fixture.store)).to.equal(0);
    expect(metaKeys(fixture.store)).to.deep.equal(['applied/0', 'metadata']);
    const again = await open(next(fixture));
    await again.stop();
    expect(metaKeys(fixture.store)).to.deep.equal(['applied/0', 'metadata']);
  });

  it('leaves nothing in the store that a process did not come to remove', async () => {
    const fixture = newFixture();
    const database = await open(fixture);
    await put(await withTable(database), 'a', '1');
    await withIndex(database);
    await database.stop();
    await fixture.store.write((transaction) => {
      for (const key of ['applied/9', 'statistics/9', 'build/9', 'build/2', 'other/9']) {
        transaction.put('meta', encodeUtf8(key), new Uint8Array(1));
      }
    });
    await (await open(next(fixture))).stop();
    const wanted = [
      'applied/0',
      'applied/1',
      'metadata',
      'other/9',
      'statistics/1',
      'statistics/2',
    ];
    expect(metaKeys(fixture.store)).to.deep.equal(wanted);
  });

  it('is let go of by the log, however long it is gone, and what is new is not', async () => {
    const fixture = newFixture();
    const database = await open(fixture);
    await put(await withTable(database), 'a', '1');
    stateOf(await database.change({ type: 'dropTable', id: 't' }));
    await cleared(database);
    await database.stop();
    const flushed = await fixture.log.released.promise;
    expect(flushed.get(0)).to.equal(fixture.entries.filter(({ group }) => group === 0).length);
    expect(flushed.get(1)).to.equal(Number.POSITIVE_INFINITY);
    expect(flushed.get(database.state.nextKeyspace)).to.equal(undefined);
  });

  it('is kept by the log until the store knows of the drop', async () => {
    const fixture = newFixture();
    let isHeld = false;
    const never = new Promise<never>(() => undefined);
    const store = killable(fixture.store, () => (isHeld ? never : undefined));
    const database = await open(fixture, { store });
    const group = await withTable(database);
    await put(group, 'a', '1');
    await database.settled();
    isHeld = true;
    await put(group, 'b', '1');
    stateOf(await database.change({ type: 'dropTable', id: 't' }));
    const flushed = await fixture.log.released.promise;
    expect(flushed.get(1)).to.equal(1);
    const again = await open(next(fixture));
    await cleared(again);
    expect(stored(fixture.store)).to.equal(0);
    await again.stop();
  });

  it('is replaced in one step when an index takes its name', async () => {
    const store = new CutStore();
    const fixture = newFixture();
    const database = await open(fixture, { store });
    const group = await withTable(database);
    await putMany(group, rows.slice(0, 20));
    await withIndex(database, 'v');
    const index = { name: 'w', multi: false, geo: false, definition: 'id' };
    stateOf(await database.change({ type: 'createIndex', tableId: 't', index }));
    await indexesReady(database);
    await database.settled();
    store.cutAfter(1);
    const rename = { from: 'w', to: 'v', overwrite: true };
    stateOf(await database.change({ type: 'renameIndex', tableId: 't', ...rename }));
    const ids = rows.slice(0, 20).map(([id]) => `${id}:${id}`);
    expect(await scanIndex(database)).to.deep.equal(ids.sort());
    await store.over;
    for (const left of ['visible', 'flushed'] as const) {
      const again = await open(next(fixture), { store: await store.reopened(left) });
      expect(again.state.tables['t']?.indexes.map(({ name }) => name)).to.deep.equal(['v']);
      expect(await scanIndex(again)).to.deep.equal(ids);
      await cleared(again);
      expect(await scanIndex(again)).to.deep.equal(ids);
      await again.stop();
    }
  });
});
