import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { editAll } from '../database/testing/edits.ts';
import { change, openOver, signal } from '../database/testing/over-log.ts';
import { MemoryDisk } from '../disk/memory-disk.ts';
import { newTable } from '../metadata/testing/new-table.ts';
import { segmentBytes } from '../wal/testing/log.ts';
import type { ShardedTable } from './sharded-table.ts';

const memtableBytesMax = 4_000;

/** A table of two shards over a log whose disk has room for one segment; nobody sees beforehand that it is full. */
async function open(): Promise<{ table: ShardedTable; stop: () => Promise<void> }> {
  const disk = new MemoryDisk(segmentBytes + segmentBytes / 2);
  const surprise = { next: (): number => 1 };
  const database = await openOver({ disk, surprise, memtableBytesMax });
  await change(database, { type: 'createDatabase', id: 'd', name: 'd' });
  const twoShards = newTable('t', { shards: 2 });
  await change(database, { type: 'createTable', format: 2, table: twoShards });
  const table = database.table('t');
  if (table === undefined) throw new Error('there is no table');
  return { table, stop: () => database.stop() };
}

/** A key of each shard. */
function keysOf(table: ShardedTable): Uint8Array[] {
  return table.shards.map((shard) => {
    for (let at = 0; at < 1_000; at += 1) {
      const key = encodeUtf8(`key ${at}`);
      if (table.of(key) === shard) return key;
    }
    throw new Error('a shard without keys');
  });
}

describe('a table of several shards', () => {
  it('acknowledges no soft write that a shard refused while another waited for room', async () => {
    const { table, stop } = await open();
    const [key = new Uint8Array(), other = new Uint8Array()] = keysOf(table);
    const large = { text: 'x'.repeat(memtableBytesMax) };
    const write = { key, evaluate: () => large };
    let isFull = false;
    for (let round = 0; !isFull && round < 100; round += 1) {
      const filler = { key: encodeUtf8(`filler ${round}`), evaluate: () => large };
      isFull = await editAll(table, [filler], 'hard', signal).then(
        () => false,
        () => true,
      );
    }
    expect(isFull).to.equal(true);

    // The second waits until the first has left the memtable, and changes nothing.
    const edit = editAll(table, [write, { key: other, evaluate: (old) => old }], 'soft', signal);
    const [outcomes] = await Promise.all([edit, table.sync().catch(() => undefined)]);
    expect(outcomes.map(({ result }) => result)).to.deep.equal(['failed', 'skipped']);
    expect(outcomes[0]?.error?.code).to.equal('wal.disk_full');
    await table.sync();
    expect(await table.get(key)).to.equal(undefined);
    await stop();
  });
});
