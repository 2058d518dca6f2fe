import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import type { ReadTransaction, WriteTransaction } from '../kv/store.ts';
import { tableChanges } from '../metadata/changes.ts';
import { emptyState, metadataFormat } from '../metadata/state.ts';
import type { MetadataState, TableRecord } from '../metadata/state.ts';
import { metadataGroup } from '../replication/entry-kind.ts';
import { decodeStored, encodeEnvelope, keyspaceKey } from '../table/envelope.ts';
import { CatalogLostError, CatalogNewerError } from './errors.ts';

/**
 * The metadata in the store: a head, and a record of each table, so that a change writes what it changes.
 * Guarded invariant: the head says how many tables there are, and a table that is missing is never taken for
 * one that was dropped.
 */
interface Head extends Omit<MetadataState, 'tables'> {
  readonly tableCount: number;
}

/** As states were stored before: all in one value. */
type Whole = MetadataState;

const headKey = encodeUtf8('metadata');
const noKey = new Uint8Array();

const tableKey = (id: string): Uint8Array => keyspaceKey(metadataGroup, encodeUtf8(id));
const tableRange = {
  start: keyspaceKey(metadataGroup, noKey),
  end: keyspaceKey(metadataGroup + 1, noKey),
};

const textOf = (value: unknown): Uint8Array => encodeUtf8(JSON.stringify(value));

/** Undefined in a store that has none. */
export function readMetadata(view: ReadTransaction): MetadataState | undefined {
  const bytes = view.get('meta', headKey);
  if (bytes === undefined) return undefined;
  const stored = JSON.parse(decodeUtf8(bytes)) as Head | Whole;
  if (stored.format > metadataFormat) throw new CatalogNewerError(stored.format, metadataFormat);
  if (isWhole(stored)) return stored;
  const { tableCount, ...head } = stored;
  const tables: Record<string, TableRecord> = {};
  let count = 0;
  for (const { key, value } of view.entries('catalog', tableRange)) {
    const table = JSON.parse(decodeUtf8(decodeStored(key, value).body)) as TableRecord;
    tables[table.id] = table;
    count += 1;
  }
  if (count !== tableCount) throw new CatalogLostError();
  return { ...head, tables };
}

/** Whether the store has a record of each table: otherwise the next change writes all of them. */
export function hasRecords(view: ReadTransaction): boolean {
  const bytes = view.get('meta', headKey);
  return bytes !== undefined && !isWhole(JSON.parse(decodeUtf8(bytes)) as Head | Whole);
}

const isWhole = (stored: Head | Whole): stored is Whole => 'tables' in stored;

/** Writes what differs between what the store has, undefined for nothing, and a later state. */
export function writeMetadata(
  transaction: WriteTransaction,
  before: MetadataState | undefined,
  after: MetadataState,
): void {
  const { put, removed } = tableChanges(before ?? emptyState, after);
  for (const table of put) {
    const key = tableKey(table.id);
    const body = textOf(table);
    transaction.put('catalog', key, encodeEnvelope(key, { version: table.keyspace, body }));
  }
  for (const { id } of removed) transaction.remove('catalog', tableKey(id));
  const { tables, ...head } = after;
  const isSame =
    before !== undefined && put.length + removed.length === 0 && isSameHead(before, after);
  if (isSame) return;
  const tableCount = Object.keys(tables).length;
  transaction.put('meta', headKey, textOf({ ...head, tableCount } satisfies Head));
}

function isSameHead(before: MetadataState, after: MetadataState): boolean {
  return (
    before.format === after.format &&
    before.databases === after.databases &&
    before.users === after.users &&
    before.members === after.members &&
    before.founder === after.founder &&
    before.givenUp === after.givenUp &&
    before.garbage === after.garbage &&
    before.imports === after.imports &&
    before.importing === after.importing &&
    before.nextKeyspace === after.nextKeyspace
  );
}
