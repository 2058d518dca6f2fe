import { MetadataFrozenError } from '../apply/errors.ts';
import { fromHex } from '../common/bytes.ts';
import type { Database } from '../database/database.ts';
import { shownKey } from '../datum/shown-key.ts';
import { TableDamagedError } from '../integrity/errors.ts';
import { KeyOrderError } from '../kv/errors.ts';
import { keyspacesOf, placementOf, shardsOf } from '../metadata/shards.ts';
import { userIndexes } from '../metadata/state.ts';
import type { IndexRecord, TableRecord } from '../metadata/state.ts';
import { evenSlots, SlotMap } from '../partition/hash-slots.ts';
import type { TableInfo } from '../query/environment.ts';
import {
  DamagedDocumentError,
  errorType,
  IndexBuildingError,
  RuntimeError,
} from '../query/errors.ts';
import { isRefusal, NotLeaderError, OutcomeUnknownError } from '../replication/errors.ts';
import type { ShardReplica } from '../shard/shard-replica.ts';
import { ShardedTable } from '../shard/sharded-table.ts';
import { StorageCorruptError, storageCorruptCode } from '../table/errors.ts';
import { isDeletion } from '../wire/edit-decision.ts';
import type { BatchLimit, BatchSource, ReadMode, TableAccess } from '../wire/table-access.ts';
import type { EditOutcome } from '../wire/table-edit.ts';
import type { ShardAddress } from '../wire/table-messages.ts';
import type { WriteKind } from './disk-gate.ts';
import { placesOf } from './routing/table-places.ts';

/** Tables of this node for queries, and single shards of them for other nodes. */
export type RequireRoom = (kind?: WriteKind) => void;

/** Says what a damaged table or a full disk answers in the words of the driver's protocol. */
export async function shown<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw inWordsOfDrivers(error);
  }
}

function inWordsOfDrivers(error: unknown, isShard = false): unknown {
  // Whoever routes asks the leader.
  if (error instanceof NotLeaderError) return error;
  if (isShard && error instanceof OutcomeUnknownError) return error;
  if (error instanceof StorageCorruptError)
    return new DamagedDocumentError(adviceFor(error.message, fromHex(error.keyHex)));
  if (error instanceof OutcomeUnknownError)
    return new RuntimeError(errorType.opIndeterminate, error.message, []);
  const isKnown =
    error instanceof TableDamagedError ||
    error instanceof MetadataFrozenError ||
    error instanceof KeyOrderError ||
    isRefusal(error);
  return isKnown ? new RuntimeError(errorType.opFailed, error.message, []) : error;
}

const isCorrupt = ({ error }: EditOutcome): boolean => error?.code === storageCorruptCode;

function withAdvice(outcome: EditOutcome, bytes: Uint8Array | undefined): EditOutcome {
  const { code, message } = outcome.error ?? {
    code: storageCorruptCode,
    message: '',
  };
  if (bytes === undefined) return outcome;
  return { ...outcome, error: { code, message: adviceFor(message, bytes) } };
}

function adviceFor(message: string, bytes: Uint8Array): string {
  const key = shownKey(bytes);
  const which = key === undefined ? 'by its primary key' : `by its primary key ${key}`;
  return `${message} Replace it or delete it ${which}, or restore it from a backup.`;
}

const shownScan = <T>(scan: BatchSource<T>): BatchSource<T> => ({
  next: (limit: BatchLimit, signal) => shown(() => scan.next(limit, signal)),
  close: () => scan.close(),
});

/** What queries know of a table. */
export function infoOf(database: Database, table: TableRecord): TableInfo {
  const home = database.state.databases[table.databaseId];
  return {
    ...table,
    database: { id: table.databaseId, name: home?.name ?? '' },
    shards: shardsOf(table).length,
    places: placesOf(database.state, table),
    isDamaged: database.corruption.damagesOf(table).length > 0,
    indexes: database.indexStates(table),
  };
}

/** A table of this node with all of its shards. */
export function tableAccess(
  database: Database,
  id: string,
  requireRoom: RequireRoom,
): TableAccess | undefined {
  const served = database.table(id);
  return served === undefined
    ? undefined
    : servedAccess({ database, id, served, partsOf: keyspacesOf }, requireRoom);
}

/**
 * One shard of a table that this node leads, for those who have the same map of the table; for outdated reads one that it
 * has an intact replica of.
 */
