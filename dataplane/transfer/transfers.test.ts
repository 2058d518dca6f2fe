import { batchOf, editAll, written } from '../database/testing/edits.ts';
import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { encodeUtf8 } from '../common/bytes.ts';
import { Prng } from '../common/prng.ts';
import type { Database } from '../database/database.ts';
import type { Datum } from '../datum/datum.ts';
import { documentProblem } from '../datum/document.ts';
import { encodeKey } from '../datum/key.ts';
import { importsOf } from '../metadata/shards.ts';
import { machineClock } from '../node/clock.ts';
import { LmdbStore } from '../storage/lmdb-store.ts';
import { keyspaceKey } from '../table/envelope.ts';
import { readStatistics } from '../table/statistics.ts';
import { failureOf } from '../wal/testing/log.ts';
import type { Failure } from '../wal/testing/log.ts';
import { frameBodyBytes } from './frame.ts';
import {
  change,
  collected,
  groupOf,
  indexesReady,
  newHome,
  openHome,
  openWithTable,
  piecesOf,
  put,
  signal,
  tableOf,
  textsOf,
} from './testing/home.ts';
import type { Home } from './testing/home.ts';

const exported = (database: Database): Promise<Uint8Array> =>
  collected(database.transfers.export(tableOf(database), signal));

interface Request {
  readonly id?: string;
  readonly as?: { readonly database: string; readonly table: string };
  readonly refusal?: () => string | undefined;
}

const imported = (
  database: Database,
  bytes: Uint8Array | AsyncIterable<Uint8Array>,
  { id = 'new', as, refusal = () => undefined }: Request = {},
): Promise<unknown> => {
  const source = bytes instanceof Uint8Array ? piecesOf(bytes) : bytes;
  return database.transfers.import(source, { id, as, refusal }, signal);
};

/** A node with a database `d` and nothing in it. */
async function openEmpty(home: Home = newHome()): Promise<Database> {
  const database = await openHome(home);
  await change(database, { type: 'createDatabase', id: 'd', name: 'd' });
  return database;
}

/** Resolves when nothing is left of what was given up. */
async function cleared(database: Database): Promise<void> {
  while (database.state.garbage.length > 0) await database.changed(AbortSignal.timeout(5_000));
}

const storedKeys = ({ store }: Home): number =>
  store.read((view) => [...view.entries('data', {})].length);

async function small(): Promise<Uint8Array> {
  const database = await openWithTable();
  for (let n = 0; n < 20; n += 1) await put(database, `k${n}`, 'x'.repeat(n));
  return exported(database);
}

