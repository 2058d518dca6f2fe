import { evaluatedOutside } from '../database/testing/edits.ts';
import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import type { Database } from '../database/database.ts';
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
import { TableScan } from '../shard/scan.ts';
import type { ShardReplica } from '../shard/shard-replica.ts';
import { failureOf } from '../wal/testing/log.ts';
import type { Failure } from '../wal/testing/log.ts';

const damage = { code: 'storage.corrupt', message: 'Two values are damaged.' };

async function withTables(): Promise<[Database, ShardReplica, ShardReplica]> {
  const database = await openOver({ disk: new MemoryDisk() });
  await change(database, { type: 'createDatabase', id: 'd', name: 'd' });
  const groups = [
    await createTable(database, 'sick'),
    await createTable(database, 'well'),
  ] as const;
  for (const group of groups) await put(group, 'a');
  return [database, ...groups];
}

/** Every way into a group. */
const waysInto = (group: ShardReplica): Promise<Failure>[] => [
  failureOf(Promise.resolve().then(() => group.get(encodeUtf8('a')))),
  failureOf(keysOf(group)),
  failureOf(group.readable()),
  failureOf(put(group, 'b')),
];

describe('a damaged table', () => {
  it('refuses every read and write with the reason; the other tables serve', async () => {
    const [database, sick, well] = await withTables();
    database.corruption.groups.mark(sick.options.group, damage);
    for (const { code, message } of await Promise.all(waysInto(sick))) {
      expect(code).to.equal('replication.table_damaged');
      expect(message).to.contain('Table `d.sick` is damaged').and.to.contain(damage.message);
    }
    await put(well, 'b');
    expect(await keysOf(well)).to.deep.equal(['a', 'b']);
    expect(database.corruption.first).to.deep.equal(damage);
    expect(database.corruption.tables()).to.deep.equal([{ name: 'd.sick', damage }]);
    await database.stop();
  });

  it('ends a scan and a write that are under way when it is found', async () => {
    const [database, sick] = await withTables();
    await put(sick, 'b');
    const scan = new TableScan(sick, {}, 'ascending');
    await scan.next({ rows: 1, bytes: 999 }, signal);
    const waits = Promise.withResolvers<Datum>();
    const edit = evaluatedOutside(sick, encodeUtf8('a'), () => waits.promise);
    await Promise.resolve();
    database.corruption.groups.mark(sick.options.group, damage);
    waits.resolve({ id: 'a', v: 1 });
    expect(await failureOf(edit)).to.include({ code: 'replication.table_damaged' });
    const failure = await failureOf(scan.next({ rows: 1, bytes: 999 }, signal));
    expect(failure.code).to.equal('replication.table_damaged');
    await database.stop();
  });

  it('is forgotten when the table is dropped, and the first reason counts until then', async () => {
    const [database, sick] = await withTables();
    const { group } = sick.options;
    database.corruption.groups.mark(group, damage);
    database.corruption.groups.mark(group, { code: 'other', message: 'Other.' });
    expect(database.corruption.groups.of(group)).to.equal(damage);
    await change(database, { type: 'dropTable', id: 'sick' });
    expect(database.corruption.groups.size).to.equal(0);
    expect(database.corruption.first).to.equal(undefined);
    await put(await createTable(database, 'sick'), 'c');
    expect(await keysOf(groupOf(database, 'sick'))).to.deep.equal(['c']);
    await database.stop();
  });

  it('serves again when it was restored', async () => {
    const [database, sick] = await withTables();
    database.corruption.groups.mark(sick.options.group, damage);
    database.corruption.groups.clear(sick.options.group);
    expect(await keysOf(sick)).to.deep.equal(['a']);
    await database.stop();
  });
});
