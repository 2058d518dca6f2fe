import type { Database, Transaction } from 'lmdb';
import { copyBytes } from '../common/bytes.ts';
import type { DatabaseName, KeyRange, ReadTransaction } from '../kv/store.ts';
import { decodeChecked } from './checked-value.ts';
import { KeyOrder } from './key-order.ts';

/** How the store's contract reads LMDB. */

/** The largest size that the file may ever have: address space, not memory. */
export const defaultMapBytes = 256 * 1024 ** 3;

export type Databases = Record<DatabaseName, Database<Buffer, Buffer>>;

/** `meta` with a checksum in each value; a directory of format 1 has them in `meta`, without. */
const checkedMeta = 'checked-meta';

export const nameInLibrary = (name: DatabaseName): string => (name === 'meta' ? checkedMeta : name);

export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The library begins elsewhere when keys have an encoder of their own. */
const firstKey = Buffer.from([0]);

/** A reverse range of LMDB begins at its upper bound; the contract's ranges are half-open upwards both ways. */
export function lmdbRange({ start, end, reverse, limit }: KeyRange): {
  start?: Buffer;
  end?: Buffer;
  reverse?: boolean;
  limit?: number;
  exclusiveStart?: boolean;
  inclusiveEnd?: boolean;
} {
  const bounded = limit === undefined ? {} : { limit };
  if (reverse === true) {
    return {
      ...bounded,
      reverse: true,
      ...(end === undefined ? {} : { start: asBuffer(end), exclusiveStart: true }),
      end: asBuffer(start ?? firstKey),
      inclusiveEnd: true,
    };
  }
  return {
    ...bounded,
    start: asBuffer(start ?? firstKey),
    ...(end === undefined ? {} : { end: asBuffer(end) }),
  };
}

const fromMedium = (database: DatabaseName, key: Uint8Array, value: Buffer): Buffer =>
  database === 'meta' ? decodeChecked(key, value) : value;

export interface ViewOptions {
  /** The library's own, which it renews when it likes, without it. */
  readonly transaction: Transaction | undefined;
  /** Throws when the store is closed. */
  readonly requireOpen: () => void;
}

export function viewOf(
  databases: Databases,
  { transaction, requireOpen }: ViewOptions,
): ReadTransaction {
  const options = transaction === undefined ? {} : { transaction };
  const peek: ReadTransaction['peek'] = (database, key) => {
    requireOpen();
    const value = databases[database].get(asBuffer(key), options);
    return value === undefined ? undefined : fromMedium(database, key, value);
  };
  const range = (database: DatabaseName, wanted: KeyRange) => {
    requireOpen();
    return databases[database].getRange({ ...lmdbRange(wanted), ...options });
  };
  return {
    peek,
    get(database, key) {
      const borrowed = peek(database, key);
      return borrowed === undefined ? undefined : new Uint8Array(borrowed);
    },
    *entries(database, wanted) {
      const order = new KeyOrder(database, wanted);
      for (const { key, value } of range(database, wanted)) {
        order.take(key);
        yield { key: copyBytes(key), value: copyBytes(fromMedium(database, key, value)) };
      }
    },
    walk(database, wanted, visit) {
      const order = new KeyOrder(database, wanted);
      for (const { key, value } of range(database, wanted)) {
        order.take(key);
        if (!visit(key, fromMedium(database, key, value))) return;
      }
    },
  };
}
