import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import type { Database } from '../database/database.ts';
import { editAll } from '../database/testing/edits.ts';
import { change, createTable, openOver, put, signal } from '../database/testing/over-log.ts';
import { MemoryDisk } from '../disk/memory-disk.ts';
import { failureOf, segmentBytes } from '../wal/testing/log.ts';
import { isOfVersion, lacksNothing, mayLack } from '../wire/unapplied-block.ts';
import { DirectReads } from './direct-reads.ts';
import type { ShardReplica } from './shard-replica.ts';

/** What a worker would read. */
class Places {
  readonly blocks = new Map<number, DataView>();
  isFull = false;

  write(group: number, block: Uint8Array): boolean {
    if (this.isFull) return false;
    this.blocks.set(group, new DataView(block.slice().buffer));
    return true;
  }

  release(): void {
    // The last block stays where it was.
  }

  of(group: number): DataView {
    return this.blocks.get(group) ?? new DataView(new ArrayBuffer(1_024));
  }
}

const key = encodeUtf8('a');

describe('direct reads', () => {
  it('publishes a write before anything that follows from it, and the last state of a turn once', async () => {
    const places = new Places();
    let writes = 0;
    const reads = new DirectReads(
      {
        write: (group, block) => {
          writes += 1;
          return places.write(group, block);
        },
        release: () => undefined,
      },
      (error) => {
        throw error;
      },
    );
    const keys = reads.join({ group: 7, keyspace: 3, isSound: () => true });
    await Promise.resolve();
    writes = 0;
    keys.add(key);
    keys.add(encodeUtf8('b'));
    await Promise.resolve();
    expect(mayLack(places.of(7), key)).to.equal(true);
    expect(lacksNothing(places.of(7))).to.equal(false);
    expect(writes).to.equal(1);
    keys.remove(key);
    keys.remove(encodeUtf8('b'));
    await Promise.resolve();
    expect(mayLack(places.of(7), key)).to.equal(false);
    expect(lacksNothing(places.of(7))).to.equal(true);
  });

  it('keeps a bucket until its last write is applied', async () => {
    const places = new Places();
    const reads = new DirectReads(places, () => undefined);
    const keys = reads.join({ group: 1, keyspace: 1, isSound: () => true });
    keys.add(key);
    keys.add(key);
    keys.remove(key);
    await Promise.resolve();
    expect(mayLack(places.of(1), key)).to.equal(true);
    keys.remove(key);
    await Promise.resolve();
    expect(mayLack(places.of(1), key)).to.equal(false);
  });

  it('believes no block of another group or version, and none that is torn', async () => {
    const places = new Places();
    const reads = new DirectReads(places, () => undefined);
    const keys = reads.join({ group: 9, keyspace: 1, isSound: () => true });
    await Promise.resolve();
    const version = reads.versionOf(9);
    const block = places.of(9);
    expect(isOfVersion(block, { group: 9, version })).to.equal(true);
    expect(isOfVersion(block, { group: 10, version })).to.equal(false);
    expect(isOfVersion(block, { group: 9, version: version + 1 })).to.equal(false);
    expect(isOfVersion(new DataView(new ArrayBuffer(1_024)), { group: 9, version: 0 })).to.equal(
      false,
    );
    for (let at = 0; at < 300; at += 1) keys.add(encodeUtf8(`${at}`));
    await Promise.resolve();
    const later = places.of(9);
    // The head of the one with bytes of the other.
    for (let cut = 5; cut < 12; cut += 1) {
      const torn = new Uint8Array(1_024);
      torn.set(new Uint8Array(block.buffer, 0, cut));
      torn.set(new Uint8Array(later.buffer, cut, 528 - cut), cut);
      const view = new DataView(torn.buffer);
      const isOneOfBoth = [block, later].some(
        (one) => Buffer.compare(torn.subarray(0, 12), new Uint8Array(one.buffer, 0, 12)) === 0,
      );
      expect(isOfVersion(view, { group: 9, version })).to.equal(isOneOfBoth);
    }
  });

  it('closes what is not sound, gone, without a place, or switched off', async () => {
    const places = new Places();
    const reads = new DirectReads(places, () => undefined);
    let isSound = true;
    reads.join({ group: 1, keyspace: 11, isSound: () => isSound });
    reads.join({ group: 2, keyspace: 12, isSound: () => true });
    await Promise.resolve();
    const before = reads.versionOf(1);
    isSound = false;
    reads.renewKeyspace(11);
    await Promise.resolve();
    expect(reads.versionOf(1)).to.equal(0);
    expect(isOfVersion(places.of(1), { group: 1, version: before })).to.equal(false);
    isSound = true;
    reads.renew(1);
    expect(reads.versionOf(1)).to.be.greaterThan(before);
    const second = reads.versionOf(2);
    reads.leave(2);
    expect(reads.versionOf(2)).to.equal(0);
    expect(isOfVersion(places.of(2), { group: 2, version: second })).to.equal(false);
    places.isFull = true;
    reads.join({ group: 3, keyspace: 13, isSound: () => true });
    await Promise.resolve();
    expect(reads.versionOf(3)).to.equal(0);
    places.isFull = false;
    reads.switchOff();
    reads.renew(1);
    expect(reads.versionOf(1)).to.equal(0);
  });

  it('ends the process when a shard that is read cannot be published', async () => {
    const failures: Error[] = [];
    let isBroken = false;
    const reads = new DirectReads(
      {
        write: () => {
          if (isBroken) throw new Error('broken');
          return true;
        },
        release: () => undefined,
      },
      (error) => failures.push(error),
    );
    const keys = reads.join({ group: 1, keyspace: 1, isSound: () => true });
    await Promise.resolve();
    isBroken = true;
    keys.add(key);
    await Promise.resolve();
    expect(failures.map(({ message }) => message)).to.deep.equal(['broken']);
  });
});

