import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import type { IndexRecord, Placement, TableRecord } from '../metadata/state.ts';
import { SlotMap } from '../partition/hash-slots.ts';
import type { KeyspaceStatistics } from '../table/row-sum.ts';
import { shardsMax } from '../wire/table-access.ts';

/** What stands in the frames of an export. */

type ExportedTable = Omit<TableRecord, 'id' | 'databaseId' | 'keyspace' | 'indexes'>;
type ExportedIndex = Omit<IndexRecord, 'keyspace' | 'ready' | 'parts'>;

/** JSON text. */
export interface TransferHeader {
  readonly database: string;
  readonly table: ExportedTable;
  readonly indexes: readonly ExportedIndex[];
  /** Of the rows where they come from, but for those of a placement: their checksums cover it. */
  readonly keyspace: number;
  /** The last log entry that the source had applied when the export began. */
  readonly position: number;
}

/** A row of the source: the key in its keyspace, and the stored value; without one the row is gone. */
export interface TransferRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

export interface TransferTrailer extends KeyspaceStatistics {
  /** The stream is the table as it was when this log entry was applied. */
  readonly position: number;
  /** Rows in the stream, with each change of one that was in it before. */
  readonly records: number;
}

export const encodeHeader = (header: TransferHeader): Uint8Array =>
  encodeUtf8(JSON.stringify(header));

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

const isName = (value: unknown): boolean =>
  typeof value === 'string' && /^[A-Za-z0-9_-]+$/.test(value);

const isIndex = (value: unknown): boolean =>
  isObject(value) &&
  typeof value['name'] === 'string' &&
  typeof value['definition'] === 'string' &&
  typeof value['multi'] === 'boolean' &&
  typeof value['geo'] === 'boolean';

const isHook = (value: unknown): boolean =>
  isObject(value) && typeof value['format'] === 'number' && typeof value['definition'] === 'string';

const isSlots = (value: unknown): boolean =>
  Array.isArray(value) && value.every((range) => Array.isArray(range) && range.length === 2);

const isPlacement = (value: unknown): value is Placement =>
  isObject(value) &&
  Number.isSafeInteger(value['epoch']) &&
  Array.isArray(value['shards']) &&
  value['shards'].length > 0 &&
  value['shards'].length <= shardsMax &&
  value['shards'].every(
    (shard) =>
      isObject(shard) && Number.isSafeInteger(shard['keyspace']) && isSlots(shard['slots']),
  ) &&
  isMap(value as unknown as Placement);

/** Whether each slot has one owner. */
function isMap({ epoch, shards }: Placement): boolean {
  try {
    return (
      new SlotMap(
        epoch,
        shards.map(({ slots }) => slots),
      ).shards > 0
    );
  } catch {
    return false;
  }
}

/** The keyspace that a row of an export has where it comes from. */
export function sourceKeyspaces({
  keyspace,
  table: { placement },
}: Pick<TransferHeader, 'keyspace' | 'table'>): (key: Uint8Array) => number {
  if (placement === undefined) return () => keyspace;
  const { epoch, shards } = placement;
  const map = new SlotMap(
    epoch,
    shards.map(({ slots }) => slots),
  );
  return (key) => shards[map.shardOf(key)]?.keyspace ?? keyspace;
}

const isTable = (value: unknown): boolean =>
  isObject(value) &&
  isName(value['name']) &&
  typeof value['primaryKey'] === 'string' &&
  ['hard', 'soft'].includes(String(value['durability'])) &&
  ['string', 'undefined'].includes(typeof value['expireAt']) &&
  ['single', 'majority', undefined].includes(value['writeAcks'] as undefined) &&
  (value['writeHook'] === undefined || isHook(value['writeHook'])) &&
  (value['placement'] === undefined || isPlacement(value['placement']));

/** Undefined for a text that is no header. */
export function decodeHeader(body: Uint8Array): TransferHeader | undefined {
  let header: unknown;
  try {
    header = JSON.parse(decodeUtf8(body));
  } catch {
    return undefined;
  }
  if (!isObject(header)) return undefined;
  const { database, table, indexes, keyspace, position } = header;
  const isWhole =
    isName(database) &&
    isTable(table) &&
    Array.isArray(indexes) &&
    indexes.every(isIndex) &&
    Number.isSafeInteger(keyspace) &&
    Number.isSafeInteger(position);
  return isWhole ? (header as unknown as TransferHeader) : undefined;
}

const rowKind = { put: 1, gone: 2 } as const;

/** The body of a frame of rows or changes, made row by row. */
export class RowsBody {
  readonly #writer: ByteWriter;
  #count = 0;

  constructor(capacity: number) {
    this.#writer = new ByteWriter(capacity).u32(0);
  }

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#writer.length;
  }

  add(key: Uint8Array, value: Uint8Array | undefined): void {
    this.#count += 1;
    this.#writer.u8(value === undefined ? rowKind.gone : rowKind.put).prefixed(key);
    if (value !== undefined) this.#writer.prefixed(value);
  }

  finish(): Uint8Array {
    this.#writer.patchU32(0, this.#count);
    return this.#writer.finish();
  }
}

/** Views into the body. Throws `common.truncated` when it is not what `RowsBody` makes. */
export function* decodeRows(body: Uint8Array): Generator<TransferRow> {
  const reader = new ByteReader(body);
  const count = reader.u32();
  for (let row = 0; row < count; row += 1) {
    const kind = reader.u8();
    const key = reader.prefixed();
    yield { key, value: kind === rowKind.put ? reader.prefixed() : undefined };
  }
}

export function encodeTrailer(trailer: TransferTrailer): Uint8Array {
  const { position, records, count, bytes, hash } = trailer;
  const writer = new ByteWriter(40);
  return writer.u64(position).u64(records).u64(count).u64(bytes).u64(hash).finish();
}

export function decodeTrailer(body: Uint8Array): TransferTrailer {
  const reader = new ByteReader(body);
  const [position, records] = [reader.u64(), reader.u64()];
  return { position, records, count: reader.u64(), bytes: reader.u64(), hash: reader.u64() };
}
