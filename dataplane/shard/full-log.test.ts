import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { Prng } from '../common/prng.ts';
import type { Database } from '../database/database.ts';
import { editAll, evaluatedOutside } from '../database/testing/edits.ts';
import type { ScriptedOutcome } from '../database/testing/edits.ts';
import {
  change,
  createTable,
  groupOf,
  keysOf,
  openOver,
  put,
  signal,
} from '../database/testing/over-log.ts';
import type { Datum } from '../datum/datum.ts';
import { MemoryDisk } from '../disk/memory-disk.ts';
import { MemoryStore } from '../kv/memory-store.ts';
import { failureOf, segmentBytes } from '../wal/testing/log.ts';
import { ManualClock } from '../wal/testing/manual-clock.ts';
import type { EditOutcome } from '../wire/table-edit.ts';
import type { ShardReplica } from './shard-replica.ts';

interface Fixture {
  readonly disk: MemoryDisk;
  readonly store: MemoryStore;
  readonly clock: ManualClock;
  readonly database: Database;
  readonly group: ShardReplica;
}

const path = '/other/ballast';

/** A disk with room for one segment, and for a second one when the ballast is gone. */
async function open(): Promise<Fixture> {
  const disk = new MemoryDisk(2 * segmentBytes);
  await disk.makeDirectory('/other');
  await (await disk.open(path, 'create')).write(0, new Uint8Array(segmentBytes / 2));
  const [store, clock] = [new MemoryStore(), new ManualClock()];
  const database = await openOver({ disk, store, clock });
  await change(database, { type: 'createDatabase', id: 'd', name: 'd' });
  return { disk, store, clock, database, group: await createTable(database, 't') };
}

/** Writes until it is refused, in rounds of writers side by side; answers the keys that were acknowledged. */
async function fill({ group }: Fixture): Promise<string[]> {
  const written: string[] = [];
  for (let round = 0; round < 200; round += 1) {
    const keys = Array.from({ length: 8 }, (_, at) => `${String(round).padStart(4, '0')}/${at}`);
    const outcomes = await Promise.allSettled(keys.map((key) => put(group, key)));
    written.push(...keys.filter((_, at) => outcomes[at]?.status === 'fulfilled'));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    if (refused.length === 0) continue;
    for (const { reason } of refused) expect(reason).to.include({ code: 'wal.disk_full' });
    return written;
  }
  throw new Error('the disk never became full');
}

async function makeRoom({ disk, clock }: Fixture): Promise<void> {
  await disk.remove(path);
  clock.advance(1_000);
}

/** What is there is what was acknowledged, now and after a restart from the log alone. */
async function expectKeys(fixture: Fixture, keys: readonly string[]): Promise<void> {
  const wanted = [...keys].sort();
  expect(await keysOf(fixture.group)).to.deep.equal(wanted);
  expect(fixture.group.count).to.equal(wanted.length);
  const again = await openOver({ disk: fixture.disk.crash(() => true) });
  expect(await keysOf(groupOf(again, 't'))).to.deep.equal(wanted);
  await again.stop();
}

