import { RowSum } from './row-sum.ts';
import type { KeyspaceStatistics } from './row-sum.ts';
import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import type { ReadTransaction, WriteTransaction } from '../kv/store.ts';
import type { KeyspaceWalk } from './keyspace-walk.ts';
import { metaKey } from './meta-key.ts';

/**
 * Count, bytes and additive hash of each keyspace, kept in the transaction that changes its values:
 * checksums see a damaged value, these see a lost one.
 */
const none: KeyspaceStatistics = { count: 0, bytes: 0, hash: 0 };

/** Undefined for a keyspace that nothing was written to, and for an index that was not counted. */
export function findStatistics(
  transaction: ReadTransaction,
  keyspace: number,
): KeyspaceStatistics | undefined {
  const bytes = transaction.get('meta', metaKey('statistics', keyspace));
  if (bytes === undefined) return undefined;
  const reader = new ByteReader(bytes);
  return { count: reader.u64(), bytes: reader.u64(), hash: reader.u64() };
}

export function readStatistics(transaction: ReadTransaction, keyspace: number): KeyspaceStatistics {
  return findStatistics(transaction, keyspace) ?? none;
}

export function writeStatistics(
  transaction: WriteTransaction,
  keyspace: number,
  { count, bytes, hash }: KeyspaceStatistics = none,
): void {
  const value = new ByteWriter(24).u64(count).u64(bytes).u64(hash).finish();
  transaction.put('meta', metaKey('statistics', keyspace), value);
}

/**
 * Whether a document took the place of one that was damaged, so that it is unknown what to subtract from the
 * sum: the next walk over the whole keyspace counts it again.
 */
export const isToRecount = (transaction: ReadTransaction, keyspace: number): boolean =>
  transaction.peek('meta', metaKey('recount', keyspace)) !== undefined;

export function recountLater(transaction: WriteTransaction, keyspace: number): void {
  transaction.put('meta', metaKey('recount', keyspace), new Uint8Array([1]));
}

/** What a walk over the whole keyspace has counted. */
export function recounted(
  transaction: WriteTransaction,
  keyspace: number,
  sums: KeyspaceStatistics,
): void {
  writeStatistics(transaction, keyspace, sums);
  transaction.remove('meta', metaKey('recount', keyspace));
}

/** What the commands of one transaction add to a keyspace; written once at its end. */
export class StatisticsChange {
  readonly #keyspace: number;
  readonly #walk: KeyspaceWalk | undefined;
  readonly #all = new RowSum();
  /** Of `#all`, what a walk has behind it. */
  readonly #walked = new RowSum();

  /** `walk` is the one that counts the keyspace again at this moment. */
  constructor(keyspace: number, walk?: KeyspaceWalk) {
    this.#keyspace = keyspace;
    this.#walk = walk;
  }

  add(storedKey: Uint8Array, value: Uint8Array): void {
    this.#change(storedKey, value, 1);
  }

  subtract(storedKey: Uint8Array, value: Uint8Array): void {
    this.#change(storedKey, value, -1);
  }

  /** What the keyspace holds when it was empty before. */
  get total(): KeyspaceStatistics {
    return this.#all.total;
  }

  /** The last thing that a transaction does: what it throws afterwards would leave the walk wrong. */
  write(transaction: WriteTransaction): void {
    this.#writeOver(transaction, readStatistics(transaction, this.#keyspace));
  }

  /** As `write`, but without effect if the keyspace is not counted: an index of an earlier release. */
  writeIfCounted(transaction: WriteTransaction): void {
    const before = findStatistics(transaction, this.#keyspace);
    if (before === undefined) this.#walk?.changed(this.#walked.total);
    else this.#writeOver(transaction, before);
  }

  #writeOver(transaction: WriteTransaction, before: KeyspaceStatistics): void {
    const sum = new RowSum();
    sum.add(before);
    sum.add(this.#all.total);
    writeStatistics(transaction, this.#keyspace, sum.total);
    this.#walk?.changed(this.#walked.total);
  }

  #change(storedKey: Uint8Array, value: Uint8Array, sign: 1 | -1): void {
    this.#all.row(storedKey, value, sign);
    if (this.#walk?.covers(storedKey) === true) this.#walked.row(storedKey, value, sign);
  }
}

/** The changes of all keyspaces that one transaction touches. */
export class StatisticsChanges {
  readonly #walks: ReadonlyMap<number, KeyspaceWalk>;
  readonly #tables = new Map<number, StatisticsChange>();
  readonly #indexes = new Map<number, StatisticsChange>();

  /** `walks`: those under way, by their keyspaces. */
  constructor(walks: ReadonlyMap<number, KeyspaceWalk>) {
    this.#walks = walks;
  }

  ofTable(keyspace: number): StatisticsChange {
    return this.#of(this.#tables, keyspace);
  }

  ofIndex(keyspace: number): StatisticsChange {
    return this.#of(this.#indexes, keyspace);
  }

  write(transaction: WriteTransaction): void {
    for (const change of this.#tables.values()) change.write(transaction);
    for (const change of this.#indexes.values()) change.writeIfCounted(transaction);
  }

  #of(changes: Map<number, StatisticsChange>, keyspace: number): StatisticsChange {
    let change = changes.get(keyspace);
    if (change === undefined) {
      change = new StatisticsChange(keyspace, this.#walks.get(keyspace));
      changes.set(keyspace, change);
    }
    return change;
  }
}
