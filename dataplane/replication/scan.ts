import { compareBytes, decodeUtf8, successor } from '../common/bytes.ts';
import type { KeyRange } from '../kv/store.ts';
import { keyspaceKey } from '../table/envelope.ts';
import type { BatchLimit, BatchSource, EncodedRange, Order, Row } from './contract.ts';
import { nameOfKey } from './overlay.ts';
import type { OverlayEntry } from './overlay.ts';
import type { TableGroup } from './table-group.ts';

/** Whole keys of a keyspace that belong to a range of its keys. */
export function storedRange(
  keyspace: number,
  range: EncodedRange,
  order: Order,
): Required<Omit<KeyRange, 'limit'>> {
  const none = new Uint8Array();
  return {
    start: keyspaceKey(keyspace, range.start ?? none),
    end:
      range.end === undefined ? keyspaceKey(keyspace + 1, none) : keyspaceKey(keyspace, range.end),
    reverse: order === 'descending',
  };
}

/** What is left of a range behind the last key that was answered. */
export function rangeAfter(range: EncodedRange, last: Uint8Array, order: Order): EncodedRange {
  return order === 'ascending' ? { ...range, start: successor(last) } : { ...range, end: last };
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
  readonly #group: TableGroup;
  readonly #order: Order;
  #range: EncodedRange;
  #done = false;

  constructor(group: TableGroup, range: EncodedRange, order: Order) {
    this.#group = group;
    this.#range = range;
    this.#order = order;
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<readonly Row[] | undefined> {
    if (this.#done) return undefined;
    await this.#group.readable();
    signal.throwIfAborted();
    const fill = new BatchFill<Row>(limit);
    for (const row of this.#merged()) {
      fill.add(row, row.text.length);
      if (fill.full) break;
    }
    const last = fill.rows.at(-1);
    this.#done = !fill.full || last === undefined;
    if (last === undefined) return undefined;
    this.#range = rangeAfter(this.#range, last.key, this.#order);
    this.#group.counters.reads += fill.rows.length;
    return fill.rows;
  }

  close(): void {
    this.#done = true;
  }

  /** Rows of the store with those of the overlay in their places. */
  *#merged(): Iterable<Row> {
    const { overlay, options } = this.#group;
    const changes = overlay.size === 0 ? [] : overlay.inOrder(this.#range);
    if (this.#order === 'descending') changes.reverse();
    const sign = this.#order === 'descending' ? -1 : 1;
    const range = storedRange(options.group, this.#range, this.#order);
    const stored = options.store.read((view) => view.entries('data', range));
    let next = 0;
    for (const entry of stored) {
      const key = entry.key.subarray(4);
      for (; next < changes.length; next += 1) {
        const change = changes[next] as OverlayEntry;
        if (sign * compareBytes(change.key, key) >= 0) break;
        if (change.text !== undefined) yield { key: change.key, text: change.text };
      }
      if (overlay.size > 0 && overlay.committed(nameOfKey(key)) !== undefined) continue;
      yield { key, text: decodeUtf8(this.#group.decode(entry.key, entry.value).body) };
    }
    for (const change of changes.slice(next)) {
      if (change.text !== undefined) yield { key: change.key, text: change.text };
    }
  }
}
