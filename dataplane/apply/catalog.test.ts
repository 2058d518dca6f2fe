import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import type { Database } from '../database/database.ts';
import { killable, newFixture, next, open, put, stateOf } from '../database/testing/fixture.ts';
import type { Fixture } from '../database/testing/fixture.ts';
import type { ApplyStore, WriteTransaction } from '../kv/store.ts';
import { applyMetadata } from '../metadata/apply.ts';
import { emptyState } from '../metadata/state.ts';
import type { MetadataState } from '../metadata/state.ts';
import { newTable } from '../metadata/testing/new-table.ts';
import { hasRecords, readMetadata, writeMetadata } from './catalog.ts';

async function makeTables(database: Database, count: number): Promise<void> {
  stateOf(await database.change({ type: 'createDatabase', id: 'd', name: 'd' }));
  for (let at = 0; at < count; at += 1) {
    stateOf(await database.change({ type: 'createTable', table: newTable(`t${at}`) }));
    const index = { name: 'v', multi: false, geo: false, definition: 'v' };
    stateOf(await database.change({ type: 'createIndex', tableId: `t${at}`, index }));
  }
  while (Object.values(database.state.tables).some(({ indexes }) => indexes[0]?.ready !== true)) {
    await database.changed(AbortSignal.timeout(20_000));
  }
  await database.settled();
}

interface Work {
  puts: number;
  bytes: number;
  compiled: number;
}

/** A fixture's store that counts what is written of the metadata. */
function counted(fixture: Fixture, work: Work): ApplyStore {
  const count = (transaction: WriteTransaction): WriteTransaction =>
    new Proxy(transaction, {
      get: (target, name) => {
        if (name === 'put') {
          return (...args: Parameters<WriteTransaction['put']>): void => {
            const [database, key, value] = args;
            if (database === 'catalog' || Buffer.from(key).toString() === 'metadata') {
              work.puts += 1;
              work.bytes += value.byteLength;
            }
            target.put(...args);
          };
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  return {
    ...killable(fixture.store, () => undefined),
    write: (body) => fixture.store.write((transaction) => body(count(transaction))),
  };
}

/** What one change costs a node that has so many tables. */
async function workOfChange(tables: number): Promise<Work> {
  const fixture = newFixture();
  const work = { puts: 0, bytes: 0, compiled: 0 };
  const store = counted(fixture, work);
  const compileIndex = () => {
    work.compiled += 1;
    return () => [];
  };
  const database = await open(fixture, { store, compileIndex });
  await makeTables(database, tables);
  Object.assign(work, { puts: 0, bytes: 0, compiled: 0 });
  stateOf(await database.change({ type: 'createTable', table: newTable('one-more') }));
  const index = { name: 'v', multi: false, geo: false, definition: 'v' };
  await database.settled();
  stateOf(await database.change({ type: 'createIndex', tableId: 'one-more', index }));
  await database.stop();
  return work;
}

describe('the metadata in the store', () => {
  it('is changed by work that does not grow with the number of tables', async () => {
    const [few, many] = [await workOfChange(2), await workOfChange(60)];
    expect(few.compiled).to.equal(1);
    expect(many.compiled).to.equal(1);
    expect(many.puts).to.be.at.most(few.puts);
    expect(few.puts).to.be.within(2, 6);
    // Numbers have more digits.
    expect(many.bytes).to.be.below(few.bytes * 1.1);
  }).timeout(60_000);

  it('is there again after a restart, with what was changed and dropped', async () => {
    const fixture = newFixture();
    const first = await open(fixture);
    await makeTables(first, 5);
    stateOf(await first.change({ type: 'dropTable', id: 't1' }));
    stateOf(await first.change({ type: 'dropIndex', tableId: 't2', name: 'v' }));
    await first.settled();
    const stored = fixture.store.read(readMetadata);
    expect(stored?.tables).to.deep.equal(first.state.tables);
    await first.stop();
    const again = await open(next(fixture));
    expect(Object.keys(again.state.tables).sort()).to.deep.equal(['t0', 't2', 't3', 't4']);
    expect(again.state.tables['t2']?.indexes).to.deep.equal([]);
    await again.stop();
  });

  it('is read as it was stored in one value, and written as records by the next change', async () => {
    const fixture = newFixture();
    const first = await open(fixture);
    await makeTables(first, 3);
    const group = first.table('t0')?.shards[0];
    if (group === undefined) throw new Error('no group');
    await put(group, 'k', 'x');
    await first.stop();
    const whole = fixture.store.read(readMetadata);
    await fixture.store.write((transaction) => {
      const records = Array.from(transaction.entries('catalog', {}));
      for (const { key } of records) transaction.remove('catalog', key);
      transaction.put('meta', encodeUtf8('metadata'), encodeUtf8(JSON.stringify(whole)));
    });
    expect(fixture.store.read(hasRecords)).to.equal(false);
    const second = await open(next(fixture));
    expect(second.state).to.deep.equal(whole);
    expect(second.table('t0')?.shards[0]?.count).to.equal(1);
    stateOf(await second.change({ type: 'createTable', table: newTable('new') }));
    await second.settled();
    expect(fixture.store.read(hasRecords)).to.equal(true);
    expect(Object.keys(fixture.store.read(readMetadata)?.tables ?? {}).length).to.equal(4);
    await second.stop();
  });

  it('is not believed when the record of a table is missing', async () => {
    const { store } = newFixture();
    let state: MetadataState = emptyState;
    const commands = [
      { type: 'createDatabase', id: 'd', name: 'd' },
      { type: 'createTable', table: newTable('a') },
      { type: 'createTable', table: newTable('b') },
    ] as const;
    for (const command of commands) {
      const result = applyMetadata(state, command);
      if (result.type === 'applied') state = result.state;
    }
    await store.write((transaction) => writeMetadata(transaction, undefined, state));
    expect(store.read(readMetadata)).to.deep.equal(state);
    const [first] = store.read((view) => [...view.entries('catalog', { limit: 1 })]);
    await store.write((transaction) => transaction.remove('catalog', first?.key ?? encodeUtf8('')));
    expect(() => store.read(readMetadata)).to.throw('no list of tables');
  });
});
