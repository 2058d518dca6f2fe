import { expect } from 'chai';
import { setImmediate as turn } from 'node:timers/promises';
import { encodeUtf8, toHex } from '../common/bytes.ts';
import { Prng } from '../common/prng.ts';
import type { Database } from '../database/database.ts';
import { CutStore } from '../database/testing/cut-store.ts';
import {
  cleared,
  groupOf,
  indexOf,
  indexesReady,
  metaKeys,
  newFixture,
  next,
  open,
  put,
  putMany,
  stateOf,
  withTable,
} from '../database/testing/fixture.ts';
import type { Fixture } from '../database/testing/fixture.ts';
import type { ApplyStore } from '../kv/store.ts';
import { indexEntryKey } from '../table/index-entry.ts';
import { readProgress } from './index-build.ts';

/** Enough for several slices. */
const rowsMax = 1_600;
const createIndex = {
  type: 'createIndex',
  tableId: 't',
  index: { name: 'v', multi: false, geo: false, definition: 'v' },
} as const;

const keyOf = (n: number): string => `k${String(n).padStart(5, '0')}`;

const indexEntries = (store: ApplyStore): string[] =>
  store.read((view) => [...view.entries('index', {})]).map(({ key }) => toHex(key));

/** What the index of these documents must be. */
const computed = (model: ReadonlyMap<string, string>, keyspace: number): string[] =>
  [...model]
    .map(([key, v]) => toHex(indexEntryKey(keyspace, encodeUtf8(v), encodeUtf8(key))))
    .sort();

const progressOf = (database: Database): number => {
  const table = database.state.tables['t'];
  return table === undefined ? -1 : (database.indexStates(table)[0]?.progress ?? -1);
};

async function filled(store: ApplyStore, rows: number): Promise<[Fixture, Database]> {
  const fixture = newFixture();
  const database = await open(fixture, { store });
  const group = await withTable(database);
  await putMany(
    group,
    Array.from({ length: rows }, (_, n) => [keyOf(n), `v${n % 7}`] as const),
  );
  await database.settled();
  return [fixture, database];
}