describe('the transfer of a table', () => {
  const root = mkdtempSync(join(tmpdir(), 'photondb-transfer-'));

  after(() => rmSync(root, { recursive: true, force: true }));

  it('brings documents, versions and indexes into another node', async () => {
    const source = await openWithTable();
    const index = { name: 'v', multi: false, geo: false, definition: 'v' };
    await change(source, { type: 'createIndex', tableId: 't', index });
    const hook = { format: 1, definition: '[69,[[2,[1,2,3]],[10,[3]]]]' };
    await change(source, { type: 'setWriteHook', tableId: 't', hook });
    for (let n = 0; n < 50; n += 1) await put(source, `k${n}`, `v${n}`);
    await put(source, 'k7', null);
    const home = newHome();
    const target = await openEmpty(home);
    await imported(target, await exported(source));
    expect(await textsOf(target, 'new')).to.deep.equal(await textsOf(source));
    expect(groupOf(target, 'new').count).to.equal(49);
    await indexesReady(target, 'new');
    expect(tableOf(target, 'new')).to.deep.include({ name: 't', primaryKey: 'id' });
    expect(tableOf(target, 'new').writeHook).to.deep.equal(hook);
    const versionOf = (key: string): number =>
      groupOf(target, 'new').documents.read(encodeUtf8(key), key, undefined).version;
    const before = versionOf('k49');
    await put(target, 'k49', 'newer', 'new');
    await target.settled();
    expect(versionOf('k49')).to.be.above(before);
    await target.stop();
    const again = await openHome(home);
    expect((await textsOf(again, 'new')).includes('{"id":"k49","v":"newer"}')).to.equal(true);
    expect(home.store.read((view) => [...view.entries('index', {})].length)).to.equal(49);
  });

  it('takes other names, and refuses names that are taken and databases that are not there', async () => {
    const bytes = await small();
    const database = await openWithTable();
    const as = { database: 'd', table: 'copy' };
    await imported(database, bytes, { as });
    expect(tableOf(database, 'new').name).to.equal('copy');
    const taken = await failureOf(imported(database, bytes, { id: 'other' }));
    expect(taken).to.include({ code: 'replication.import_refused' });
    expect(taken.message).to.contain('`d.t` already exists');
    const nowhere = { database: 'x', table: 't' };
    const homeless = await failureOf(imported(database, bytes, { id: 'other', as: nowhere }));
    expect(homeless.message).to.contain('`x` does not exist');
  });

  it('brings the field whose time ends documents, with its index', async () => {
    const source = await openWithTable();
    await change(source, { type: 'setExpireAt', tableId: 't', field: 'ends' });
    await put(source, 'k', 'v');
    const target = await openEmpty();
    await imported(target, await exported(source));
    await indexesReady(target, 'new');
    const [expiring] = target.expiringTables();
    expect(expiring?.field).to.equal('ends');
    expect(tableOf(target, 'new').indexes[0]).to.include({ system: 'expiry', ready: true });
    await change(target, { type: 'setExpireAt', tableId: 'new', field: undefined });
    await cleared(target);
    expect(tableOf(target, 'new').indexes).to.deep.equal([]);
  });

  it('moves a table without documents', async () => {
    const target = await openEmpty();
    await imported(target, await exported(await openWithTable()));
    expect(await textsOf(target, 'new')).to.deep.equal([]);
  });

  it('is, under random edits, the table as it was at one position of the log', async () => {
    for (let seed = 1; seed <= 8; seed += 1) {
      const prng = new Prng(seed);
      const directory = join(root, String(seed));
      // A store that shows a change some time after it was made, and one that does so at once.
      const isLate = seed % 2 === 1;
      const source = isLate ? { store: new LmdbStore({ clock: machineClock, directory }) } : {};
      const database = await openWithTable({ ...newHome(), ...source });
      /** The table after each entry of its log. */
      const images: string[][] = [[]];
      const model = new Map<string, string>();
      const edit = async (): Promise<void> => {
        const key = `k${String(prng.below(60)).padStart(2, '0')}`;
        const v = prng.next() < 0.3 ? null : 'x'.repeat(prng.below(60_000)) + prng.below(1_000);
        if (v === null && !model.has(key)) return;
        if (v === null) model.delete(key);
        else model.set(key, JSON.stringify({ id: key, v }));
        images.push([...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text));
        await put(database, key, v);
      };
      for (let n = 0; n < 80; n += 1) await edit();
      const atStart = images.length - 1;
      const state = { isOver: false };
      const writing = (async (): Promise<void> => {
        for (let n = 0; n < 150 && !state.isOver; n += 1) {
          const edits = Array.from({ length: prng.below(4) }, edit);
          if (prng.next() < 0.5) await database.settled();
          await Promise.all(edits);
        }
      })();
      const pieces: Uint8Array[] = [];
      for await (const piece of database.transfers.export(tableOf(database), signal)) {
        pieces.push(piece);
        for (let turns = prng.below(12); turns > 0; turns -= 1) await nextTurn();
      }
      state.isOver = true;
      await writing;
      const home = newHome();
      const target = await openEmpty(home);
      await imported(target, Buffer.concat(pieces));
      const texts = await textsOf(target, 'new');
      const { keyspace } = tableOf(target, 'new');
      await database.stop();
      const found = images.findLastIndex((image) => image.join() === texts.join());
      expect(found, `seed ${seed}`).to.be.at.least(atStart);
      expect(home.store.read((view) => readStatistics(view, keyspace)).count).to.equal(
        texts.length,
      );
    }
  });

  it('ends with an error at a damaged value, and when values are missing', async () => {
    const home = newHome();
    const database = await openWithTable(home);
    for (let n = 0; n < 20; n += 1) await put(database, `k${n}`, 'v');
    await database.settled();
    const key = keyspaceKey(tableOf(database).keyspace, encodeUtf8('k7'));
    const value = home.store.read((view) => view.get('data', key)) ?? new Uint8Array();
    await home.store.write((transaction) => {
      transaction.put('data', key, value.with(20, 0));
    });
    expect(await failureOf(exported(database))).to.include({ code: 'storage.corrupt' });
    await home.store.write((transaction) => transaction.remove('data', key));
    const missing = await failureOf(exported(database));
    expect(missing).to.include({ code: 'replication.export_incomplete' });
    expect(missing.message).to.contain('counts 20 documents').and.contain('and 19 of');
  });

  it('ends when its table is dropped or found damaged, its node stops, or nobody wants it', async () => {
    const big = 'x'.repeat(frameBodyBytes);
    const cut = async (during: (database: Database) => unknown): Promise<Failure> => {
      const database = await openWithTable();
      for (const key of ['a', 'b', 'c']) await put(database, key, big);
      const stream = database.transfers.export(tableOf(database), signal);
      for (let piece = 0; piece < 3; piece += 1) await stream.next();
      await during(database);
      return failureOf(collected(stream));
    };
    const dropped = await cut((database) => change(database, { type: 'dropTable', id: 't' }));
    expect(dropped).to.include({ code: 'replication.export_refused' });
    const damaged = await cut((database) =>
      database.corruption.groups.mark(tableOf(database).keyspace, {
        code: 'x',
        message: 'Broken.',
      }),
    );
    expect(damaged).to.include({ code: 'replication.table_damaged' });
    const stopped = await cut((database) => database.stop());
    expect(stopped).to.include({ code: 'replication.stopped' });
    const database = await openWithTable();
    const aborted = database.transfers.export(
      tableOf(database),
      AbortSignal.abort(new Error('no')),
    );
    expect((await failureOf(collected(aborted))).message).to.equal('no');
  });

  it('ends with an error when more changes than it keeps, and lets the writes go on', async () => {
    const database = await openWithTable();
    await put(database, 'a', 'x');
    const stream = database.transfers.export(tableOf(database), signal);
    await stream.next();
    await stream.next();
    const edits = Array.from({ length: 70_000 }, (_, n) => ({
      key: encodeUtf8(`k${n}`),
      evaluate: () => ({ id: `k${n}` }),
    }));
    await editAll(groupOf(database), edits, 'hard', signal);
    await database.settled();
    const behind = await failureOf(collected(stream));
    expect(behind).to.include({ code: 'replication.export_behind' });
    expect(groupOf(database).count).to.equal(70_001);
  });
});