describe('a table whose log has no room', () => {
  it('refuses writes, serves reads, and resumes when there is space', async () => {
    const fixture = await open();
    const written = await fill(fixture);
    expect(written.length).to.be.greaterThan(20);
    expect((await failureOf(put(fixture.group, 'no'))).code).to.equal('wal.disk_full');
    const create = createTable(fixture.database, 'other');
    expect((await failureOf(create)).code).to.equal('wal.disk_full');
    expect(await keysOf(fixture.group)).to.deep.equal([...written].sort());
    await makeRoom(fixture);
    await put(fixture.group, 'yes');
    await put(await createTable(fixture.database, 'other'), 'yes');
    await expectKeys(fixture, [...written, 'yes']);
    await fixture.database.stop();
  });

  it('builds nothing on what was refused', async () => {
    const fixture = await open();
    const { group } = fixture;
    const increment = (): Promise<unknown> =>
      editAll(group, [{ key: encodeUtf8('n'), evaluate: plusOne }], 'hard', signal);
    let acknowledged = 0;
    for (let isFull = false; !isFull;) {
      const outcomes = await Promise.allSettled(Array.from({ length: 9 }, increment));
      acknowledged += outcomes.filter(({ status }) => status === 'fulfilled').length;
      isFull = outcomes.some(({ status }) => status === 'rejected');
    }
    await makeRoom(fixture);
    await increment();
    const row = await group.get(encodeUtf8('n'));
    expect(row?.text).to.equal(JSON.stringify({ id: 'n', n: acknowledged + 1 }));
    await fixture.database.stop();
  });

  it('forgets an edit that was evaluated on a document that was refused', async () => {
    const fixture = await open();
    const { group } = fixture;
    const filler = 'x'.repeat(2_000);
    let first: PromiseSettledResult<unknown> | undefined;
    let rounds = 0;
    const waits = Promise.withResolvers<void>();
    const built: string[] = [];
    let late: Promise<EditOutcome> | undefined;
    for (; first?.status !== 'rejected'; rounds += 1) {
      const round = rounds;
      const key = encodeUtf8(`k${round}`);
      const written = editAll(group, [{ key, evaluate: () => ({ filler }) }], 'hard', signal);
      late = evaluatedOutside(group, key, async (old) => {
        built.push(`${round} on ${old === null ? 'nothing' : 'its document'}`);
        await waits.promise;
        return { built: old };
      });
      [first] = await Promise.allSettled([written]);
    }
    await makeRoom(fixture);
    waits.resolve();
    // The index of the refused document is given out again, to what is written now.
    expect(await late).to.deep.include({ result: 'inserted', new: '{"built":null}' });
    const last = rounds - 1;
    expect(built.slice(-1)).to.deep.equal([`${last} on nothing`]);
    expect(built).to.include(`${last} on its document`);
    await put(group, 'next');
    expect((await keysOf(group)).at(-1)).to.equal('next');
    await fixture.database.stop();
  });

  it('lets readers behind soft writes go on without those that were refused', async () => {
    const fixture = await open();
    const written = await fill(fixture);
    await makeRoom(fixture);
    const soft = Array.from({ length: 400 }, (_, at) => `soft/${at}`);
    for (const key of soft) {
      const edit = { key: encodeUtf8(key), evaluate: (): Datum => ({ id: key }) };
      await editAll(fixture.group, [edit], 'soft', signal).catch(() => undefined);
    }
    const found = await keysOf(fixture.group);
    expect(found.filter((key) => !key.startsWith('soft'))).to.deep.equal([...written].sort());
    expect(found.length).to.be.within(written.length + 1, written.length + soft.length - 1);
    await expectKeys(fixture, found);
    await fixture.database.stop();
  });
});

/** A log that refuses most of what comes at once, and edits of several commands. */
const scarce = {
  queueBytesMax: 4_096,
  commandBytesMax: 1_024,
  memtableBytesMax: 131_072,
  surprise: new Prng(1),
};
const large = 'x'.repeat(5_000);

async function openScarce(options: object = {}): Promise<Omit<Fixture, 'clock'>> {
  const [disk, store] = [new MemoryDisk(), new MemoryStore()];
  const database = await openOver({ disk, store, ...scarce, ...options });
  await change(database, { type: 'createDatabase', id: 'd', name: 'd' });
  return { disk, store, database, group: await createTable(database, 't') };
}

const putLarge = (
  group: ShardReplica,
  keys: readonly string[],
  durability: 'hard' | 'soft' = 'hard',
): Promise<ScriptedOutcome[]> => {
  const edits = keys.map((id) => ({
    key: encodeUtf8(id),
    evaluate: (): Datum => ({ id, large: large.slice(0, 300 + (id.length % 7) * 100) }),
  }));
  return editAll(group, edits, durability, signal);
};

/** Keys whose edits were acknowledged, and refused; everything else that an edit can come to fails. */
async function judged(
  writes: readonly {
    readonly keys: readonly string[];
    readonly edit: Promise<ScriptedOutcome[]>;
  }[],
): Promise<{ readonly acknowledged: string[]; readonly refused: string[] }> {
  const found = { acknowledged: [] as string[], refused: [] as string[] };
  const edits = await Promise.allSettled(writes.map(({ edit }) => edit));
  for (const [at, settled] of edits.entries()) {
    const keys = writes[at]?.keys ?? [];
    if (settled.status === 'rejected') expect(settled.reason).to.include({ code: 'wal.full' });
    for (const [place, key] of keys.entries()) {
      const error = settled.status === 'rejected' ? settled.reason : settled.value[place]?.error;
      if (error !== undefined) expect(error).to.include({ code: 'wal.full' });
      (error === undefined ? found.acknowledged : found.refused).push(key);
    }
  }
  return found;
}

const manyKeys = (writer: number): string[] =>
  Array.from({ length: 30 }, (_, at) => `${writer}-${'k'.repeat(writer % 5)}${at}`);

