import { expect } from 'chai';
import * as fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { encodeUtf8 } from '../common/bytes.ts';
import { spawn } from '../common/spawn.ts';
import { MemoryStore } from '../kv/memory-store.ts';
import type { ApplyStore } from '../kv/store.ts';
import { machineClock } from '../node/clock.ts';
import { entryKind } from '../replication/entry-kind.ts';
import type { LogEntry } from '../replication/log.ts';
import type { ShardReplica } from '../shard/shard-replica.ts';
import { LmdbStore } from '../storage/lmdb-store.ts';
import type { CompileIndex } from '../table/apply.ts';
import { encodeAgain } from '../table/command.ts';
import type { Database } from './database.ts';
import { editAll } from './testing/edits.ts';
import {
  cleared,
  groupOf,
  indexesReady,
  indexOf,
  killable,
  newFixture,
  next,
  open,
  put,
  refusalOf,
  scan,
  stateOf,
  withIndex,
  withTable,
} from './testing/fixture.ts';
import type { Fixture } from './testing/fixture.ts';

/** Whatever the log holds, and whatever an index function throws: everything else is served. */
const key = encodeUtf8('k');

/** A database with the table `d.t` and another one, each with a document. */
async function twoTables(fixture: Fixture, store: ApplyStore = fixture.store): Promise<Database> {
  const database = await open(fixture, { store });
  await withTable(database);
  const record = database.state.tables['t'];
  if (record === undefined) throw new Error('the table is gone');
  const { keyspace: _keyspace, indexes: _indexes, ...table } = record;
  const other = { ...table, id: 'o', name: 'o' };
  stateOf(await database.change({ type: 'createTable', table: other }));
  await put(groupOf(database), 'a', 'one');
  await put(otherOf(database), 'a', 'one');
  return database;
}

function otherOf(database: Database): ShardReplica {
  const group = database.table('o')?.shards[0];
  if (group === undefined) throw new Error('the other table is gone');
  return group;
}

const nextIndexOf = ({ entries }: Fixture, group: number): number =>
  (entries.findLast((entry) => entry.group === group)?.index ?? 0) + 1;

/** The fixture of the next process, whose log has one entry more. */
function withEntry(
  fixture: Fixture,
  entry: Partial<LogEntry> & Pick<LogEntry, 'payload'>,
): Fixture {
  const group = entry.group ?? 1;
  const index = nextIndexOf(fixture, group);
  const life = next(fixture);
  life.entries.push({ group, term: 1, index, kind: 1, ...entry });
  return life;
}

const putOf = (body: Uint8Array, version: number, keyspace = 1, at = key): Uint8Array =>
  encodeAgain({ keyspace, version, operations: [{ key: at, expectedVersion: 0, body }] });

/** Reads, writes and scans answer. */
async function serves(group: ShardReplica, id: string): Promise<void> {
  await put(group, id, 'new');
  expect(await refusalOf(group, id)).to.equal('answered');
  await scan(group);
}

/** Whatever became of the table `t`, it is said with its name, and the node does everything else. */
async function survives(
  fixture: Fixture,
  storeOf = (): ApplyStore => fixture.store,
): Promise<void> {
  for (const life of ['first', 'second']) {
    const database = await open(fixture, { store: storeOf() });
    let failure: Error | undefined;
    const note = (error: unknown): void => void (failure = error as Error);
    spawn(async () => note(await database.failed), note);
    await serves(otherOf(database), life);
    const refusal = await refusalOf(groupOf(database), 'k');
    if (refusal !== 'answered') expect(refusal).to.contain('`d.t`');
    await database.settled();
    await serves(otherOf(database), life);
    await database.scrub();
    const group = groupOf(database);
    if (database.corruption.groups.of(group.options.group) === undefined)
      await put(group, life, 'x');
    await database.stop();
    expect(failure).to.equal(undefined);
  }
}

/** Entries of a log: commands, whole and not, and any bytes. */
const anyBytes = fc.uint8Array({ maxLength: 60 });
const anyBody = fc.oneof(fc.json().map(encodeUtf8), anyBytes);
const version = fc.oneof(fc.constant(2), fc.nat());
const keyspace = fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.nat(9));
const at = fc.oneof(fc.constant(key), fc.uint8Array({ maxLength: 200 }));
const operation = fc.record({
  key: at,
  expectedVersion: fc.oneof(fc.constant(0), fc.nat(3)),
  body: fc.option(anyBody, { nil: undefined }),
});
const anyCommand = fc
  .record({ keyspace, version, operations: fc.array(operation, { maxLength: 4 }) })
  .map(encodeAgain);
const anyCut = fc.tuple(anyCommand, fc.nat(40), fc.nat(255)).map(([whole_, where, byte]) => {
  const changed = new Uint8Array(whole_);
  if (changed.byteLength > 0) changed[where % changed.byteLength] = byte;
  return changed;
});

