import { expect } from 'chai';
import { assert, asyncProperty, array, constantFrom, integer, record } from 'fast-check';
import { Readable } from 'node:stream';
import { encodeUtf8 } from '../common/bytes.ts';
import type { Datum } from '../datum/datum.ts';
import { keyspacesOf, shardsOf } from '../metadata/shards.ts';
import type { TableRecord } from '../metadata/state.ts';
import { newTable } from '../metadata/testing/new-table.ts';
import { slotCount } from '../partition/hash-slots.ts';
import type { ShardedTable } from '../shard/sharded-table.ts';
import { keyspaceKey } from '../table/envelope.ts';
import { decodeHeader } from '../transfer/content.ts';
import { verifyTransfer } from '../transfer/verify.ts';
import type { BatchSource, Order, Row } from '../wire/table-access.ts';
import type { Database } from './database.ts';
import { editAll } from './testing/edits.ts';
import { cleared, metaKeys, newFixture, next, open, signal, stateOf } from './testing/fixture.ts';
import type { Fixture } from './testing/fixture.ts';

const keys = Array.from({ length: 16 }, (_, at) => `k${at}`);

const tableOf = (database: Database, id = 't'): ShardedTable => {
  const table = database.table(id);
  if (table === undefined) throw new Error('the table is gone');
  return table;
};

const recordOf = (database: Database, id = 't'): TableRecord => {
  const found = database.state.tables[id];
  if (found === undefined) throw new Error('the table is gone');
  return found;
};

async function make(database: Database, shards: number, id = 't'): Promise<void> {
  if (database.state.databases['d'] === undefined)
    stateOf(await database.change({ type: 'createDatabase', id: 'd', name: 'd' }));
  const table = newTable(id, { shards });
  stateOf(await database.change({ type: 'createTable', format: 2, table }));
  const index = { name: 'v', multi: false, geo: false, definition: 'v' };
  stateOf(await database.change({ type: 'createIndex', tableId: id, index }));
  await ready(database, id);
}

async function ready(database: Database, id = 't'): Promise<void> {
  while (recordOf(database, id).indexes.some((index) => !index.ready))
    await database.changed(AbortSignal.timeout(10_000));
}

const editOf = (id: string, v: string | null) => ({
  key: encodeUtf8(id),
  evaluate: (): Datum => (v === null ? null : { id, v }),
});

async function put(table: ShardedTable, rows: readonly (readonly [string, string | null])[]) {
  const edits = rows.map(([id, v]) => editOf(id, v));
  const outcomes = await editAll(table, edits);
  for (const { error } of outcomes) if (error !== undefined) throw new Error(error.message);
}

async function all<T extends Row>(source: BatchSource<T>, rows = 7): Promise<string[]> {
  const texts: string[] = [];
  for (;;) {
    const batch = await source.next({ rows, bytes: 1_000_000 }, signal);
    if (batch === undefined) return texts;
    expect(batch.length).to.be.within(1, rows);
    texts.push(...batch.map(({ text }) => text));
  }
}

function scanIndex(database: Database, id: string, order: Order, range = {}): BatchSource<Row> {
  const [index] = recordOf(database, id).indexes;
  const keyspaces = index === undefined ? [] : keyspacesOf(index);
  const parts = keyspaces.flatMap((keyspace) => database.index(keyspace) ?? []);
  return tableOf(database, id).scanIndex(parts, { range, order });
}

const failureOf = async (work: Promise<unknown>): Promise<Error & { code?: string }> => {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
};

/** Keys of each shard, in the order of the shards. */
function keysByShard(table: ShardedTable, count: number): string[][] {
  const byShard = table.shards.map((): string[] => []);
  for (let at = 0; at < count; at += 1) {
    const key = `k${at}`;
    byShard[table.map.shardOf(encodeUtf8(key))]?.push(key);
  }
  return byShard;
}

