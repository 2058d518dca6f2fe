import { batchOf, written } from '../../dataplane/database/testing/edits.ts';
import { createHash } from 'node:crypto';
import { Prng } from '../../dataplane/common/prng.ts';
import { documentProblem } from '../../dataplane/datum/document.ts';
import { encodeKey } from '../../dataplane/datum/key.ts';
import { createEditEngine } from '../../dataplane/query/edit-engine.ts';
import { compileIndex } from '../../dataplane/query/index-function.ts';
import type { BatchSource, Row } from '../../dataplane/wire/table-access.ts';
import type { GroupLog } from '../../dataplane/replication/log.ts';
import { Database } from '../../dataplane/database/database.ts';
import { IndexScan } from '../../dataplane/shard/index-scan.ts';
import { TableScan } from '../../dataplane/shard/scan.ts';
import type { LmdbStore } from '../../dataplane/storage/lmdb-store.ts';
import { machineClock } from '../../dataplane/node/clock.ts';
import { newTable } from '../../dataplane/metadata/testing/new-table.ts';

/** A database over a store whose log has let go of everything: nothing can be had from elsewhere. */
const { signal } = new AbortController();
const documents = 3_000;
const keyOf = (at: number): string => `key-${String(at).padStart(5, '0')}`;

const forgetful: GroupLog = {
  full: false,
  room: () => Promise.resolve(),
  append: () => Promise.resolve(),
  truncateFront: () => Promise.resolve(),
  recovery: { records: 0, bytes: 0, lastIndex: () => undefined },
  damaged: new Map(),
  failed: new Promise(() => undefined),
  close: () => Promise.resolve(),
};

export function openOver(store: LmdbStore): Promise<Database> {
  return Database.open({
    clock: machineClock,
    store,
    openLog: () => Promise.resolve(forgetful),
    documents: { problemOf: documentProblem },
    edits: createEditEngine(),
    compileIndex,
    memtableBytesMax: 1 << 24,
    cacheBytesMax: 0,
    onProgress: () => undefined,
    signal,
  });
}

/** Documents of all sizes with two indexes; some are replaced and some deleted, so that pages are free. */
export async function fill(store: LmdbStore, seed: number): Promise<void> {
  const prng = new Prng(seed);
  const database = await openOver(store);
  await database.change({ type: 'createDatabase', id: 'd', name: 'd' });
  await database.change({ type: 'createTable', table: newTable('t') });
  for (const name of ['group', 'tags']) {
    const index = { name, multi: name === 'tags', geo: false, definition: JSON.stringify(name) };
    await database.change({ type: 'createIndex', tableId: 't', index });
  }
  while (database.state.tables['t']?.indexes.some(({ ready }) => !ready) === true) {
    await database.changed(AbortSignal.timeout(10_000));
  }
  const group = database.table('t')?.shards[0];
  if (group === undefined) throw new Error('the table is gone');
  for (const round of [1, 2]) {
    for (let first = 0; first < documents; first += 250) {
      const edits = Array.from({ length: 250 }, (_, at) => keyOf(first + at))
        .filter(() => round === 1 || prng.next() < 0.3)
        .map((id) => {
          const size = prng.below(20) === 0 ? prng.below(9_000) : prng.below(400);
          const tags = Array.from({ length: prng.below(4) }, () => `tag ${prng.below(50)}`);
          const document = { id, group: prng.below(100), tags, text: 'x'.repeat(size) };
          const next = round === 2 && prng.next() < 0.3 ? null : document;
          return { key: encodeKey(id), change: written(next) };
        });
      await group.edit(batchOf(edits), signal);
      await database.settled();
    }
  }
  await database.stop();
}

/** One number for everything that can be read: by key, by scans both ways, by each index. */
export async function answersOf(database: Database): Promise<string> {
  const hash = createHash('sha256');
  const table = database.state.tables['t'];
  const group = database.table('t')?.shards[0];
  if (table === undefined || group === undefined) return 'no table';
  hash.update(JSON.stringify([database.state, group.count]));
  for (let at = 0; at < documents; at += 1) {
    hash.update((await group.get(encodeKey(keyOf(at))))?.text ?? 'none');
  }
  const scans: BatchSource<Row>[] = (['ascending', 'descending'] as const).flatMap((order) => [
    new TableScan(group, {}, order),
    ...table.indexes.map(({ keyspace }) => {
      const index = database.index(keyspace);
      if (index === undefined) throw new Error('an index is gone');
      return new IndexScan(group, { index, range: {}, order });
    }),
  ]);
  for (const scan of scans) {
    for (;;) {
      const rows = await scan.next({ rows: 1_000, bytes: 1 << 24 }, signal);
      if (rows === undefined) break;
      for (const { text } of rows) hash.update(text);
    }
  }
  return hash.digest('hex');
}