describe('a node whose log holds what cannot be applied', () => {
  let fixture: Fixture;

  beforeEach(async () => {
    fixture = newFixture();
    await (await twoTables(fixture)).stop();
  });

  it('passes over entries of consensus, which take a position and change nothing', async () => {
    const own = newFixture();
    const first = await open(own);
    const group = await withTable(first);
    await put(group, 'k', 'x');
    await first.settled();
    await first.stop();
    const payload = new Uint8Array([255, 0, 7]);
    let life = own;
    for (const kind of [entryKind.empty, entryKind.configuration])
      for (const each of [0, 1]) life = withEntry(life, { group: each, kind, payload });
    const last = nextIndexOf(life, 1);
    const second = await open(life);
    expect(second.corruption.tables()).to.deep.equal([]);
    expect(second.frozen).to.equal(undefined);
    await put(groupOf(second), 'l', 'y');
    stateOf(await second.change({ type: 'createDatabase', id: 'e', name: 'e' }));
    await second.settled();
    expect(nextIndexOf(life, 1)).to.equal(last + 1);
    expect(second.metrics().tables[0]?.appliedIndex).to.equal(last);
    expect(await second.scrub()).to.deep.equal([]);
    await second.stop();
    const third = await open(next(life));
    expect(await scan(groupOf(third))).to.have.length(2);
    await third.stop();
  });

  const whole = putOf(encodeUtf8('{"id":"k","v":"x"}'), 2);
  const unreadable: readonly (readonly [string, Partial<LogEntry> & Pick<LogEntry, 'payload'>])[] =
    [
      ['is empty', { payload: new Uint8Array() }],
      ['ends early', { payload: whole.subarray(0, whole.byteLength - 3) }],
      ['goes on behind its end', { payload: Buffer.concat([whole, new Uint8Array(1)]) }],
      ['is of a format to come', { payload: Buffer.from(whole).fill(9, 0, 1) }],
      ['is of a kind to come', { payload: whole, kind: 7 }],
      ['is for another table', { payload: putOf(encodeUtf8('{}'), 2, 2) }],
      [
        'has a key that no store takes',
        { payload: putOf(encodeUtf8('{}'), 2, 1, Buffer.alloc(2e3)) },
      ],
      // Four thousand million operations, in a command of thirty bytes.
      ['promises more than it has', { payload: Buffer.from(whole).fill(255, 25, 29) }],
    ];
  for (const [title, entry] of unreadable) {
    it(`closes the table of an entry that ${title}, and says so, after a restart too`, async () => {
      const life = withEntry(fixture, entry);
      await survives(life);
      const database = await open(life);
      expect(await refusalOf(groupOf(database), 'a')).to.match(
        /Table `d\.t` is damaged.* Entry 2 of its log \(group 1\) cannot be applied: .+/,
      );
      expect(database.corruption.tables().map(({ name }) => name)).to.deep.equal(['d.t']);
      await database.stop();
    });
  }

  const bodies: readonly (readonly [string, string])[] = [
    ['is not JSON', '{"id":"k","v":RowValue}'],
    ['is empty', ''],
    ['is not an object', '[1]'],
    ['is nested thousands deep', `${'['.repeat(9_000)}${']'.repeat(9_000)}`],
  ];
  for (const [title, body] of bodies) {
    it(`refuses to readers a document that ${title}, by its table and key, and no other one`, async () => {
      const life = withEntry(fixture, { payload: putOf(encodeUtf8(body), 2) });
      for (const isApplied of [false, true]) {
        const database = await open(life);
        if (isApplied) await database.settled();
        const group = groupOf(database);
        expect(await refusalOf(group, 'k')).to.match(
          /of table `d\.t` .* key 6b\): its text is no document \(/,
        );
        const [failure] = await Promise.allSettled([scan(group)]);
        expect(failure).to.have.nested.property('reason.code', 'storage.corrupt');
        expect(await refusalOf(group, 'a')).to.equal('answered');
        await put(group, `other ${isApplied}`, 'x');
        expect(await refusalOf(group, `other ${isApplied}`)).to.equal('answered');
        await database.stop();
      }
      const database = await open(life);
      expect((await database.scrub()).map(({ what }) => what).join()).to.contain('no document');
      const replaced = { key, replacesDamage: true, evaluate: () => null };
      await editAll(groupOf(database), [replaced], 'hard', new AbortController().signal);
      await database.settled();
      expect(await database.scrub()).to.deep.equal([]);
      await scan(groupOf(database));
      await database.stop();
    });
  }

  const anyPayloads = fc.array(fc.oneof(anyCommand, anyCut, anyBytes), {
    minLength: 1,
    maxLength: 3,
  });

  it('goes on with any entry and any body', async () => {
    const property = fc.asyncProperty(anyPayloads, async (payloads) => {
      fixture = newFixture();
      await (await twoTables(fixture)).stop();
      await survives(payloads.reduce((life, payload) => withEntry(life, { payload }), fixture));
    });
    await fc.assert(property, { numRuns: 60 });
  });

  it('goes on with any entry and any body over the real store', async () => {
    const root = mkdtempSync(join(tmpdir(), 'photondb-survival-'));
    let runs = 0;
    const property = fc.asyncProperty(anyPayloads, async (payloads) => {
      runs += 1;
      const directory = join(root, `store${runs}`);
      const storeOf = (): ApplyStore => new LmdbStore({ clock: machineClock, directory });
      fixture = newFixture();
      await (await twoTables(fixture, storeOf())).stop();
      const life = payloads.reduce((before, payload) => withEntry(before, { payload }), fixture);
      await survives(life, storeOf);
    });
    await fc.assert(property, { numRuns: 10 });
    rmSync(root, { recursive: true });
  });

  it('keeps what it could not apply, and applies it when the table is released', async () => {
    const bad = withEntry(fixture, { payload: new Uint8Array([1, 2]), kind: 7 });
    const life = withEntry(bad, { payload: putOf(encodeUtf8('{"id":"k","v":"kept"}'), 3) });
    let database = await open(life);
    await database.settled();
    await database.stop();
    // The log has let go of it.
    life.entries.splice(0, life.entries.length);
    database = await open(life);
    expect(await database.release('t', { discardEntries: false })).to.equal(0);
    await database.stop();
    database = await open(life);
    expect(await refusalOf(groupOf(database), 'a')).to.contain('cannot be applied');
    expect(await database.release('t', { discardEntries: true })).to.equal(1);
    await database.stop();
    database = await open(life);
    expect(await scan(groupOf(database))).to.deep.equal([
      '{"id":"a","v":"one"}',
      '{"id":"k","v":"kept"}',
    ]);
    await serves(groupOf(database), 'z');
    await database.stop();
  });
});