describe('a database whose store others read', () => {
  let places: Places;
  let database: Database;
  let group: ShardReplica;

  const open = async (disk = new MemoryDisk()): Promise<void> => {
    database = await openOver({ disk, blocks: places });
  };

  const lacks = (name: string): boolean =>
    mayLack(places.of(group.options.group), encodeUtf8(name));
  const version = (): number => database.directVersionOf(group.options.group);
  const isValid = (known: number): boolean =>
    isOfVersion(places.of(group.options.group), { group: group.options.group, version: known });

  beforeEach(async () => {
    places = new Places();
    await open();
    await change(database, { type: 'createDatabase', id: 'd', name: 'd' });
    group = await createTable(database, 't');
  });

  afterEach(() => database.stop());

  it('has published a write when it is acknowledged, hard or softly, until the store has it', async () => {
    for (const durability of ['hard', 'soft'] as const) {
      const name = `of ${durability}`;
      const edit = { key: encodeUtf8(name), evaluate: () => ({ id: name }) };
      await editAll(group, [edit], durability, signal);
      expect(lacks(name)).to.equal(true);
      expect(lacksNothing(places.of(group.options.group))).to.equal(false);
      await group.sync();
      await database.settled();
      await Promise.resolve();
      expect(lacks(name)).to.equal(false);
      expect(lacksNothing(places.of(group.options.group))).to.equal(true);
    }
  });

  it('publishes nothing of a write that the log refused', async () => {
    const disk = new MemoryDisk(2 * segmentBytes);
    await database.stop();
    await open(disk);
    await change(database, { type: 'createDatabase', id: 'd', name: 'd' });
    group = await createTable(database, 'u');
    const refused: string[] = [];
    for (let at = 0; refused.length === 0 && at < 2_000; at += 8) {
      const names = Array.from({ length: 8 }, (_, nth) => `${at + nth}`);
      const ends = await Promise.allSettled(names.map((name) => put(group, name)));
      refused.push(...names.filter((_, nth) => ends[nth]?.status === 'rejected'));
    }
    expect(refused).not.to.deep.equal([]);
    await database.settled();
    await Promise.resolve();
    expect(lacksNothing(places.of(group.options.group))).to.equal(true);
  });

  it('closes a table that is damaged', async () => {
    const known = version();
    expect(isValid(known)).to.equal(true);
    const damage = { code: 'storage.corrupt', message: 'It is damaged.' };
    database.corruption.groups.mark(group.options.group, damage);
    await Promise.resolve();
    expect([version(), isValid(known)]).to.deep.equal([0, false]);
    expect((await failureOf(put(group, 'a'))).code).to.equal('replication.table_damaged');
  });

  it('has another version when its indexes have changed, and none when it was dropped', async () => {
    const known = version();
    const index = { name: 'i', multi: false, geo: false, definition: '[]' };
    await change(database, { type: 'createIndex', tableId: 't', index });
    expect(version()).to.be.greaterThan(known);
    expect(isValid(known)).to.equal(false);
    const second = version();
    await change(database, { type: 'dropTable', id: 't' });
    expect([version(), isValid(second)]).to.deep.equal([0, false]);
  });
});
