import { batchOf, written } from '../database/testing/edits.ts';
import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { Prng } from '../common/prng.ts';
import type { Database } from '../database/database.ts';
import { CutStore } from '../database/testing/cut-store.ts';
import {
  cleared,
  groupOf,
  indexesReady,
  metaKeys,
  newFixture,
  next,
  open,
  scan,
  signal,
  stateOf,
  withTable,
} from '../database/testing/fixture.ts';
import type { Fixture } from '../database/testing/fixture.ts';
import type { Datum } from '../datum/datum.ts';
import { encodeKey, numberOfKey } from '../datum/key.ts';
import { compileIndex } from '../query/index-function.ts';
import { ManualClock } from '../wal/testing/manual-clock.ts';
import { isDue } from '../datum/due.ts';
import { Expiry } from './expiry.ts';

const timeOf = (seconds: number): Datum => ({
  $reql_type$: 'TIME',
  epoch_time: seconds,
  timezone: '+00:00',
});

/** A database whose documents end by their field `ends`, and the time of day as the test says. */
class Ending {
  readonly clock = new ManualClock();
  readonly delayed: string[] = [];
  readonly expiry: Expiry;
  isRefused = false;
  readonly database: Database;

  constructor(database: Database) {
    this.database = database;
    this.expiry = new Expiry({
      tables: () => database.expiringTables(),
      isRefused: () => this.isRefused,
      clock: this.clock,
      delayed: (table, error) => this.delayed.push(`${table}: ${error.message}`),
    });
  }

  /** Of the day: the start of the test is second 0. */
  get seconds(): number {
    return this.clock.timeOfDayMs / 1_000;
  }

  set seconds(value: number) {
    this.clock.timeOfDayMs = value * 1_000;
  }

  static async open(fixture: Fixture, store?: CutStore): Promise<Ending> {
    const database = await open(fixture, {
      compileIndex,
      memtableBytesMax: 10_000_000,
      ...(store === undefined ? {} : { store }),
    });
    return new Ending(database);
  }

  async put(documents: Readonly<Record<string, Datum | undefined>>): Promise<void> {
    const edits = Object.entries(documents).map(([id, ends]) => ({
      key: encodeUtf8(id),
      change: written(ends === undefined ? { id } : { id, ends }),
    }));
    await groupOf(this.database).edit(batchOf(edits), signal);
  }

  /** What is there after one look at what the store has. */
  async at(seconds: number): Promise<string[]> {
    this.seconds = seconds;
    await this.database.settled();
    await this.expiry.look(signal);
    return this.ids();
  }

  async ids(): Promise<string[]> {
    const rows = await scan(groupOf(this.database));
    return rows.map((text) => (JSON.parse(text) as { id: string }).id);
  }
}

async function ending(fixture: Fixture = newFixture()): Promise<Ending> {
  const made = await Ending.open(fixture);
  await withTable(made.database, 'ends');
  await indexesReady(made.database);
  return made;
}

const setExpireAt = (field: string | undefined) =>
  ({ type: 'setExpireAt', tableId: 't', field }) as const;

