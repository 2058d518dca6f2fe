import type { ScriptedEdit } from '../database/testing/edits.ts';
import { editAll } from '../database/testing/edits.ts';
import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import type { Database } from '../database/database.ts';
import {
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
  scanIndex,
  signal,
  withIndex,
  withTable,
} from '../database/testing/fixture.ts';
import type { Fixture } from '../database/testing/fixture.ts';
import type { ShardReplica } from '../shard/shard-replica.ts';
import { keyspaceKey } from '../table/envelope.ts';

const key = encodeUtf8('a');
const said = /A stored value of table `d\.t` is damaged \(keyspace 1, key 61\)/;

/** Flips a bit of the row: of its body, or of the head that it is counted by. */
async function flip(fixture: Fixture, at = 20): Promise<void> {
  await fixture.store.write((transaction) => {
    const storedKey = keyspaceKey(1, key);
    const value = transaction.get('data', storedKey) ?? new Uint8Array();
    transaction.put('data', storedKey, value.with(at, (value[at] ?? 0) ^ 1));
  });
}

const edit = (group: ShardReplica, change: Omit<ScriptedEdit, 'key'>) =>
  editAll(group, [{ key, ...change }], 'hard', signal).then(([outcome]) => outcome);

/** Nothing is wrong, and nobody has to count again. */
async function isWhole(database: Database): Promise<void> {
  await database.settled();
  while (database.failedIndexes().length > 0) await database.changed(AbortSignal.timeout(5_000));
  await indexesReady(database);
  expect(await database.scrub()).to.deep.equal([]);
  expect(await database.scrub()).to.deep.equal([]);
  expect(database.corruption.tables()).to.deep.equal([]);
  expect(database.failedIndexes()).to.deep.equal([]);
}

describe('a damaged document', () => {
  let fixture: Fixture;
  let database: Database;

  beforeEach(async () => {
    fixture = newFixture();
    database = await open(fixture);
    const group = await withTable(database);
    await withIndex(database);
    for (const name of ['a', 'b']) await put(group, name, 'old');
    await database.settled();
    await flip(fixture);
  });

  afterEach(() => database.stop());

  it('is refused to readers by its table and its key, and no other document is', async () => {
    const group = groupOf(database);
    expect(await refusalOf(group, 'a')).to.match(said);
    expect(await refusalOf(group, 'b')).to.equal('answered');
    expect((await edit(group, { evaluate: () => ({ id: 'a', v: 'x' }) }))?.error?.message).to.match(
      said,
    );
    expect(database.corruption.first?.message).to.match(said);
    await put(group, 'c', 'new');
  });

  it('is named by a scrub, which takes nothing from anybody', async () => {
    const found = await database.scrub();
    expect(found.map(({ what }) => what).join()).to.contain('key 61 is damaged');
    expect(database.corruption.documents.of(1)?.count).to.equal(1);
    expect(await refusalOf(groupOf(database), 'b')).to.equal('answered');
    expect(database.metrics().scrub).to.include({ damagedTables: 0, damagedIndexes: 0 });
  });

  for (const [place, at] of [
    ['body', 20],
    ['head', 9],
  ] as const) {
    it(`goes by a delete, when its ${place} is damaged, and leaves nothing behind`, async () => {
      if (at !== 20) {
        await flip(fixture);
        await flip(fixture, at);
      }
      await database.scrub();
      const group = groupOf(database);
      const outcome = await edit(group, { replacesDamage: true, evaluate: () => null });
      expect(outcome).to.deep.include({ old: null, new: null });
      expect(outcome?.damage).to.match(said);
      expect(group.count).to.equal(1);
      await isWhole(database);
      expect(database.corruption.documents.of(1)).to.equal(undefined);
      expect(await scan(group)).to.deep.equal(['{"id":"b","v":"old"}']);
      expect(await scanIndex(database)).to.deep.equal(['old:b']);
    });
  }

  it('gives its place to another one, and no index keeps what it had', async () => {
    const group = groupOf(database);
    const document = { id: 'a', v: 'new' };
    const { keyspace } = indexOf(database);
    const outcome = await edit(group, { replacesDamage: true, evaluate: () => document });
    expect(outcome).to.deep.include({ old: null, new: document });
    expect(group.count).to.equal(2);
    await isWhole(database);
    expect(indexOf(database).keyspace).to.be.greaterThan(keyspace);
    expect(await scanIndex(database)).to.deep.equal(['new:a', 'old:b']);
    expect(await scan(group)).to.have.length(2);
  });

  it('gives its place to what the log has for it, wherever a process ends', async () => {
    await flip(fixture);
    await database.stop();
    let isCut = false;
    const cut = (): Promise<never> | undefined =>
      isCut ? new Promise<never>(() => undefined) : undefined;
    const life = next(fixture);
    const killed = await open(life, { store: killable(fixture.store, cut) });
    await killed.table('t')?.shards[0]?.get(key);
    isCut = true;
    await flip(fixture);
    await put(groupOf(killed), 'a', 'new');

    database = await open(next(life));
    await isWhole(database);
    expect(await scanIndex(database)).to.deep.equal(['new:a', 'old:b']);
    const [position] = database.metrics().tables.map(({ appliedIndex }) => appliedIndex);
    expect(position).to.equal(life.entries.findLast(({ group }) => group === 1)?.index);
  });

  it('is left out of an index that is built meanwhile', async () => {
    await database.change({ type: 'dropIndex', tableId: 't', name: 'v' });
    await withIndex(database);
    expect(await scanIndex(database)).to.deep.equal(['old:b']);
    await edit(groupOf(database), { replacesDamage: true, evaluate: () => ({ id: 'a', v: 'z' }) });
    await isWhole(database);
    expect(await scanIndex(database)).to.deep.equal(['old:b', 'z:a']);
  });
});
