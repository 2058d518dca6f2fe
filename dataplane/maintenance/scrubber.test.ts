import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import type { Database } from '../database/database.ts';
import {
  cleared,
  groupOf,
  indexesReady,
  indexOf,
  newFixture,
  next,
  open,
  put,
  putMany,
  refusalOf,
  scan,
  scanIndex,
  withIndex,
  withTable,
} from '../database/testing/fixture.ts';
import type { Fixture } from '../database/testing/fixture.ts';
import type { DatabaseName } from '../kv/store.ts';
import { machineClock } from '../node/clock.ts';
import { keyspaceKey } from '../table/envelope.ts';

const names = Array.from({ length: 1_200 }, (_, n) => `k${String(n).padStart(4, '0')}`);

describe('the scrub of a database', () => {
  let fixture: Fixture;
  let database: Database;

  beforeEach(async () => {
    fixture = newFixture();
    database = await open(fixture);
    const group = await withTable(database);
    await withIndex(database);
    await putMany(
      group,
      names.map((name) => [name, `v${name}`] as const),
    );
    await database.settled();
  });

  afterEach(() => database.stop());

  /** Changes the row of a key behind everybody's back. */
  const harm = (place: DatabaseName, key: Uint8Array, value?: Uint8Array): Promise<unknown> =>
    fixture.store.write((transaction) =>
      value === undefined ? transaction.remove(place, key) : transaction.put(place, key, value),
    );

  it('finds nothing wrong while documents are written, and counts what it saw', async () => {
    const group = groupOf(database);
    const writing = Promise.all(names.map((name, at) => put(group, name, at % 3 ? 'x' : null)));
    expect(await database.scrub()).to.deep.equal([]);
    await writing;
    expect(await database.scrub()).to.deep.equal([]);
    const { rows, ...counters } = database.metrics().scrub;
    expect(rows).to.be.greaterThan(3_000);
    expect(counters).to.include({ passes: 2, damagedTables: 0, damagedIndexes: 0 });
  });

  it('takes a damaged table from its users, after a restart too, until it is dropped', async () => {
    await harm('data', keyspaceKey(1, encodeUtf8('k0700')));
    const found = await database.scrub();
    expect(found.length).to.be.greaterThan(0);
    const refusal = (): Promise<string> => refusalOf(groupOf(database), 'k0001');
    expect(await refusal()).to.match(/`d.t` is damaged.*has 1199 rows .*should have 1200/);
    await database.stop();
    database = await open(next(fixture));
    expect(await refusal()).to.match(/`d.t` is damaged/);
    expect(database.metrics().scrub.damagedTables).to.equal(0);
    await database.change({ type: 'dropTable', id: 't' });
    await cleared(database);
    expect(database.corruption.first).to.equal(undefined);
  });

  it('rebuilds an index that lacks an entry or has one too many', async () => {
    const { keyspace } = indexOf(database);
    const whole = await scanIndex(database);
    const entry = keyspaceKey(keyspace, encodeUtf8('vk0007k0007'));
    const invented = keyspaceKey(keyspace, encodeUtf8('vk0008k0007'));
    for (const [key, value] of [[entry], [invented, new Uint8Array([6, 0])]] as const) {
      const index = indexOf(database).keyspace;
      const moved = new Uint8Array(key);
      moved[3] = index;
      await harm('index', moved, value);
      expect((await database.scrub()).length).to.be.greaterThan(0);
      expect(indexOf(database).keyspace).to.be.greaterThan(index);
      await indexesReady(database);
      await cleared(database);
      expect(await database.scrub()).to.deep.equal([]);
    }
    expect(await scanIndex(database)).to.deep.equal(whole);
    expect((await scan(groupOf(database))).length).to.equal(names.length);
    expect(database.metrics().scrub).to.include({ damagedTables: 0, damagedIndexes: 2 });
  });

  it('goes on from time to time, a few minutes after the start for the first time', async () => {
    const sleeps: number[] = [];
    const passes: number[] = [];
    const clock: Clock = {
      ...machineClock,
      sleep: async (ms) => {
        if (ms > 60_000) sleeps.push(ms);
        await Promise.resolve();
        if (sleeps.length > 2) await database.stop();
        if (sleeps.length > 2) throw new Error('stopped');
      },
    };
    await database.stop();
    database = await open(next(fixture), { clock });
    const running = database.scrubAlways({
      intervalMs: 3_600_000,
      passed: (found) => passes.push(found.length),
    });
    expect((await Promise.allSettled([running]))[0].status).to.equal('rejected');
    expect(passes).to.deep.equal([0, 0]);
    expect(sleeps).to.deep.equal([300_000, 3_600_000, 3_600_000]);
    database = await open(next(fixture));
  });

  it('is not begun on a store that has rows and no list of tables', async () => {
    await database.stop();
    await harm('meta', encodeUtf8('metadata'));
    const [opened] = await Promise.allSettled([open(next(fixture))]);
    expect(opened?.status === 'rejected' && (opened.reason as Error).message).to.contain(
      'it holds data and no list of tables',
    );
    fixture = newFixture();
    database = await open(fixture);
  });

  it('counts the entries of an index that a release before did not count', async () => {
    const counted = fixture.store.read((view) => view.get('meta', encodeUtf8('statistics/2')));
    await harm('meta', encodeUtf8('statistics/2'));
    expect(await database.scrub()).to.deep.equal([]);
    const again = fixture.store.read((view) => view.get('meta', encodeUtf8('statistics/2')));
    expect(again).to.deep.equal(counted);
  });
});
