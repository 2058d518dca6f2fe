import { compareBytes } from '../common/bytes.ts';
import type { DatabaseName, KeyRange, ReadTransaction } from '../kv/store.ts';
import { keyInKeyspace } from '../table/envelope.ts';
import { rangeAfter, storedRange } from '../table/key-range.ts';
import type {
  BatchLimit,
  BatchSource,
  EncodedRange,
  Order,
  ReadMode,
  Row,
} from '../wire/table-access.ts';
import type { ShardReplica } from './shard-replica.ts';

interface Interleaved<T> {
  /** Of the range, in the order of the walk. */
  readonly changes: Iterable<T>;
  /** Where a change stands among the stored keys, without their keyspace. */
  readonly positionOf: (change: T) => Uint8Array;
  readonly visitChange: (change: T) => boolean;
  /** The value is only lent. */
  readonly visitStored: (position: Uint8Array, storedKey: Uint8Array, value: Uint8Array) => boolean;
}

/** Visits what the store has in a range, with changes in their places, until a visit answers false. */
export function walkWithChanges<T>(
  view: ReadTransaction,
  stored: { readonly database: DatabaseName; readonly range: KeyRange },
  { changes, positionOf, visitChange, visitStored }: Interleaved<T>,
): void {
  const sign = stored.range.reverse === true ? -1 : 1;
  const iterator = changes[Symbol.iterator]();
  let next = iterator.next();
  let goesOn = true;
  /** The changes before `position`, or all that are left. */
  const visitChanges = (position?: Uint8Array): void => {
    for (; goesOn && next.done !== true; next = iterator.next()) {
      const change = next.value;
      if (position !== undefined && sign * compareBytes(positionOf(change), position) >= 0) return;
      goesOn = visitChange(change);
    }
  };
  view.walk(stored.database, stored.range, (storedKey, value) => {
    const position = keyInKeyspace(storedKey);
    visitChanges(position);
    goesOn &&= visitStored(position, storedKey, value);
    return goesOn;
  });
  visitChanges();
}

/** Gathers rows up to a limit. */
export class BatchFill<T> {
  readonly rows: T[] = [];
  readonly #limit: BatchLimit;
  #bytes = 0;

  constructor(limit: BatchLimit) {
    this.#limit = limit;
  }

  get full(): boolean {
    return this.rows.length >= this.#limit.rows || this.#bytes >= this.#limit.bytes;
  }

  add(row: T, bytes: number): void {
    this.rows.push(row);
    this.#bytes += bytes;
  }
}

/**
 * A walk over a group's rows in key order. Each batch seeks again behind the last key, so that no
 * snapshot is pinned between batches; within a batch the view is one.
 */
export class TableScan implements BatchSource<Row> {
  readonly #group: ShardReplica;
  readonly #order: Order;
  readonly #mode: ReadMode | undefined;
  #range: EncodedRange;
  #done = false;

  constructor(group: ShardReplica, range: EncodedRange, order: Order, mode?: ReadMode) {
    this.#group = group;
    this.#mode = mode;
    this.#range = range;
    this.#order = order;
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<readonly Row[] | undefined> {
    if (this.#done) return undefined;
    await this.#group.readable(this.#mode);
    signal.throwIfAborted();
    const fill = new BatchFill<Row>(limit);
    this.#merge((row) => {
      fill.add(row, row.text.length);
      return !fill.full;
    });
    const last = fill.rows.at(-1);
    this.#done = !fill.full || last === undefined;
    if (last === undefined) return undefined;
    this.#range = rangeAfter(this.#range, last.key, this.#order);
    this.#group.reads += fill.rows.length;
    return fill.rows;
  }

  close(): void {
    this.#done = true;
  }

  /** Visits rows of the store with those of the memtable in their places, until `visit` has enough. */
  #merge(visit: (row: Row) => boolean): void {
    const { memtable, options } = this.#group;
    const order = this.#order;
    const range = storedRange(options.keyspace, this.#range, order);
    options.store.read((view) =>
      walkWithChanges(
        view,
        { database: 'data', range },
        {
          changes: memtable.size === 0 ? [] : memtable.documents.range(this.#range, order),
          positionOf: (change) => change.key,
          visitChange: (entry) => {
            const text = this.#group.documents.textOfEntry(entry);
            return text === undefined || visit({ key: entry.key, text });
          },
          visitStored: (key, storedKey, value) =>
            memtable.covers(key) ||
            visit({ key, text: this.#group.documents.textOf(storedKey, value) }),
        },
      ),
    );
  }
}
