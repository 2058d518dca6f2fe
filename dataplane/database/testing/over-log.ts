import { editAll, plainEdits } from './edits.ts';
import { encodeUtf8 } from '../../common/bytes.ts';
import type { Prng } from '../../common/prng.ts';
import type { MemoryDisk } from '../../disk/memory-disk.ts';
import { MemoryStore } from '../../kv/memory-store.ts';
import type { MetadataCommand } from '../../metadata/command.ts';
import { newTable } from '../../metadata/testing/new-table.ts';
import { machineClock } from '../../node/clock.ts';
import type { GroupLog } from '../../replication/log.ts';
import type { BlockPlaces } from '../../shard/direct-reads.ts';
import { TableScan } from '../../shard/scan.ts';
import type { ShardReplica } from '../../shard/shard-replica.ts';
import { openWal } from '../../wal/open-wal.ts';
import { ManualClock } from '../../wal/testing/manual-clock.ts';
import { Database } from '../database.ts';
import { plainDocuments } from './plain-documents.ts';

export const signal = new AbortController().signal;

/** A database over the real log on a disk in memory. */
export function openOver({
  disk,
  store = new MemoryStore(),
  clock = new ManualClock(),
  queueBytesMax,
  surprise,
  ...limits
}: {
  readonly disk: MemoryDisk;
  readonly store?: MemoryStore;
  readonly clock?: ManualClock;
  readonly queueBytesMax?: number;
  /** Decides how often nobody sees that the log is full before it refuses. */
  readonly surprise?: Pick<Prng, 'next'>;
  readonly commandBytesMax?: number;
  readonly memtableBytesMax?: number;
  readonly blocks?: BlockPlaces;
}): Promise<Database> {
  return Database.open({
    clock: machineClock,
    store,
    openLog: async ({ isFirst: _isFirst, ...replay }) => {
      const log = await openWal({
        ...replay,
        disk,
        directory: '/data/wal',
        segmentBytes: 16_384,
        clock,
        ...(queueBytesMax === undefined ? {} : { queueBytesMax }),
        random: () => 0.25,
      });
      return surprise === undefined ? log : surprising(log, surprise);
    },
    documents: plainDocuments,
    edits: plainEdits,
    compileIndex: () => () => [],
    memtableBytesMax: 100_000,
    ...limits,
    cacheBytesMax: 10_000,
    onProgress: () => undefined,
    signal,
  });
}

/** Its refusals come as a surprise, as they do when others take the room. */
export function surprising(log: GroupLog, prng: Pick<Prng, 'next'>): GroupLog {
  return new Proxy(log, {
    get: (target, name) => {
      if (name === 'full') return log.full && prng.next() < 0.5;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

export async function change(database: Database, command: MetadataCommand): Promise<void> {
  const result = await database.change(command);
  if ('type' in result) throw new Error(result.message);
}

export async function createTable(database: Database, id: string): Promise<ShardReplica> {
  await change(database, { type: 'createTable', table: newTable(id) });
  return groupOf(database, id);
}

export function groupOf(database: Database, id: string): ShardReplica {
  const group = database.table(id)?.shards[0];
  if (group === undefined) throw new Error(`no table ${id}`);
  return group;
}

export const put = (group: ShardReplica, key: string): Promise<unknown> =>
  editAll(group, [{ key: encodeUtf8(key), evaluate: () => ({ id: key }) }], 'hard', signal);

export async function keysOf(group: ShardReplica): Promise<string[]> {
  const rows = await new TableScan(group, {}, 'ascending').next(
    { rows: 10_000, bytes: 1_000_000 },
    signal,
  );
  return (rows ?? []).map((row) => Buffer.from(row.key).toString());
}