describe('the build of an index', () => {
  it('goes on behind the last slice when the process ended in the middle', async () => {
    const store = new CutStore();
    const [fixture, database] = await filled(store, rowsMax);
    store.cutAfter(3);
    stateOf(await database.change(createIndex));
    await store.over;
    const left = await store.reopened('visible');
    const keyspace = indexOf(database).keyspace;
    const before = left.read((view) => readProgress(view, keyspace));
    expect(before?.rows).to.be.within(1, rowsMax - 1);
    let visited = 0;
    const again = await open(next(fixture), { store: left, visited: () => (visited += 1) });
    await indexesReady(again);
    expect(visited).to.equal(rowsMax - (before?.rows ?? 0));
    expect(indexEntries(left)).to.have.length(rowsMax);
    await again.stop();
  });

  it('shows a progress that never falls, and 1 only at the end; nothing of it is left', async () => {
    const store = new CutStore();
    const [fixture, database] = await filled(store, rowsMax * 4);
    stateOf(await database.change(createIndex));
    const seen: number[] = [];
    const group = groupOf(database);
    for (let n = 0; !indexOf(database).ready; n += 1) {
      // The table grows meanwhile.
      await putMany(group, [[keyOf(10_000 + n), 'w']]);
      seen.push(progressOf(database));
    }
    expect(seen.slice(0, -1).every((share) => share < 1)).to.equal(true);
    expect(seen).to.deep.equal(seen.toSorted((a, b) => a - b));
    expect(new Set(seen).size).to.be.greaterThan(2);
    const { keyspace } = indexOf(database);
    await database.stop();
    expect(store.read((view) => view.get('meta', encodeUtf8(`build/${keyspace}`)))).to.equal(
      undefined,
    );
    expect(fixture.entries.length).to.be.greaterThan(0);
  });

  it('restarts when its progress is of another release', async () => {
    const store = new CutStore();
    const [fixture, database] = await filled(store, rowsMax);
    store.cutAfter(3);
    stateOf(await database.change(createIndex));
    await store.over;
    const left = await store.reopened('visible');
    await left.write((transaction) => {
      const key = encodeUtf8(`build/${indexOf(database).keyspace}`);
      const value = transaction.get('meta', key) ?? new Uint8Array();
      value[0] = 0xff;
      transaction.put('meta', key, value);
    });
    const again = await open(next(fixture), { store: left });
    await indexesReady(again);
    expect(indexEntries(left)).to.have.length(rowsMax);
    await again.stop();
  });

  it('ends when the index is dropped, and leaves nothing', async () => {
    const store = new CutStore();
    const [, database] = await filled(store, rowsMax);
    stateOf(await database.change(createIndex));
    while (progressOf(database) === 0) await turn();
    stateOf(await database.change({ type: 'dropIndex', tableId: 't', name: 'v' }));
    await cleared(database);
    expect(indexEntries(store)).to.deep.equal([]);
    expect(metaKeys(store)).to.deep.equal(['applied/0', 'applied/1', 'metadata', 'statistics/1']);
    await database.stop();
  });

  it('is repeated beside an index whose entries cannot be trusted', async () => {
    const store = new CutStore();
    const [, database] = await filled(store, 20);
    stateOf(await database.change(createIndex));
    await indexesReady(database);
    const { keyspace } = indexOf(database);
    const [lost = new Uint8Array()] = store.read((view) =>
      [...view.entries('index', {})].map(({ key }) => key),
    );
    await store.write((transaction) => transaction.remove('index', lost));
    stateOf(await database.rebuildIndex('t', keyspace));
    expect(indexOf(database).ready).to.equal(false);
    expect(await database.rebuildIndex('t', keyspace)).to.include({ type: 'refused' });
    await indexesReady(database);
    await cleared(database);
    const entries = Array.from({ length: 20 }, (_, n) => [keyOf(n), `v${n % 7}`] as const);
    expect(indexEntries(store)).to.deep.equal(
      computed(new Map(entries), indexOf(database).keyspace),
    );
    await database.stop();
  });

  it('gives what a fresh computation gives, whatever is edited and wherever it crashes', async () => {
    let cuts = 0;
    for (let seed = 1; seed <= 20; seed += 1) {
      const prng = new Prng(seed);
      let store = new CutStore();
      let [fixture, database] = await filled(store, rowsMax);
      const model = new Map<string, string>();
      for (let n = 0; n < rowsMax; n += 1) model.set(keyOf(n), `v${n % 7}`);
      const edit = (): Promise<unknown> => {
        const key = keyOf(prng.below(rowsMax * 1.1));
        const value = prng.next() < 0.3 ? null : `v${prng.below(9)}`;
        if (value === null) model.delete(key);
        else model.set(key, value);
        return put(groupOf(database), key, value, prng.next() < 0.5 ? 'soft' : 'hard');
      };
      // Some are committed, and not in the store when the index is made.
      await Promise.all(Array.from({ length: 20 }, edit));
      stateOf(await database.change(createIndex));
      for (let life = 0; life < 4; life += 1) {
        store.cutAfter(1 + prng.below(6));
        await Promise.all(Array.from({ length: 30 }, edit));
        await groupOf(database).sync();
        await Promise.race([store.over, indexesReady(database)]);
        const progress = progressOf(database);
        if (progress > 0 && progress < 1) cuts += 1;
        store = await store.reopened(prng.next() < 0.5 ? 'visible' : 'flushed');
        fixture = next(fixture);
        database = await open(fixture, { store });
      }
      await Promise.all(Array.from({ length: 30 }, edit));
      await indexesReady(database);
      await database.stop();
      const { keyspace } = indexOf(database);
      expect(indexEntries(store), `seed ${seed}`).to.deep.equal(computed(model, keyspace));
    }
    expect(cuts).to.be.greaterThan(20);
  }).timeout(30_000);
});
