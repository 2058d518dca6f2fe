import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import type { Datum } from '../datum/datum.ts';
import { MemoryDisk } from '../disk/memory-disk.ts';
import { MemoryStore } from '../kv/memory-store.ts';
import { failureOf, segmentBytes } from '../wal/testing/log.ts';
import { ManualClock } from '../wal/testing/manual-clock.ts';
import type { Database } from './database.ts';
import type { TableGroup } from './table-group.ts';
import { change, createTable, groupOf, keysOf, openOver, put, signal } from './testing/over-log.ts';

interface World {
  readonly disk: MemoryDisk;
  readonly store: MemoryStore;
  readonly clock: ManualClock;
  readonly database: Database;
  readonly group: TableGroup;
}

const path = '/other/ballast';

/** A disk with room for one segment, and for a second one when the ballast is gone. */
async function open(): Promise<World> {
  const disk = new MemoryDisk(2 * segmentBytes);
  await disk.makeDirectory('/other');
  await (await disk.open(path, 'create')).write(0, new Uint8Array(segmentBytes / 2));
  const [store, clock] = [new MemoryStore(), new ManualClock()];
  const database = await openOver({ disk, store, clock });
  await change(database, { type: 'createDatabase', id: 'd', name: 'd' });
  return { disk, store, clock, database, group: await createTable(database, 't') };
}

/** Writes until it is refused, in rounds of writers side by side; answers the keys that were acknowledged. */
async function fill({ group }: World): Promise<string[]> {
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

async function makeRoom({ disk, clock }: World): Promise<void> {
  await disk.remove(path);
  clock.advance(1_000);
}

/** What is there is what was acknowledged, now and after a restart from the log alone. */
async function expectKeys(world: World, keys: readonly string[]): Promise<void> {
  const wanted = [...keys].sort();
  expect(await keysOf(world.group)).to.deep.equal(wanted);
  expect(world.group.count).to.equal(wanted.length);
  const again = await openOver({ disk: world.disk.crash(() => true) });
  expect(await keysOf(groupOf(again, 't'))).to.deep.equal(wanted);
  await again.stop();
}

describe('a table whose log has no room', () => {
  it('refuses writes, serves reads, and goes on when there is room', async () => {
    const world = await open();
    const written = await fill(world);
    expect(written.length).to.be.greaterThan(20);
    expect((await failureOf(put(world.group, 'no'))).code).to.equal('wal.disk_full');
    const create = createTable(world.database, 'other');
    expect((await failureOf(create)).code).to.equal('wal.disk_full');
    expect(await keysOf(world.group)).to.deep.equal([...written].sort());
    await makeRoom(world);
    await put(world.group, 'yes');
    await put(await createTable(world.database, 'other'), 'yes');
    await expectKeys(world, [...written, 'yes']);
    await world.database.stop();
  });

  it('builds nothing on what was refused', async () => {
    const world = await open();
    const { group } = world;
    const increment = (): Promise<unknown> =>
      group.edit([{ key: encodeUtf8('n'), evaluate: plusOne }], 'hard', signal);
    let acknowledged = 0;
    for (let isFull = false; !isFull;) {
      const outcomes = await Promise.allSettled(Array.from({ length: 9 }, increment));
      acknowledged += outcomes.filter(({ status }) => status === 'fulfilled').length;
      isFull = outcomes.some(({ status }) => status === 'rejected');
    }
    await makeRoom(world);
    await increment();
    const row = await group.get(encodeUtf8('n'));
    expect(row?.text).to.equal(JSON.stringify({ id: 'n', n: acknowledged + 1 }));
    await world.database.stop();
  });

  it('forgets an edit that was evaluated on a document that was refused', async () => {
    const world = await open();
    const { group } = world;
    const filler = 'x'.repeat(2_000);
    let last: PromiseSettledResult<unknown>[] = [];
    const waits = Promise.withResolvers<void>();
    let latched = Promise.resolve<readonly { readonly error?: Error }[]>([]);
    for (let round = 0; !last.some(({ status }) => status === 'rejected'); round += 1) {
      const key = encodeUtf8(`k${round}`);
      const first = group.edit([{ key, evaluate: () => ({ filler }) }], 'hard', signal);
      const late = async (old: Datum): Promise<Datum> => {
        await waits.promise;
        return { built: old };
      };
      latched = group.edit([{ key, evaluate: late }], 'hard', signal);
      last = await Promise.allSettled([first]);
    }
    await makeRoom(world);
    waits.resolve();
    const [outcome] = await latched;
    expect(outcome?.error).to.include({ code: 'wal.disk_full' });
    await put(group, 'next');
    expect((await keysOf(group)).at(-1)).to.equal('next');
    await world.database.stop();
  });

  it('lets readers behind soft writes go on without those that were refused', async () => {
    const world = await open();
    const written = await fill(world);
    await makeRoom(world);
    const soft = Array.from({ length: 400 }, (_, at) => `soft/${at}`);
    for (const key of soft) {
      const edit = { key: encodeUtf8(key), evaluate: (): Datum => ({ id: key }) };
      await world.group.edit([edit], 'soft', signal).catch(() => undefined);
    }
    const found = await keysOf(world.group);
    expect(found.filter((key) => !key.startsWith('soft'))).to.deep.equal([...written].sort());
    expect(found.length).to.be.within(written.length + 1, written.length + soft.length - 1);
    await expectKeys(world, found);
    await world.database.stop();
  });
});

const plusOne = (old: Datum): Datum => {
  const before = (old as { n: number } | null)?.n ?? 0;
  return { id: 'n', n: before + 1 };
};
