import { batchOf, plainEdits, written } from '../../database/testing/edits.ts';
import { encodeUtf8 } from '../../common/bytes.ts';
import { Database } from '../../database/database.ts';
import { plainDocuments } from '../../database/testing/plain-documents.ts';
import type { DocumentCheck } from '../../datum/document-check.ts';
import type { Datum } from '../../datum/datum.ts';
import { MemoryDisk } from '../../disk/memory-disk.ts';
import { MemoryStore } from '../../kv/memory-store.ts';
import type { ApplyStore } from '../../kv/store.ts';
import type { MetadataCommand } from '../../metadata/command.ts';
import type { TableRecord } from '../../metadata/state.ts';
import { newTable } from '../../metadata/testing/new-table.ts';
import { machineClock } from '../../node/clock.ts';
import { TableScan } from '../../shard/scan.ts';
import type { ShardReplica } from '../../shard/shard-replica.ts';
import { openWal } from '../../wal/open-wal.ts';
import { ManualClock } from '../../wal/testing/manual-clock.ts';

/** Databases in memory, over the real log, that tables are moved between. */
export const { signal } = new AbortController();

export interface Home {
  readonly store: ApplyStore;
  readonly disk: MemoryDisk;
}

export const newHome = (): Home => ({ store: new MemoryStore(), disk: new MemoryDisk() });

/** The value of a document's field, as the index key. */
function compileIndex(field: string): (text: string) => Uint8Array[] {
  if (field === '') throw new Error('no function');
  return (text) => {
    const value = (JSON.parse(text) as Record<string, string>)[field];
    return value === undefined ? [] : [encodeUtf8(value)];
  };
}

export function openHome(
  { store, disk }: Home,
  documents: DocumentCheck = plainDocuments,
): Promise<Database> {
  return Database.open({
    clock: machineClock,
    store,
    openLog: ({ isFirst: _isFirst, ...replay }) =>
      openWal({
        ...replay,
        disk,
        directory: '/data/wal',
        segmentBytes: 16_384,
        clock: new ManualClock(),
        random: () => 0.25,
      }),
    documents,
    edits: plainEdits,
    compileIndex,
    memtableBytesMax: 8_000_000,
    cacheBytesMax: 0,
    onProgress: () => undefined,
    signal,
  });
}

export async function change(database: Database, command: MetadataCommand): Promise<void> {
  const result = await database.change(command);
  if ('type' in result) throw new Error(result.message);
}

/** A database `d` with a table `t`. */
export async function openWithTable(home = newHome()): Promise<Database> {
  const database = await openHome(home);
  await change(database, { type: 'createDatabase', id: 'd', name: 'd' });
  await change(database, { type: 'createTable', table: newTable('t') });
  return database;
}

export function tableOf(database: Database, id = 't'): TableRecord {
  const table = database.state.tables[id];
  if (table === undefined) throw new Error(`no table ${id}`);
  return table;
}

export function groupOf(database: Database, id = 't'): ShardReplica {
  const group = database.table(id)?.shards[0];
  if (group === undefined) throw new Error(`no table ${id}`);
  return group;
}

export async function put(database: Database, key: string, v: Datum, id = 't'): Promise<void> {
  const edit = { key: encodeUtf8(key), change: written(v === null ? null : { id: key, v }) };
  const [outcome] = await groupOf(database, id).edit(batchOf([edit]), signal);
  if (outcome?.error !== undefined) throw new Error(outcome.error.message);
}

export async function textsOf(database: Database, id = 't'): Promise<string[]> {
  const scan = new TableScan(groupOf(database, id), {}, 'ascending');
  const texts: string[] = [];
  for (;;) {
    const batch = await scan.next({ rows: 100, bytes: 1_000_000 }, signal);
    if (batch === undefined) return texts;
    texts.push(...batch.map(({ text }) => text));
  }
}

export async function indexesReady(database: Database, id: string): Promise<void> {
  while (tableOf(database, id).indexes.some(({ ready }) => !ready)) {
    await database.changed(AbortSignal.timeout(5_000));
  }
}

export async function collected(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** A stream in pieces of some length. */
export async function* piecesOf(bytes: Uint8Array, length = 1_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += length) {
    await Promise.resolve();
    yield bytes.subarray(at, at + length);
  }
}
