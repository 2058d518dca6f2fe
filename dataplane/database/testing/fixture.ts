import { editAll, plainEdits } from './edits.ts';
import { decodeUtf8, encodeUtf8 } from '../../common/bytes.ts';
import type { Clock } from '../../common/clock.ts';
import type { ShardEngine } from '../../wire/shard-engine.ts';
import type { Datum } from '../../datum/datum.ts';
import { isUncheckedMark } from '../../integrity/unchecked.ts';
import { MemoryStore } from '../../kv/memory-store.ts';
import type { ApplyStore } from '../../kv/store.ts';
import type { IndexRecord, MetadataState } from '../../metadata/state.ts';
import { newTable } from '../../metadata/testing/new-table.ts';
import { machineClock } from '../../node/clock.ts';
import type { GroupLog, LogEntry } from '../../replication/log.ts';
import { IndexScan } from '../../shard/index-scan.ts';
import { TableScan } from '../../shard/scan.ts';
import type { ShardReplica } from '../../shard/shard-replica.ts';
import type { CompileIndex } from '../../table/apply.ts';
import { Database } from '../database.ts';
import type { DatabaseOptions } from '../options.ts';
import { plainDocuments } from './plain-documents.ts';

/** A database with one table over a store and a log in memory, which outlive it. */
export const { signal } = new AbortController();
const limit = { rows: 7, bytes: 1_000_000 };

type Flushed = Parameters<GroupLog['truncateFront']>[0];

/** A log that survives a restart of the database: entries are durable when `append` resolves. */
class TestLog implements GroupLog {
  readonly entries: LogEntry[];
  readonly failed: Promise<Error>;
  fail: (error: Error) => void = () => undefined;
  broken: Error | undefined;

  constructor(entries: LogEntry[]) {
    this.entries = entries;
    this.failed = new Promise((resolve) => (this.fail = resolve));
  }

  async append(records: readonly LogEntry[]): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.broken !== undefined) throw this.broken;
    this.entries.push(...records);
  }

  /** What it was asked to let go of, in order, and when for the first time. */
  readonly releases: Flushed[] = [];
  readonly released = Promise.withResolvers<Flushed>();

  async truncateFront(flushed: Flushed): Promise<void> {
    this.releases.push(flushed);
    this.released.resolve(flushed);
    await Promise.resolve();
  }

  readonly full = false;
  readonly damaged = new Map();

  async room(): Promise<void> {
    await Promise.resolve();
  }

  readonly recovery = {
    records: 0,
    bytes: 0,
    lastIndex: (group: number): { index: number } | undefined =>
      this.entries.findLast((entry) => entry.group === group),
  };

  async close(): Promise<void> {
    await Promise.resolve();
  }
}

/** The value of a document's field `v`, as the index key. */
function keysOf(definition: string, multi: boolean): (text: string) => Uint8Array[] {
  return (text) => {
    const value = (JSON.parse(text) as Record<string, string | string[]>)[definition];
    if (value === undefined) return [];
    return (multi && Array.isArray(value) ? value : [String(value)]).map(encodeUtf8);
  };
}

export interface Fixture {
  readonly store: MemoryStore;
  readonly entries: LogEntry[];
  log: TestLog;
}

export async function open(
  fixture: Fixture,
  {
    store = fixture.store,
    /** Called after each entry that is replayed. */
    replayed = () => Promise.resolve(),
    /** Called for each document of which an index wants the keys. */
    visited = () => undefined,
    compileIndex = keysOf,
    edits = plainEdits,
    memtableBytesMax = 100_000,
    clock = machineClock,
    replicate,
    blocks,
    commandBytesMax,
  }: {
    store?: ApplyStore;
    replayed?: () => Promise<void>;
    visited?: () => unknown;
    compileIndex?: CompileIndex;
    edits?: ShardEngine;
    memtableBytesMax?: number;
    clock?: Clock;
    replicate?: DatabaseOptions['replicate'];
    blocks?: DatabaseOptions['blocks'];
    commandBytesMax?: number;
  } = {},
): Promise<Database> {
  return Database.open({
    blocks,
    ...(replicate === undefined ? {} : { replicate }),
    ...(commandBytesMax === undefined ? {} : { commandBytesMax }),
    store,
    clock,
    openLog: async (replay) => {
      for (const entry of fixture.entries) {
        if (entry.index <= replay.replayFrom(entry.group)) continue;
        await replay.onRecord(entry);
        await replayed();
      }
      fixture.log = new TestLog(fixture.entries);
      return fixture.log;
    },
    documents: plainDocuments,
    edits,
    compileIndex: (definition, multi, geo) => {
      const keys = compileIndex(definition, multi, geo);
      return (text) => {
        visited();
        return keys(text);
      };
    },
    memtableBytesMax,
    cacheBytesMax: 10_000,
    onProgress: () => undefined,
    signal,
  });
}