describe('a table of several shards', () => {
  it('has a group and a keyspace for each, and numbers that are never those of another', async () => {
    const database = await open(newFixture());
    await make(database, 4);
    const table = recordOf(database);
    const numbers = [
      ...shardsOf(table).flatMap(({ group, keyspace }) => [group, keyspace]),
      ...table.indexes.flatMap(keyspacesOf),
    ];
    expect(new Set(numbers).size).to.equal(12);
    expect(database.indexStates(table)).to.have.length(1);
    expect(database.indexStates(table)[0]).to.include({ ready: true, progress: 1 });
    await database.stop();
  });

  it('answers like a table of one, through random edits, settlings and restarts', async function () {
    this.timeout(120_000);
    const step = record({
      rows: array(record({ id: constantFrom(...keys), v: constantFrom('x', 'y', 'z', null) }), {
        maxLength: 12,
      }),
      start: constantFrom('', 'k', 'k2', 'k5'),
      batch: integer({ min: 1, max: 9 }),
      after: constantFrom('nothing', 'settle', 'restart'),
    });
    await assert(
      asyncProperty(
        array(step, { maxLength: 8 }),
        integer({ min: 2, max: 5 }),
        async (steps, n) => {
          let fixture: Fixture = newFixture();
          let database = await open(fixture);
          await make(database, 1, 'one');
          await make(database, n, 'many');
          for (const { rows, start, batch, after } of steps) {
            const edits = rows.map(({ id, v }) => editOf(id, v));
            const write = (id: string) => editAll(tableOf(database, id), edits);
            const outcomes = await Promise.all([write('one'), write('many')]);
            expect(outcomes[1]).to.deep.equal(outcomes[0]);
            if (after === 'settle') await database.settled();
            if (after === 'restart') {
              await database.stop();
              fixture = next(fixture);
              database = await open(fixture);
            }
            for (const order of ['ascending', 'descending'] as const) {
              const range = { start: encodeUtf8(start) };
              const read = async (id: string): Promise<unknown> => [
                await all(tableOf(database, id).scan(range, order), batch),
                await all(scanIndex(database, id, order), batch),
                tableOf(database, id).count,
                (await tableOf(database, id).get(encodeUtf8('k3')))?.text,
              ];
              expect(await read('many')).to.deep.equal(await read('one'));
            }
          }
          expect(await database.scrub()).to.deep.equal([]);
          await database.stop();
        },
      ),
      { numRuns: 40 },
    );
  });

  it('serves what is whole when a shard is damaged, and says which one is not', async () => {
    const fixture = newFixture();
    const database = await open(fixture);
    await make(database, 4);
    const table = tableOf(database);
    const keys = keysByShard(table, 100);
    await put(
      table,
      keys.flat().map((key) => [key, 'x']),
    );
    await database.settled();
    const shard = shardsOf(recordOf(database))[1];
    const lost = keys[1]?.[0] ?? '';
    await fixture.store.write((transaction) =>
      transaction.remove('data', keyspaceKey(shard?.keyspace ?? 0, encodeUtf8(lost))),
    );
    const findings = await database.scrub();
    expect(findings.map(({ keyspace }) => keyspace)).to.include(shard?.keyspace);
    expect(database.corruption.tables().map(({ name }) => name)).to.deep.equal([
      'd.t (shard 2 of 4)',
    ]);
    const damaged = /^Shard 2 of 4 of table `d\.t` is damaged, and neither read nor written/;
    const [first = '', second = ''] = [keys[0]?.[0], keys[1]?.[1]];
    expect((await table.get(encodeUtf8(first)))?.text).to.contain(first);
    expect(() => table.get(encodeUtf8(second))).to.throw(damaged);
    expect((await failureOf(all(table.scan({}, 'ascending')))).message).to.match(damaged);
    const outcomes = await editAll(table, [editOf(second, 'new'), editOf(first, 'new')]);
    expect(outcomes[0]?.error?.message).to.match(damaged);
    expect(outcomes[1]?.error).to.equal(undefined);
    expect((await failureOf(editAll(table, [editOf(second, 'x')]))).message).to.match(damaged);
    await database.stop();
    const again = await open(next(fixture));
    expect(again.corruption.tables()).to.have.length(1);
    expect(() => tableOf(again).get(encodeUtf8(second))).to.throw(damaged);
    const salvaged = { rows: 0, counted: 0, damaged: [] };
    const pieces = again.transfers.salvage(recordOf(again), salvaged, signal);
    for await (const piece of pieces) expect(piece.byteLength).to.be.greaterThan(0);
    expect(salvaged).to.deep.equal({ rows: 99, counted: 100, damaged: [] });
    await again.stop();
  });

  it('builds the damaged part of an index again, and the others stay', async () => {
    const fixture = newFixture();
    const database = await open(fixture);
    await make(database, 3);
    const keys = keysByShard(tableOf(database), 60).flat();
    await put(
      tableOf(database),
      keys.map((key) => [key, 'x']),
    );
    await database.settled();
    const before = recordOf(database).indexes.flatMap(keyspacesOf);
    const entry = fixture.store.read((view) => [
      ...view.entries('index', { start: keyspaceKey(before[2] ?? 0, new Uint8Array()), limit: 1 }),
    ])[0];
    await fixture.store.write((transaction) =>
      transaction.remove('index', entry?.key ?? new Uint8Array()),
    );
    await database.scrub();
    await ready(database);
    const after = recordOf(database).indexes.flatMap(keyspacesOf);
    expect(after.slice(0, 2)).to.deep.equal(before.slice(0, 2));
    expect(after[2]).to.not.equal(before[2]);
    expect(await all(scanIndex(database, 't', 'ascending'))).to.have.length(60);
    expect(await database.scrub()).to.deep.equal([]);
    await database.stop();
  });

  it('is exported in the order of its keys, verified, and imported with as many shards', async () => {
    const database = await open(newFixture());
    await make(database, 4);
    const keys = keysByShard(tableOf(database), 200).flat();
    await put(
      tableOf(database),
      keys.map((key) => [key, 'x']),
    );
    const pieces: Uint8Array[] = [];
    const stream = database.transfers.export(recordOf(database), signal);
    for await (const piece of stream) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    const verified = await verifyTransfer(Readable.from([bytes]), signal);
    expect(verified.isAddedUp).to.equal(true);
    expect(verified.trailer).to.include({ count: 200, records: 200 });
    expect(verified.header.table.placement?.shards).to.have.length(4);
    await database.stop();

    const fixture = newFixture();
    const target = await open(fixture);
    stateOf(await target.change({ type: 'createDatabase', id: 'd', name: 'd' }));
    const request = { id: 'c', as: { database: 'd', table: 'c' }, refusal: () => undefined };
    await target.transfers.import(Readable.from([bytes]), request, signal);
    await ready(target, 'c');
    expect(shardsOf(recordOf(target, 'c'))).to.have.length(4);
    const [index] = recordOf(target, 'c').indexes;
    expect(index === undefined ? [] : keyspacesOf(index)).to.have.length(4);
    const texts = await all(tableOf(target, 'c').scan({}, 'ascending'));
    expect(texts).to.have.length(200);
    await put(
      tableOf(target, 'c'),
      keys.map((key) => [key, 'y']),
    );
    await target.settled();
    expect(await target.scrub()).to.deep.equal([]);
    await target.stop();
    const again = await open(next(fixture));
    const later = await all(tableOf(again, 'c').scan({}, 'ascending'));
    expect(later.filter((text) => text.includes('"y"'))).to.have.length(200);
    await again.stop();
  });

  it('is not imported of a stream whose shards leave a slot out', () => {
    const header = (slots: readonly (readonly [number, number])[]) => ({
      database: 'd',
      table: {
        ...newTable('t'),
        placement: {
          epoch: 1,
          shards: slots.map((range, at) => ({ group: at + 3, keyspace: at + 1, slots: [range] })),
        },
      },
      indexes: [],
      keyspace: 1,
      position: 1,
    });
    const decoded = (slots: readonly (readonly [number, number])[]) =>
      decodeHeader(encodeUtf8(JSON.stringify(header(slots))));
    expect(decoded([[0, slotCount]])).to.not.equal(undefined);
    expect(decoded([[0, slotCount - 1]])).to.equal(undefined);
    expect(
      decoded([
        [0, 9],
        [8, slotCount],
      ]),
    ).to.equal(undefined);
    expect(decoded([])).to.equal(undefined);
  });

  it('leaves nothing when it is dropped', async () => {
    const fixture = newFixture();
    const database = await open(fixture);
    const before = metaKeys(fixture.store);
    await make(database, 4);
    await put(
      tableOf(database),
      Array.from({ length: 50 }, (_, at) => [`k${at}`, 'x']),
    );
    await database.settled();
    stateOf(await database.change({ type: 'dropTable', id: 't' }));
    await cleared(database);
    await database.settled();
    for (const name of ['data', 'index', 'chunk'] as const)
      expect(fixture.store.read((view) => [...view.entries(name, {})])).to.deep.equal([]);
    const left = metaKeys(fixture.store).filter((key) => !before.includes(key));
    expect(left.filter((key) => key !== 'applied/0' && key !== 'metadata')).to.deep.equal([]);
    await database.stop();
  });
});