describe('a table whose log does not keep up', () => {
  it('has each document of a large edit that was acknowledged, and none that was refused', async () => {
    const { disk, store, database, group } = await openScarce();
    const all = { acknowledged: 0, refused: 0 };
    const wanted: string[] = [];
    for (let round = 0; round < 6; round += 1) {
      const writers = Array.from({ length: 20 }, (_, at) => manyKeys(round * 20 + at));
      const writes = writers.map((keys) => ({ keys, edit: putLarge(group, keys) }));
      const { acknowledged, refused } = await judged(writes);
      wanted.push(...acknowledged);
      all.acknowledged += acknowledged.length;
      all.refused += refused.length;
      expect((await keysOf(group)).sort()).to.deep.equal(wanted.sort());
      expect(group.count).to.equal(wanted.length);
    }
    expect(all.acknowledged).to.be.greaterThan(100);
    expect(all.refused).to.be.greaterThan(100);
    await database.stop();
    const again = await openOver({ disk: disk.crash(() => true), store, ...scarce });
    expect((await keysOf(groupOf(again, 't'))).sort()).to.deep.equal(wanted.sort());
    await again.stop();
  });

  it('has all soft writes when a sync says so, and a sync says when it has not', async () => {
    const { database, group } = await openScarce();
    const found = { whole: 0, refused: 0 };
    for (let round = 0; round < 12; round += 1) {
      // Of one command each, so that all are acknowledged before the log has refused any.
      const count = round % 2 === 0 ? 1 : 30;
      const writers = Array.from({ length: count }, (_, at) => [`${round}-${at}`]);
      const writes = writers.map((keys) => ({ keys, edit: putLarge(group, keys, 'soft') }));
      const { acknowledged } = await judged(writes);
      const [synced] = await Promise.allSettled([group.sync()]);
      const there = new Set(await keysOf(group));
      const missing = acknowledged.filter((key) => !there.has(key));
      if (synced.status === 'rejected') expect(synced.reason).to.include({ code: 'wal.full' });
      expect(missing.length > 0, `round ${round}`).to.equal(synced.status === 'rejected');
      found[missing.length > 0 ? 'refused' : 'whole'] += 1;
      await group.sync();
    }
    expect(found.whole).to.be.greaterThan(0);
    expect(found.refused).to.be.greaterThan(0);
    await database.stop();
  });

  it('refuses what an edit came to because of a document that was refused', async () => {
    const { database, group } = await openScarce({ surprise: { next: () => 1 } });
    const insert = (id: string, document: Datum): Promise<ScriptedOutcome[]> => {
      const evaluate = (old: Datum): Datum => {
        if (old !== null) throw new Error(`duplicate of ${id}`);
        return document;
      };
      return editAll(group, [{ key: encodeUtf8(id), evaluate }], 'hard', signal);
    };
    const unchanged = (id: string): Promise<ScriptedOutcome[]> =>
      editAll(group, [{ key: encodeUtf8(id), evaluate: (old) => old }], 'hard', signal);
    // The first fills the log.
    const [first, refused, duplicate, same] = await Promise.allSettled([
      insert('a', { large }),
      insert('b', { large }),
      insert('b', { large }),
      unchanged('b'),
    ]);
    expect(first.status).to.equal('fulfilled');
    for (const each of [refused, duplicate, same]) {
      if (each.status === 'fulfilled') throw new Error('a refused document was acknowledged');
      expect(each.reason).to.include({ code: 'wal.full' });
    }
    expect(await keysOf(group)).to.deep.equal(['a']);
    await database.stop();
  });

  it('shows soft writes that wait for the disk, though one behind them was refused', async () => {
    const { database, group } = await openScarce();
    const write = (id: string): Promise<ScriptedOutcome[]> =>
      editAll(group, [{ key: encodeUtf8(id), evaluate: () => ({ id, large }) }], 'soft', signal);
    for (let round = 0; round < 5; round += 1) {
      const ids = ['a', 'b', 'c'].map((name) => `${name}${round}`);
      const outcomes = await Promise.allSettled(ids.map(write));
      const there = await keysOf(group);
      const [first] = ids;
      expect(outcomes[0]?.status).to.equal('fulfilled');
      expect(there).to.include(first);
    }
    await database.stop();
  });
});

const plusOne = (old: Datum): Datum => {
  const before = (old as { n: number } | null)?.n ?? 0;
  return { id: 'n', n: before + 1 };
};
