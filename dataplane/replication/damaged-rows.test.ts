import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { keyspaceKey } from '../table/envelope.ts';
import type { Database } from './database.ts';
import type { TableGroup } from './table-group.ts';
import { cleared, groupOf, killable, metaKeys, newWorld, next } from './testing/world.ts';
import { open, put, refusalOf, scan, stateOf, withTable } from './testing/world.ts';
import type { World } from './testing/world.ts';

const key = encodeUtf8('a');
const said = /`d\.t` is damaged.*A stored value of table `d\.t` is damaged \(keyspace 1/;

const refusal = (group: TableGroup): Promise<string> => refusalOf(group, 'b');

/** Flips a bit of the row, or flips it back. */
async function flip(world: World): Promise<void> {
  await world.store.write((transaction) => {
    const storedKey = keyspaceKey(1, key);
    const value = transaction.get('data', storedKey) ?? new Uint8Array();
    transaction.put('data', storedKey, value.with(20, (value[20] ?? 0) ^ 1));
  });
}

describe('a damaged row that is written to', () => {
  let world: World;
  let database: Database;
  let other: TableGroup;

  beforeEach(async () => {
    world = newWorld();
    database = await open(world);
    const group = await withTable(database);
    const options = { primaryKey: 'id', durability: 'hard', shards: 1, replicas: 1 } as const;
    const kind = { replication: 'sync', partition: 'hash', databaseId: 'd' } as const;
    const table = { id: 'o', name: 'o', ...options, ...kind };
    stateOf(await database.change({ type: 'createTable', table }));
    other = database.group('o') ?? group;
    for (const name of ['a', 'b']) await put(group, name, 'old');
    await database.settled();
    // From now on the cache has it.
    await group.get(key);
    await flip(world);
  });

  afterEach(() => database.stop());

  it('closes its table, and the other ones go on, after a restart too', async () => {
    await put(groupOf(database), 'a', 'new');
    await put(other, 'a', 'x');
    await database.settled();
    expect(await refusal(groupOf(database))).to.match(said);
    await put(other, 'b', 'y');
    await database.stop();
    database = await open(next(world));
    expect(await refusal(groupOf(database))).to.match(said);
    expect(await scan(database.group('o') ?? other)).to.have.length(2);
  });

  it('is found by the start that replays the write, too, and does not hold the log', async () => {
    await database.stop();
    await flip(world);
    let isCut = false;
    const cut = (): Promise<never> | undefined =>
      isCut ? new Promise<never>(() => undefined) : undefined;
    const life = next(world);
    const killed = await open(life, { store: killable(world.store, cut) });
    await killed.group('t')?.get(key);
    isCut = true;
    await flip(world);
    await put(groupOf(killed), 'a', 'new');

    database = await open(next(life));
    await database.settled();
    expect(await refusal(groupOf(database))).to.match(said);
    const [position] = database.metrics().tables.map(({ appliedIndex }) => appliedIndex);
    expect(position).to.equal(life.entries.findLast(({ group }) => group === 1)?.index);
    await put(database.group('o') ?? other, 'c', 'z');
  });

  it('is forgotten when its table is dropped', async () => {
    await put(groupOf(database), 'a', 'new');
    await database.settled();
    await database.change({ type: 'dropTable', id: 't' });
    await cleared(database);
    expect(database.integrity.tables()).to.deep.equal([]);
    expect(metaKeys(world.store).filter((name) => name.startsWith('damage'))).to.deep.equal([]);
  });
});