describe('another number of shards', () => {
  it('is refused for a table with documents, by a sentence that says what to do', async () => {
    const database = await open(newFixture());
    await make(database, 1);
    await put(tableOf(database), [['a', 'x']]);
    expect(await database.reshard('t', 4)).to.deep.equal({
      type: 'refused',
      message:
        'Table `d.t` has 1 shard, and this version cannot move its documents into 4: make a table with `shards: 4`, and copy them into it.',
    });
    await put(tableOf(database), [['b', 'x']]);
    expect(tableOf(database).count).to.equal(2);
    expect(await database.reshard('other', 4)).to.include({ type: 'refused' });
    await database.stop();
  });

  it('is given to an empty table, while writes wait and then go on in the new shards', async () => {
    const fixture = newFixture();
    const database = await open(fixture);
    await make(database, 1);
    const old = tableOf(database);
    await put(old, [['a', 'x']]);
    await put(old, [['a', null]]);
    const resharding = database.reshard('t', 4);
    while (old.shards[0]?.gate.isOpen === true) await Promise.resolve();
    const writing = put(old, [
      ['b', 'y'],
      ['c', 'z'],
    ]);
    stateOf(await resharding);
    await writing;
    expect(recordOf(database)).to.include({ shards: 4 });
    expect(shardsOf(recordOf(database))).to.have.length(4);
    expect(tableOf(database).map.epoch).to.equal(2);
    await ready(database);
    for (const table of [old, tableOf(database)]) {
      expect(await all(table.scan({}, 'ascending'))).to.have.length(2);
      expect((await table.get(encodeUtf8('b')))?.text).to.contain('"y"');
      expect(table.count).to.equal(2);
    }
    expect(await all(scanIndex(database, 't', 'descending'))).to.have.length(2);
    await cleared(database);
    await database.stop();
    const again = await open(next(fixture));
    expect(await all(tableOf(again).scan({}, 'ascending'))).to.have.length(2);
    expect(await again.scrub()).to.deep.equal([]);
    await again.stop();
  });
});