describe('the expiry of documents', () => {
  it('deletes what is due, and nothing before', async () => {
    const fixture = await ending();
    await fixture.put({ a: timeOf(10), b: timeOf(10.5), c: timeOf(20) });
    expect(await fixture.at(9.999)).to.deep.equal(['a', 'b', 'c']);
    expect(await fixture.at(10)).to.deep.equal(['b', 'c']);
    expect(await fixture.at(15)).to.deep.equal(['c']);
    expect(await fixture.at(20)).to.deep.equal([]);
    expect(fixture.expiry.expired).to.equal(3);
    await fixture.database.stop();
  });

  it('leaves alone what has no time', async () => {
    const fixture = await ending();
    await fixture.put({ number: 5, text: 'now', none: undefined, null: null, list: [timeOf(1)] });
    await fixture.put({
      object: { epoch_time: 1 },
      bytes: { $reql_type$: 'BINARY', data: 'YQ==' },
    });
    expect(await fixture.at(1_000)).to.have.length(7);
    await fixture.database.stop();
  });

  it('leaves alone what was renewed, whether the store knows of it or not', async () => {
    const fixture = await ending();
    await fixture.put({ a: timeOf(10), b: timeOf(10) });
    await fixture.database.settled();
    fixture.seconds = 11;
    await fixture.put({ a: timeOf(50), b: undefined });
    // The index of the store still says that both are due.
    await fixture.expiry.look(signal);
    expect(await fixture.ids()).to.deep.equal(['a', 'b']);
    expect(await fixture.at(49)).to.deep.equal(['a', 'b']);
    expect(await fixture.at(50)).to.deep.equal(['b']);
    await fixture.database.stop();
  });

  it('deletes through the log: whoever replays it has the same', async () => {
    const fixture = newFixture();
    const first = await ending(fixture);
    await first.put({ a: timeOf(10), b: timeOf(30) });
    await first.at(20);
    const entries = fixture.entries.length;
    await first.at(21);
    expect(fixture.entries, 'nothing due, nothing written').to.have.length(entries);
    const again = await Ending.open({ ...newFixture(), entries: [...fixture.entries] });
    expect(await again.ids()).to.deep.equal(['b']);
    await first.database.stop();
  });

  it('waits until the next document is due, but no longer than a second, nor shorter than 50 ms', async () => {
    const fixture = await ending();
    const waitMs = async (seconds: number): Promise<number> => {
      fixture.seconds = seconds;
      await fixture.database.settled();
      return fixture.expiry.look(signal);
    };
    expect(await waitMs(0)).to.equal(1_000);
    await fixture.put({ a: timeOf(10), b: timeOf(10.01) });
    expect(await waitMs(5)).to.equal(1_000);
    expect(await waitMs(9.75)).to.equal(250);
    expect(await waitMs(10)).to.equal(50);
    expect(await waitMs(10.05)).to.equal(1_000);
    expect(await fixture.ids()).to.deep.equal([]);
    await fixture.database.stop();
  });

  it('runs by the clock until the signal says so', async () => {
    const fixture = await ending();
    await fixture.put({ a: timeOf(3) });
    await fixture.database.settled();
    const stop = new AbortController();
    const running = fixture.expiry.run(stop.signal).catch((error: unknown) => error);
    while ((await fixture.ids()).length > 0) {
      if (fixture.clock.sleeping > 0) {
        fixture.seconds += 1;
        fixture.clock.advance(1_000);
      } else await new Promise((resolve) => setImmediate(resolve));
    }
    expect(fixture.seconds).to.equal(3);
    const reason = new Error('over');
    stop.abort(reason);
    expect(await running).to.equal(reason);
    await fixture.database.stop();
  });

  it('only delays when the clock goes back', async () => {
    const fixture = await ending();
    await fixture.put({ a: timeOf(10) });
    expect(await fixture.at(-1_000_000)).to.deep.equal(['a']);
    expect(await fixture.at(9)).to.deep.equal(['a']);
    expect(await fixture.at(10)).to.deep.equal([]);
    await fixture.database.stop();
  });

  it('deletes nothing while deletions are refused, and says how late it is', async () => {
    const fixture = await ending();
    await fixture.put({ a: timeOf(10) });
    fixture.isRefused = true;
    expect(await fixture.at(14)).to.deep.equal(['a']);
    expect(fixture.expiry.lagMs).to.equal(4_000);
    fixture.isRefused = false;
    expect(await fixture.at(15)).to.deep.equal([]);
    expect(fixture.expiry.lagMs).to.equal(0);
    await fixture.database.stop();
  });

  it('leaves a damaged table alone, and goes on with the others', async () => {
    const fixture = await ending();
    const { database } = fixture;
    await fixture.put({ a: timeOf(1) });
    const [expiring] = database.expiringTables();
    expect(expiring?.field).to.equal('ends');
    database.corruption.groups.mark(1, { code: 'storage.corrupt', message: 'It is damaged.' });
    expect(database.expiringTables()).to.deep.equal([]);
    fixture.seconds = 5;
    const late = new Expiry({
      tables: () => (expiring === undefined ? [] : [expiring]),
      isRefused: () => false,
      clock: fixture.clock,
      delayed: (table, error) => fixture.delayed.push(`${table}: ${error.message}`),
    });
    await database.settled();
    expect(await late.look(signal)).to.equal(1_000);
    await late.look(signal);
    expect(fixture.delayed).to.have.length(1);
    expect(fixture.delayed[0]).to.contain('d.t: Table `d.t` is damaged');
    database.corruption.groups.clear(1);
    await late.look(signal);
    expect(await fixture.ids()).to.deep.equal([]);
    await database.stop();
  });

  it('takes its turns when many are due at once', async () => {
    const fixture = await ending();
    const many = Array.from({ length: 2_500 }, (_, n) => [`k${n}`, timeOf(n % 5)] as const);
    await fixture.put(Object.fromEntries(many));
    await fixture.put({ later: timeOf(10) });
    await fixture.database.settled();
    fixture.seconds = 7;
    expect(await fixture.expiry.look(signal)).to.equal(0);
    expect(fixture.expiry.expired).to.equal(2_000);
    expect(fixture.expiry.lagMs).to.equal(7_000);
    while ((await fixture.expiry.look(signal)) === 0);
    expect(fixture.expiry.expired).to.equal(2_500);
    expect(await fixture.ids()).to.deep.equal(['later']);
    await fixture.database.stop();
  });

  it('begins with the documents that are there, ends at once, and goes on by another field', async () => {
    const fixture = await Ending.open(newFixture());
    const { database } = fixture;
    await withTable(database);
    await fixture.put({ a: timeOf(10), b: timeOf(20) });
    expect(await fixture.at(15)).to.deep.equal(['a', 'b']);
    stateOf(await database.change(setExpireAt('ends')));
    await indexesReady(database);
    expect(await fixture.at(16)).to.deep.equal(['b']);
    stateOf(await database.change(setExpireAt('other')));
    expect(await fixture.at(30)).to.deep.equal(['b']);
    stateOf(await database.change(setExpireAt('ends')));
    stateOf(await database.change(setExpireAt(undefined)));
    expect(await fixture.at(30)).to.deep.equal(['b']);
    expect(database.state.tables['t']?.indexes).to.deep.equal([]);
    await cleared(database);
    await database.stop();
    expect(database.state.tables['t']).not.to.have.property('expireAt');
  });

  it('hides its index from users, who may have one of the same name', async () => {
    const fixture = await ending();
    const { database } = fixture;
    const table = database.state.tables['t'];
    expect(table === undefined ? undefined : database.indexStates(table)).to.deep.equal([]);
    const index = { name: 'ends', multi: false, geo: false, definition: '"ends"' };
    const drop = { type: 'dropIndex', tableId: 't', name: 'ends' } as const;
    expect(await database.change(drop)).to.include({ type: 'refused' });
    stateOf(await database.change({ type: 'createIndex', tableId: 't', index }));
    stateOf(await database.change(drop));
    await fixture.put({ a: timeOf(1) });
    expect(await fixture.at(2)).to.deep.equal([]);
    await database.stop();
  });

  it('loses no document that was not due, and keeps none that is, wherever a process ends', async () => {
    for (let seed = 1; seed <= 15; seed += 1) {
      const prng = new Prng(seed);
      let fixture = newFixture();
      let store = new CutStore();
      let current = await Ending.open(fixture, store);
      await withTable(current.database, 'ends');
      await indexesReady(current.database);
      const model = new Map<string, number>();
      const gone = (seconds: number): void => {
        for (const [id, ends] of model) if (ends <= seconds) model.delete(id);
      };
      for (let life = 0; life < 5; life += 1) {
        const now = life * 100;
        current.seconds = now;
        const renewed: Record<string, Datum> = {};
        for (let n = 0; n < 60; n += 1) {
          const id = `k${prng.below(80)}`;
          const ends = now + 1 + prng.below(250);
          model.set(id, ends);
          renewed[id] = timeOf(ends);
        }
        await current.put(renewed);
        store.cutAfter(prng.below(5));
        current.seconds = now + 90;
        await Promise.race([store.over, current.at(now + 90)]);
        store = await store.reopened(prng.next() < 0.5 ? 'visible' : 'flushed');
        fixture = next(fixture);
        current = await Ending.open(fixture, store);
        for (const [id, ends] of model) {
          if (ends > now + 90) expect(await current.ids(), `seed ${seed}`).to.include(id);
        }
        gone(now + 95);
        expect(await current.at(now + 95), `seed ${seed}`).to.deep.equal([...model.keys()].sort());
      }
      await current.database.stop();
      const left = ['applied/0', 'applied/1', 'metadata', 'statistics/1', 'statistics/2'];
      expect(metaKeys(store)).to.deep.equal(left);
    }
  }).timeout(20_000);
});

describe('the time of a document', () => {
  it('is read from its key as it was written', () => {
    for (const seconds of [0, 1, -1, 1_753_000_000.123, -5e9, 1e-3, 253_402_300_799.999]) {
      expect(numberOfKey(encodeKey(timeOf(seconds)))).to.equal(seconds);
    }
  });

  it('counts only when it is one', () => {
    expect(isDue({ ends: timeOf(5) }, 'ends', 5_000)).to.equal(true);
    expect(isDue({ ends: timeOf(5) }, 'ends', 4_999)).to.equal(false);
    const others: Datum[] = [null, 5, 'x', {}, { ends: 1 }, { ends: { $reql_type$: 'TIME' } }];
    for (const document of others) expect(isDue(document, 'ends', 1e15)).to.equal(false);
  });
});
