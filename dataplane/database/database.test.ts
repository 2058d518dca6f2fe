import { expect } from 'chai';
import { setImmediate as nextTurn, setImmediate as turn } from 'node:timers/promises';
import { readApplied } from '../apply/applied-position.ts';
import { encodeUtf8 } from '../common/bytes.ts';
import { Prng } from '../common/prng.ts';
import type { Datum, DatumObject } from '../datum/datum.ts';
import { MemoryStore } from '../kv/memory-store.ts';
import type { ApplyStore, ReadTransaction } from '../kv/store.ts';
import type { LogEntry } from '../replication/log.ts';
import { storedKeyBytesMax } from '../table/index-entry.ts';
import { readStatistics } from '../table/statistics.ts';
import { editAll, evaluatedOutside } from './testing/edits.ts';
import {
  groupOf,
  killable,
  newFixture,
  next,
  open,
  put,
  scan,
  scanIndex,
  signal,
  stateOf,
  withIndex,
  withTable,
} from './testing/fixture.ts';

describe('the database of a node', () => {
  it('reads what was written, before and after the store has it, and after a restart', async () => {
    const fixture = newFixture();
    const database = await open(fixture);
    const group = await withTable(database);
    await put(group, 'a', '1');
    expect((await group.get(encodeUtf8('a')))?.text).to.equal('{"id":"a","v":"1"}');
    await database.stop();
    const again = await open(fixture);
    expect((await groupOf(again).get(encodeUtf8('a')))?.text).to.equal('{"id":"a","v":"1"}');
    expect(groupOf(again).count).to.equal(1);
  });

  it('replays what only the log has', async () => {
    const fixture = newFixture();
    const first = await open(fixture);
    const group = await withTable(first);
    await Promise.all(Array.from({ length: 50 }, (_, n) => put(group, `k${n}`, String(n))));
    await put(group, 'k7', null);
    await first.stop();
    const again = await open({ ...fixture, store: new MemoryStore() });
    expect(groupOf(again).count).to.equal(49);
    expect((await scan(groupOf(again))).length).to.equal(49);
  });

  it('serves what was replayed before the store has it', async () => {
    const fixture = newFixture();
    const never = new Promise<never>(() => undefined);
    const first = await open(fixture);
    await withTable(first);
    await withIndex(first);
    for (const key of ['a', 'b', 'c']) await put(groupOf(first), key, 'old');
    await first.stop();
    const holding = { store: killable(fixture.store, () => never) };
    const second = groupOf(await open(fixture, holding));
    await put(second, 'a', 'new');
    await put(second, 'b', null);
    await put(second, 'd', 'new');
    const database = await open(fixture, holding);
    const third = groupOf(database);
    expect((await third.get(encodeUtf8('a')))?.text).to.equal('{"id":"a","v":"new"}');
    expect(await third.get(encodeUtf8('b'))).to.equal(undefined);
    expect(third.count).to.equal(3);
    expect(await scanIndex(database)).to.deep.equal(['new:a', 'new:d', 'old:c']);
    await put(third, 'a', 'newest');
    expect((await scan(third)).length).to.equal(3);
    const whole = await open(fixture);
    await whole.settled();
    expect(await scanIndex(whole)).to.deep.equal(['new:d', 'newest:a', 'old:c']);
    expect(groupOf(whole).count).to.equal(3);
    expect(whole.metrics().memtableBytes).to.equal(0);
  });

  it('counts nothing twice that the store shows already', async () => {
    const fixture = newFixture();
    const first = await open(fixture);
    await withTable(first);
    await first.stop();
    const never = new Promise<never>(() => undefined);
    const behind = groupOf(await open(fixture, { store: killable(fixture.store, () => never) }));
    for (const key of ['a', 'b', 'c']) await put(behind, key, '1');
    // The commit with the first of them is there to see, and has not been answered.
    const [seen, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const store: ApplyStore = {
      ...killable(fixture.store, () => undefined),
      async write(body) {
        const answer = await fixture.store.write(body);
        seen.resolve();
        await answered.promise;
        return answer;
      },
    };
    const database = await open(fixture, { store, replayed: () => seen.promise });
    expect(fixture.store.read((view) => readApplied(view, 1))).to.equal(1);
    expect(groupOf(database).count).to.equal(3);
    answered.resolve();
    await database.settled();
    expect(groupOf(database).count).to.equal(3);
    expect((await scan(groupOf(database))).length).to.equal(3);
  });

  it('forgets nothing of a dropped table before the store knows of the drop', async () => {
    const fixture = newFixture();
    const first = await open(fixture);
    const group = await withTable(first);
    for (const key of ['a', 'b', 'c']) await put(group, key, '1');
    await first.stop();
    // The log keeps the last of the three beside the drop, and has let the others go.
    const kept = fixture.entries.slice(-1);
    const never = new Promise<never>(() => undefined);
    const dropping = await open(fixture, { store: killable(fixture.store, () => never) });
    stateOf(await dropping.change({ type: 'dropTable', id: 't' }));
    const entries = [...kept, ...fixture.entries.slice(-1)];
    const secondWrite = Promise.withResolvers<void>();
    let writes = 0;
    const store = killable(fixture.store, () => {
      writes += 1;
      if (writes < 2) return undefined;
      secondWrite.resolve();
      return never;
    });
    await Promise.race([open({ ...fixture, entries }, { store }), secondWrite.promise]);
    expect((await open({ ...fixture, entries })).table('t')).to.equal(undefined);
  });

  it('keeps the entries of a dropped table while the store may not know that it was dropped', async () => {
    const fixture = newFixture();
    const told = Promise.withResolvers<void>();
    const written = Promise.withResolvers<void>();
    let isSilent = false;
    const store: ApplyStore = {
      ...killable(fixture.store, () => undefined),
      // Shown, all at once, and not told yet.
      write: async (body) => {
        if (isSilent) await written.promise;
        const answer = await fixture.store.write(body);
        if (isSilent) await told.promise;
        return answer;
      },
    };
    const database = await open(fixture, { store });
    isSilent = true;
    await put(await withTable(database), 'a', '1');
    written.resolve();
    const settled = database.settled();
    while (fixture.store.read((view) => readApplied(view, 1)) === 0) await turn();
    stateOf(await database.change({ type: 'dropTable', id: 't' }));
    await database.checkpoint();
    const flushed = await fixture.log.released.promise;
    expect(flushed.get(1)).to.equal(undefined);
    told.resolve();
    await settled;
    await database.stop();
    const [last] = fixture.log.releases.slice(-1);
    expect(last?.get(1)).to.equal(Number.POSITIVE_INFINITY);
  });

  it('loses none of the concurrent edits of one key, whoever evaluates them', async () => {
    const database = await open(newFixture());
    const group = await withTable(database);
    const increment = async (slow: boolean): Promise<void> => {
      const key = encodeUtf8('n');
      const evaluate = (old: Datum): Datum => ({
        id: 'n',
        v: Number((old as DatumObject | null)?.['v'] ?? 0) + 1,
      });
      const later = async (old: Datum): Promise<Datum> => {
        await nextTurn();
        return evaluate(old);
      };
      if (slow) await evaluatedOutside(group, key, later);
      else await editAll(group, [{ key, evaluate }], 'hard', signal);
    };
    await Promise.all(Array.from({ length: 40 }, (_, n) => increment(n % 3 === 0)));
    expect((await group.get(encodeUtf8('n')))?.text).to.equal('{"id":"n","v":40}');
  });

  it('answers what a refused edit threw, and leaves the key alone', async () => {
    const database = await open(newFixture());
    const group = await withTable(database);
    await put(group, 'a', '1');
    const refuse = (): Datum => {
      throw new Error('no');
    };
    const [outcome] = await editAll(
      group,
      [{ key: encodeUtf8('a'), evaluate: refuse }],
      'hard',
      signal,
    );
    expect(outcome?.error?.message).to.equal('no');
    expect(outcome?.new).to.deep.equal({ id: 'a', v: '1' });
  });

  it('writes nothing to the log for an edit that changes nothing', async () => {
    const fixture = newFixture();
    const group = await withTable(await open(fixture));
    await put(group, 'a', '1');
    const before = fixture.entries.length;
    await put(group, 'a', '1');
    await editAll(group, [{ key: encodeUtf8('a'), evaluate: (old) => old }], 'hard', signal);
    expect(fixture.entries.length).to.equal(before);
  });

  it('lets a soft write be read at once', async () => {
    const database = await open(newFixture());
    const group = await withTable(database);
    await put(group, 'a', '1', 'soft');
    expect((await group.get(encodeUtf8('a')))?.text).to.contain('"1"');
    await group.sync();
  });

  it('keeps an index true through inserts, updates, deletions and its own building', async () => {
    const fixture = newFixture();
    const database = await open(fixture);
    const group = await withTable(database);
    await Promise.all(Array.from({ length: 30 }, (_, n) => put(group, `k${n}`, `v${n % 5}`)));
    await withIndex(database);
    await put(group, 'k0', 'w');
    await put(group, 'k1', null);
    const wanted = Array.from({ length: 30 }, (_, n) => `v${n % 5}:k${n}`).filter(
      (entry) => !entry.endsWith(':k0') && !entry.endsWith(':k1'),
    );
    wanted.push('w:k0');
    expect(await scanIndex(database)).to.deep.equal(wanted.sort());
    expect(await scanIndex(database, {}, 'descending')).to.deep.equal(wanted.toReversed());
    const range = { start: encodeUtf8('v3'), end: encodeUtf8('v4') };
    expect((await scanIndex(database, range)).length).to.equal(6);
    await database.stop();
    const again = await open(fixture);
    expect(await scanIndex(again)).to.deep.equal(wanted);
  });

  it('has a true index when a process ends while the store is behind the build', async () => {
    const fixture = newFixture();
    let isKilled = false;
    const never = new Promise<never>(() => undefined);
    const database = await open(fixture, {
      store: killable(fixture.store, () => (isKilled ? never : undefined)),
    });
    const group = await withTable(database);
    for (const key of ['a', 'b', 'c']) await put(group, key, 'old');
    await database.settled();
    // Committed, and not in the store when the index is made.
    await put(group, 'a', 'new');
    await put(group, 'b', null);
    await withIndex(database);
    isKilled = true;
    // The store takes up each entry before the next one is read.
    const taken = Promise.withResolvers<void>();
    const store = killable(fixture.store, () => taken.resolve());
    const again = await open(fixture, { store, replayed: () => taken.promise });
    expect(await scanIndex(again)).to.deep.equal(['new:a', 'old:c']);
  });

  it('finds documents by index keys that are too long for the store', async () => {
    const database = await open(newFixture());
    const group = await withTable(database);
    await withIndex(database);
    const long = 'x'.repeat(storedKeyBytesMax * 2);
    await put(group, 'a', `${long}a`);
    await put(group, 'b', `${long}b`);
    const range = { start: encodeUtf8(`${long}b`), end: encodeUtf8(`${long}c`) };
    expect(await scanIndex(database, range)).to.deep.equal([`${long}b:b`]);
  });

  it('removes the rows of a dropped table, and everything that counted them', async () => {
    const fixture = newFixture();
    const database = await open(fixture);
    const group = await withTable(database);
    await withIndex(database);
    await Promise.all(Array.from({ length: 20 }, (_, n) => put(group, `k${n}`, `v${n}`)));
    stateOf(await database.change({ type: 'dropTable', id: 't' }));
    expect(database.table('t')?.shards[0]).to.equal(undefined);
    while (database.state.garbage.length > 0) await database.changed(AbortSignal.timeout(5_000));
    await database.stop();
    const left = (view: ReadTransaction): number =>
      [...view.entries('data', {}), ...view.entries('index', {})].length;
    expect(fixture.store.read(left)).to.equal(0);
  });

  it('removes the entries of an index that was dropped while it was built', async () => {
    const fixture = newFixture();
    const database = await open(fixture);
    const group = await withTable(database);
    await Promise.all(Array.from({ length: 20 }, (_, n) => put(group, `k${n}`, `v${n}`)));
    const index = { name: 'v', multi: false, geo: false, definition: 'v' };
    const made = database.change({ type: 'createIndex', tableId: 't', index });
    const dropped = database.change({ type: 'dropIndex', tableId: 't', name: 'v' });
    await Promise.all([made, dropped]);
    while (database.state.garbage.length > 0) await database.changed(AbortSignal.timeout(5_000));
    expect(fixture.store.read((view) => [...view.entries('index', {})])).to.deep.equal([]);
  });

  it('makes writers wait while the store is behind, and lets a signal end the wait', async () => {
    const database = await open(newFixture());
    const group = await withTable(database);
    const big = 'x'.repeat(60_000);
    const writes = Array.from({ length: 12 }, (_, n) => put(group, `k${n}`, big));
    await Promise.all(writes);
    expect(group.count).to.equal(12);
    expect(database.metrics().memtableBytes).to.be.lessThan(1_000_000);
  });

  it('reports a failure of the log as fatal', async () => {
    const fixture = newFixture();
    const database = await open(fixture);
    const group = await withTable(database);
    fixture.log.broken = new Error('input/output error');
    const [outcome] = await Promise.allSettled([put(group, 'a', '1')]);
    expect(outcome?.status).to.equal('rejected');
    fixture.log.fail(fixture.log.broken);
    expect((await database.failed).message).to.equal('input/output error');
  });

  it('applies nothing behind an entry that a commit of the store has lost', async () => {
    const fixture = newFixture();
    let failures = 0;
    const store: ApplyStore = {
      ...killable(fixture.store, () => undefined),
      write: (body) => {
        if (failures === 0) return fixture.store.write(body);
        failures -= 1;
        // Its body has run, as in a commit that the medium refuses.
        return fixture.store.write((transaction) => {
          body(transaction);
          throw new Error('input/output error');
        });
      },
    };
    const database = await open(fixture, { store });
    const group = await withTable(database);
    await database.settled();
    const before = store.read((view) => readApplied(view, 1));
    failures = 1;
    // More than one slice: those behind the first one would be committed.
    await Promise.all(Array.from({ length: 300 }, (_, at) => put(group, `k${at}`, '1')));
    const [settled] = await Promise.allSettled([database.settled()]);
    expect(settled.status).to.equal('rejected');
    expect((await database.failed).message).to.equal('input/output error');
    await put(group, 'later', '1');
    expect(store.read((view) => readApplied(view, 1))).to.equal(before);
    const [stopped, checkpoint] = await Promise.allSettled([
      database.stop(),
      database.checkpoint(),
    ]);
    expect([stopped.status, checkpoint.status]).to.deep.equal(['rejected', 'rejected']);
    expect((await scan(groupOf(await open(next(fixture))))).length).to.equal(301);
  });

  it('reports a failed commit of the store as fatal', async () => {
    const fixture = newFixture();
    let isBroken = false;
    const broken = (): Promise<never> => Promise.reject(new Error('input/output error'));
    const store = killable(fixture.store, () => (isBroken ? broken() : undefined));
    const database = await open(fixture, { store });
    const group = await withTable(database);
    await database.settled();
    isBroken = true;
    await put(group, 'a', '1');
    expect((await database.failed).message).to.equal('input/output error');
    // The log has it.
    isBroken = false;
    expect((await scan(groupOf(await open(fixture)))).length).to.equal(1);
  });

  it('keeps the log when a flush of the store fails', async () => {
    const fixture = newFixture();
    const broken = (): Promise<never> => Promise.reject(new Error('input/output error'));
    const store = { ...killable(fixture.store, () => undefined), flushed: broken };
    const database = await open(fixture, { store });
    await withTable(database);
    const [checkpoint] = await Promise.allSettled([database.checkpoint()]);
    expect(checkpoint?.status).to.equal('rejected');
    // On its own, too, and then the node ends.
    expect((await database.failed).message).to.equal('input/output error');
    expect(fixture.log.releases).to.deep.equal([]);
  });

  it('refuses a log that does not go on where the store stands', async () => {
    const fixture = newFixture();
    const database = await open(fixture);
    const group = await withTable(database);
    for (const key of ['a', 'b', 'c']) await put(group, key, '1');
    await database.stop();

    const ofTable = fixture.entries.filter((entry) => entry.group !== 0);
    const refusal = async (entries: LogEntry[], store = fixture.store): Promise<string> => {
      const [opened] = await Promise.allSettled([open({ ...fixture, store, entries })]);
      return opened?.status === 'rejected' ? (opened.reason as Error).message : 'not refused';
    };
    const shorter = fixture.entries.filter((entry) => entry !== ofTable[2]);
    expect(await refusal(shorter)).to.contain('the store has applied 3');
    const holed = fixture.entries.filter((entry) => entry !== ofTable[1]);
    expect(await refusal(holed, new MemoryStore())).to.contain('entries between them are missing');
    expect(await refusal(fixture.entries)).to.equal('not refused');
    expect(await refusal([])).to.equal('not refused'); // All of it was let go.
    const older = fixture.entries.filter(({ group: of }) => of !== 0);
    expect(await refusal(older, new MemoryStore())).to.contain('it is older than the log');
  });

  it('agrees with a model through random edits and restarts at any moment', async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const prng = new Prng(seed);
      const model = new Map<string, string>();
      let fixture = newFixture();
      let database = await open(fixture);
      await withTable(database);
      await withIndex(database);
      for (let round = 0; round < 5; round += 1) {
        const group = groupOf(database);
        const writes = Array.from({ length: 40 }, () => {
          const key = `k${prng.below(25)}`;
          const value = prng.next() < 0.3 ? null : `v${prng.below(9)}`;
          if (value === null) model.delete(key);
          else model.set(key, value);
          return put(group, key, value, prng.next() < 0.5 ? 'soft' : 'hard');
        });
        await Promise.all(writes);
        const rows = [...model].map(([id, v]) => JSON.stringify({ id, v })).sort();
        expect(await scan(group), `seed ${seed}`).to.deep.equal(rows);
        expect(await scan(group, 'descending'), `seed ${seed}`).to.deep.equal(rows.toReversed());
        const entries = [...model].map(([id, v]) => `${v}:${id}`).sort();
        expect(await scanIndex(database), `seed ${seed}`).to.deep.equal(entries);
        expect(group.count, `seed ${seed}`).to.equal(model.size);
        await group.sync();
        // Half of the restarts are clean; the others begin from the log alone.
        if (prng.next() < 0.5) await database.stop();
        else fixture = { ...newFixture(), entries: [...fixture.entries] };
        database = await open(fixture);
      }
      await database.stop();
      const { count } = fixture.store.read((view) => readStatistics(view, 1));
      expect(count, `seed ${seed}`).to.equal(model.size);
    }
  });
});