describe('an import that cannot be finished', () => {
  it('refuses a stream that ends at any place', async () => {
    const bytes = await small();
    const home = newHome();
    const target = await openEmpty(home);
    for (let length = 0; length < bytes.byteLength; length += length < 40 ? 1 : 37) {
      const failure = await failureOf(imported(target, bytes.subarray(0, length)));
      expect(failure.code, `${length} bytes`).to.equal('replication.transfer_damaged');
    }
    await cleared(target);
    expect(target.state.tables).to.deep.equal({});
    expect(storedKeys(home)).to.equal(0);
  });

  it('refuses a stream in which any byte was changed, and one with more behind it', async () => {
    const bytes = await small();
    const home = newHome();
    const target = await openEmpty(home);
    const codes = new Set<string>();
    for (let at = 0; at < bytes.byteLength; at += at < 40 ? 1 : 23) {
      const flipped = bytes.with(at, (bytes[at] ?? 0) ^ (1 << (at % 8)));
      codes.add((await failureOf(imported(target, flipped))).code ?? 'none');
    }
    const refusals = ['replication.transfer_damaged', 'replication.transfer_format'];
    expect([...codes]).to.have.members(refusals);
    const longer = await failureOf(imported(target, Buffer.concat([bytes, Buffer.from([0])])));
    expect(longer.message).to.contain('something follows its end');
    await cleared(target);
    expect(target.state.tables).to.deep.equal({});
    expect(storedKeys(home)).to.equal(0);
  });

  it('refuses an export of a release to come, and what is no export', async () => {
    const bytes = await small();
    const target = await openEmpty();
    const newer = await failureOf(imported(target, bytes.with(4, 9)));
    expect(newer).to.include({ code: 'replication.transfer_format' });
    expect(newer.message).to.contain('format 9').and.contain('format 1');
    const other = await failureOf(imported(target, encodeUtf8('{"id": 1}\n{"id": 2}\n')));
    expect(other).to.include({ code: 'replication.transfer_format' });
  });

  it('refuses rows that are no documents, which a salvage leaves out', async () => {
    const strict = { problemOf: documentProblem };
    const home = newHome();
    const source = await openWithTable(home);
    const documents: readonly [Datum, string][] = [
      [{ id: 'a' }, 'a'],
      [{ id: 'b', t: { $reql_type$: 'TIME' } }, 'b'],
      [{ id: 'elsewhere' }, 'c'],
      [5, 'd'],
    ];
    const edits = documents.map(([document, id]) => ({
      key: encodeKey(id),
      change: written(document),
    }));
    await groupOf(source).edit(batchOf(edits), signal);
    await source.settled();
    const target = await openHome(newHome(), strict);
    await change(target, { type: 'createDatabase', id: 'd', name: 'd' });
    const refused = await failureOf(imported(target, await exported(source)));
    expect(refused).to.include({ code: 'replication.import_refused' });
    expect(refused.message).to.contain('Invalid time object constructed');
    await cleared(target);
    await source.stop();
    const again = await openHome(home, strict);
    const salvaged = { rows: 0, counted: 0, damaged: [] };
    const whole = await collected(again.transfers.salvage(tableOf(again), salvaged, signal));
    expect([salvaged.rows, salvaged.damaged.length]).to.deep.equal([1, 3]);
    await imported(target, whole);
    expect(await textsOf(target, 'new')).to.deep.equal(['{"id":"a"}']);
  });

  it('stops when the disk is almost full, and when its source fails', async () => {
    const bytes = await small();
    const target = await openEmpty();
    let asked = 0;
    const refusal = (): string | undefined => ((asked += 1) > 1 ? 'The disk is full.' : undefined);
    const full = await failureOf(imported(target, bytes, { refusal }));
    expect(full).to.include({ code: 'replication.import_refused', message: 'The disk is full.' });
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield* piecesOf(bytes.subarray(0, 1_500));
      throw new Error('EIO');
    };
    expect((await failureOf(imported(target, broken()))).message).to.equal('EIO');
    await cleared(target);
    expect(target.state.tables).to.deep.equal({});
    expect(importsOf(target.state)).to.deep.equal([]);
  });

  it('is given up by the next start when the node ended in the middle', async () => {
    const bytes = await small();
    const home = newHome();
    const target = await openEmpty(home);
    const never = Promise.withResolvers<Uint8Array>();
    const half = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, bytes.byteLength - 3);
      yield await never.promise;
    };
    const importing = failureOf(imported(target, half()));
    while (importsOf(target.state).length === 0) await nextTurn();
    await target.stop();
    expect(await importing).to.include({ code: 'replication.stopped' });
    const again = await openHome(home);
    await cleared(again);
    expect(again.state.tables).to.deep.equal({});
    expect(importsOf(again.state)).to.deep.equal([]);
    expect(storedKeys(home)).to.equal(0);
  });
});