describe('a table in quarantine that is dropped', () => {
  it('leaves nothing of what was kept for it', async () => {
    const fixture = newFixture();
    await (await twoTables(fixture)).stop();
    const life = withEntry(fixture, { payload: new Uint8Array([1, 2]) });
    const database = await open(life);
    await database.settled();
    const kept = (): number => fixture.store.read((view) => [...view.entries('chunk', {})].length);
    expect(kept()).to.equal(1);
    stateOf(await database.change({ type: 'dropTable', id: 't' }));
    await cleared(database);
    expect(kept()).to.equal(0);
    expect(database.corruption.tables()).to.deep.equal([]);
    await database.stop();
  });
});

describe('a node whose metadata cannot be applied', () => {
  const commands: readonly (readonly [string, string])[] = [
    ['is not JSON', '{"type":'],
    ['is of a type to come', '{"type":"grantEverything"}'],
    ['is none', 'null'],
    ['lacks a field', '{"type":"createTable"}'],
    ['has a field of another type', '{"type":"dropTable","id":{}}'],
    ['was refused', '{"type":"dropTable","id":"nobody"}'],
  ];
  for (const [title, json] of commands) {
    it(`serves the tables from before an entry that ${title}, and changes nothing of them`, async () => {
      const fixture = newFixture();
      await (await twoTables(fixture)).stop();
      const life = withEntry(fixture, { group: 0, payload: encodeUtf8(json) });
      for (let starts = 0; starts < 2; starts += 1) {
        const database = await open(life);
        await serves(groupOf(database), 'x');
        await serves(otherOf(database), 'x');
        await database.scrub();
        expect(database.frozen?.message).to.contain(`entry ${nextIndexOf(fixture, 0)}`);
        const [refused] = await Promise.allSettled([
          database.change({ type: 'dropTable', id: 't' }),
        ]);
        expect(refused).to.have.nested.property('reason.code', 'replication.metadata_frozen');
        await database.stop();
      }
    });
  }

  it('keeps a damaged index from readers, which it cannot build again', async () => {
    const fixture = newFixture();
    const before = await twoTables(fixture);
    await withIndex(before);
    await before.stop();
    const life = withEntry(fixture, { group: 0, payload: encodeUtf8('{}') });
    const database = await open(life);
    await database.settled();
    const { keyspace } = indexOf(database);
    await fixture.store.write((transaction) => {
      for (const { key: entry } of transaction.entries('index', {}))
        transaction.remove('index', entry);
    });
    expect(await database.scrub()).not.to.deep.equal([]);
    expect(database.index(keyspace)).to.equal(undefined);
    expect(database.failedIndexes()[0]?.message).to.contain('a scrub found it damaged');
    await serves(groupOf(database), 'x');
    await database.stop();
  });

  it('serves what it knows beside entries of a table that nobody made', async () => {
    const fixture = newFixture();
    await (await twoTables(fixture)).stop();
    const life = withEntry(fixture, { group: 9, payload: putOf(encodeUtf8('{}'), 1, 9) });
    const database = await open(life);
    await serves(groupOf(database), 'x');
    expect(database.frozen?.message).to.contain('group 9');
    await database.stop();
  });
});