/** A store that calls `before` with each write, which may block it indefinitely. */
export function killable(
  store: ApplyStore,
  before: () => Promise<never> | undefined | void,
): ApplyStore {
  return {
    read: (body) => store.read(body),
    write: (body) => before() ?? store.write(body),
    flushed: () => store.flushed(),
    statistics: () => store.statistics(),
    close: () => store.close(),
  };
}

export const newFixture = (): Fixture => ({
  store: new MemoryStore(),
  entries: [],
  log: new TestLog([]),
});

export const stateOf = (
  result: MetadataState | { type: 'refused'; message: string },
): MetadataState => {
  if ('type' in result) throw new Error(result.message);
  return result;
};

export async function withTable(database: Database, expireAt?: string): Promise<ShardReplica> {
  stateOf(await database.change({ type: 'createDatabase', id: 'd', name: 'd' }));
  const table = newTable('t', expireAt === undefined ? {} : { expireAt });
  stateOf(await database.change({ type: 'createTable', table }));
  return groupOf(database);
}

export function groupOf(database: Database): ShardReplica {
  const group = database.table('t')?.shards[0];
  if (group === undefined) throw new Error('the table is gone');
  return group;
}

export async function withIndex(database: Database, name = 'v', multi = false): Promise<void> {
  const index = { name, multi, geo: false, definition: 'v' };
  stateOf(await database.change({ type: 'createIndex', tableId: 't', index }));
  await indexesReady(database);
}

/** Resolves when all indexes of the table are built. */
export async function indexesReady(database: Database): Promise<void> {
  while (database.state.tables['t']?.indexes.some(({ ready }) => !ready) === true) {
    await database.changed(AbortSignal.timeout(5_000));
  }
}

/** The table's first index. */
export function indexOf(database: Database): IndexRecord {
  const index = database.state.tables['t']?.indexes[0];
  if (index === undefined) throw new Error('no index');
  return index;
}

/** What `meta` of a store holds, but for what every store does. */
export const metaKeys = (store: ApplyStore): string[] =>
  store.read((view) =>
    [...view.entries('meta', {})]
      .filter(({ key }) => !isUncheckedMark(key))
      .map(({ key }) => decodeUtf8(key)),
  );

/** Resolves when nothing is left of what was dropped. */
export async function cleared(database: Database): Promise<void> {
  while (database.state.garbage.length > 0) await database.changed(AbortSignal.timeout(5_000));
}

/** The next process: the log is whole, the store is what the last one left. */
export const next = (fixture: Fixture): Fixture => ({ ...fixture, entries: [...fixture.entries] });

/** Documents by key and value, in one go. */
export const putMany = (group: ShardReplica, rows: readonly (readonly [string, string])[]) =>
  editAll(
    group,
    rows.map(([id, v]) => ({ key: encodeUtf8(id), evaluate: () => ({ id, v }) })),
    'hard',
    signal,
  );

export const put = (
  group: ShardReplica,
  key: string,
  v: Datum,
  durability: 'hard' | 'soft' = 'hard',
) =>
  editAll(
    group,
    [{ key: encodeUtf8(key), evaluate: () => (v === null ? null : { id: key, v }) }],
    durability,
    signal,
  );

/** What a read of the key is refused with. */
export async function refusalOf(group: ShardReplica, key: string): Promise<string> {
  try {
    await group.get(encodeUtf8(key));
    return 'answered';
  } catch (error) {
    return (error as Error).message;
  }
}

export async function scan(group: ShardReplica, order: 'ascending' | 'descending' = 'ascending') {
  const source = new TableScan(group, {}, order);
  const rows: string[] = [];
  for (;;) {
    const batch = await source.next(limit, signal);
    if (batch === undefined) return rows;
    rows.push(...batch.map((row) => row.text));
  }
}

export async function scanIndex(
  database: Database,
  range: { start?: Uint8Array; end?: Uint8Array } = {},
  order: 'ascending' | 'descending' = 'ascending',
): Promise<string[]> {
  const index = database.index(indexOf(database).keyspace);
  if (index === undefined) throw new Error('the index is not compiled');
  const source = new IndexScan(groupOf(database), { index, range, order });
  const rows: string[] = [];
  for (;;) {
    const batch = await source.next(limit, signal);
    if (batch === undefined) return rows;
    rows.push(...batch.map((row) => `${decodeUtf8(row.indexKey)}:${decodeUtf8(row.key)}`));
  }
}