export function shardAccess(
  database: Database,
  { table: id, shard, epoch, mode }: ShardAddress,
  requireRoom: RequireRoom,
): TableAccess | undefined {
  const { tables } = database.state;
  const record = Object.hasOwn(tables, id) ? tables[id] : undefined;
  const placement = record === undefined ? undefined : placementOf(record);
  const group = placement?.shards[shard]?.group;
  const replica = group === undefined ? undefined : database.replica(group);
  if (replica === undefined || placement?.epoch !== epoch) return undefined;
  const isAny =
    mode === 'outdated' && database.corruption.groups.of(replica.options.group) === undefined;
  if (replica.replicas.refusal !== undefined && !isAny) return undefined;
  const partsOf = (index: IndexRecord): readonly number[] =>
    keyspacesOf(index).slice(shard, shard + 1);
  return servedAccess(
    { database, id, served: onlyShard(replica, mode), partsOf, isShard: true },
    requireRoom,
  );
}

const aloneMaps = new SlotMap(0, [[evenSlots(0, 1)]]);
const alone = new WeakMap<ShardReplica, Partial<Record<ReadMode, ShardedTable>>>();

/** A shard as if it were all of its table. */
function onlyShard(replica: ShardReplica, mode: ReadMode = 'single'): ShardedTable {
  const made = alone.get(replica) ?? {};
  alone.set(replica, made);
  return (made[mode] ??= new ShardedTable(aloneMaps, [replica], mode));
}

interface Served {
  readonly database: Database;
  readonly id: string;
  readonly served: ShardedTable;
  /** Keyspaces of an index in the order of the shards. */
  readonly partsOf: (index: IndexRecord) => readonly number[];
  /** Of several: another node may answer. */
  readonly isShard?: boolean;
}

/** The way of every write: no promise more than it needs. */
const editsOf =
  ({ served, isShard = false }: Served, requireRoom: RequireRoom): TableAccess['edit'] =>
  (batch, signal) => {
    const { edits } = batch;
    try {
      requireRoom(edits.every(({ change }) => isDeletion(change)) ? 'deletion' : 'write');
    } catch (error) {
      return Promise.reject(error);
    }
    return served.edit(batch, signal).then(
      (outcomes) =>
        // Most often there is none.
        outcomes.some(isCorrupt)
          ? outcomes.map((outcome, at) =>
              isCorrupt(outcome) ? withAdvice(outcome, edits[at]?.key) : outcome,
            )
          : outcomes,
      (error: unknown) => {
        throw inWordsOfDrivers(error, isShard);
      },
    );
  };

function servedAccess(parts: Served, requireRoom: RequireRoom): TableAccess | undefined {
  const { database, id, served, partsOf, isShard = false } = parts;
  const table = database.state.tables[id];
  if (table === undefined) return undefined;
  return {
    // The path of most reads: no promise more than it needs.
    get: (key) => {
      try {
        const row = served.get(key);
        return row instanceof Promise ? shown(() => row) : row;
      } catch (error) {
        throw inWordsOfDrivers(error);
      }
    },
    scan: (range, order, options) => shownScan(served.scan(range, order, options)),
    scanIndex: (name, range, order, options) => {
      const now = database.state.tables[id];
      const record =
        now === undefined ? undefined : userIndexes(now).find((index) => index.name === name);
      const keyspaces = record === undefined ? [] : partsOf(record);
      const parts = keyspaces.flatMap((keyspace) => database.index(keyspace) ?? []);
      if (parts.length < served.shardCount) {
        const info = infoOf(database, table);
        const qualified = `${info.database.name}.${info.name}`;
        // Each replica builds it for itself: this one has not ended yet, and whoever routes waits for it.
        if (isShard && record !== undefined) throw new IndexBuildingError(name, qualified);
        const words = `Index \`${name}\` was not found on table \`${qualified}\`.`;
        throw new RuntimeError(errorType.opFailed, words, []);
      }
      return shownScan(served.scanIndex(parts, { range, order, ...options }));
    },
    count: () =>
      shown(async () => {
        await served.readable();
        return served.count;
      }),
    edit: editsOf(parts, requireRoom),
    sync: () =>
      shown(() => {
        served.requireIntact();
        return served.sync();
      }),
  };
}