describe('a start that finds damage before the store has its list of tables', () => {
  /** A store that ends its process at some write, and a log that has everything. */
  for (const [title, entry, compileIndex] of [
    ['an entry that cannot be applied', { payload: new Uint8Array([1]) }, undefined],
    [
      'an index that cannot be compiled',
      { payload: putOf(encodeUtf8('{"id":"k"}'), 2) },
      (): never => {
        throw new Error('no');
      },
    ],
  ] as const) {
    it(`can be repeated wherever it ends: ${title}`, async () => {
      const first = newFixture();
      const database = await twoTables(first);
      await withIndex(database);
      await database.stop();
      const { entries } = withEntry(first, entry);
      for (let writes = 0; writes < 6; writes += 1) {
        const life = { ...first, store: new MemoryStore(), entries: [...entries] };
        let left = writes;
        const store = killable(life.store, () => {
          left -= 1;
          return left < 0 ? new Promise<never>(() => undefined) : undefined;
        });
        const options = compileIndex === undefined ? { store } : { store, compileIndex };
        void open(life, options).catch(() => undefined);
        for (let turn = 0; turn < 20; turn += 1) await nextTurn();
        const again = { ...life, entries: [...entries] };
        await serves(otherOf(await open(again)), 'x');
      }
    });
  }
});

describe('an index function that throws', () => {
  const throwing =
    (thrown: () => unknown): CompileIndex =>
    () =>
    (text) => {
      if (text.includes('bad')) throw thrown();
      return [encodeUtf8(text.slice(0, 9))];
    };

  it('fails its index, whatever it throws: the table and the others go on', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.anything(), fc.constantFrom(new RangeError('stack'), new DOMException('no'))),
        async (thrown) => {
          const fixture = newFixture();
          await (await twoTables(fixture)).stop();
          const compileIndex = throwing(() => thrown);
          let database = await open(fixture, { compileIndex });
          await withIndex(database);
          await put(groupOf(database), 'b', 'bad');
          await database.settled();
          const name = [{ table: 'd.t', index: 'v' }];
          for (const life of ['this process', 'the next']) {
            const failed = database.failedIndexes();
            expect(
              failed.map(({ table, index }) => ({ table, index })),
              life,
            ).to.deep.equal(name);
            await serves(groupOf(database), life);
            await serves(otherOf(database), life);
            await database.scrub();
            await database.stop();
            database = await open(fixture, { compileIndex });
          }
          const table = database.state.tables['t'];
          const [state] = table === undefined ? [] : database.indexStates(table);
          expect(state).to.include({ ready: false, progress: 0 });
          expect(state?.failure).to.contain('on a document');
          // A new one of that name is an index like any other.
          stateOf(await database.change({ type: 'dropIndex', tableId: 't', name: 'v' }));
          await put(groupOf(database), 'b', 'good');
          await database.settled();
          await withIndex(database);
          expect(database.failedIndexes()).to.deep.equal([]);
          await database.stop();
        },
      ),
      { numRuns: 25 },
    );
  });

  it('fails the index that is being built, which is never called ready', async () => {
    const fixture = newFixture();
    const database = await twoTables(fixture);
    await put(groupOf(database), 'b', 'bad');
    await database.stop();
    const again = await open(fixture, { compileIndex: throwing(() => new Error('no')) });
    const index = { name: 'v', multi: false, geo: false, definition: 'v' };
    stateOf(await again.change({ type: 'createIndex', tableId: 't', index }));
    while (again.failedIndexes().length === 0) await again.changed(AbortSignal.timeout(5_000));
    expect(indexOf(again).ready).to.equal(false);
    await serves(groupOf(again), 'c');
    await again.stop();
  });

  it('fails the index whose definition this release cannot compile', async () => {
    const fixture = newFixture();
    const database = await twoTables(fixture);
    await withIndex(database);
    await database.stop();
    const compileIndex = (): never => {
      throw new TypeError('unknown term');
    };
    const again = await open(fixture, { compileIndex });
    expect(again.failedIndexes()[0]?.message).to.contain(
      'cannot compile its function: unknown term',
    );
    await serves(groupOf(again), 'c');
    await again.stop();
    await indexesReady(await open(fixture));
  });
});
