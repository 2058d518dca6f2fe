import { compareBytes, nameOfBytes, successor } from '../common/bytes.ts';
import type { KeyRange } from '../kv/store.ts';
import { keyInKeyspace, keyspaceKey } from '../table/envelope.ts';
import type { BatchLimit, BatchSource, EncodedRange, Order, Row } from './contract.ts';
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
    this.#merge((row) => {
      fill.add(row, row.text.length);
      return !fill.full;
    });
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

  /** Visits rows of the store with those of the overlay in their places, until `visit` has enough. */
  #merge(visit: (row: Row) => boolean): void {
    const { overlay, options } = this.#group;
    const changes = overlay.size === 0 ? [] : overlay.inOrder(this.#range);
    if (this.#order === 'descending') changes.reverse();
    const sign = this.#order === 'descending' ? -1 : 1;
    let next = 0;
    let goesOn = true;
    /** The overlay's rows before `key`, or all that are left. */
    const visitChanges = (key?: Uint8Array): void => {
      for (; goesOn && next < changes.length; next += 1) {
        const change = changes[next] as OverlayEntry;
        if (key !== undefined && sign * compareBytes(change.key, key) >= 0) return;
        if (change.text !== undefined) goesOn = visit({ key: change.key, text: change.text });
      }
    };
    const range = storedRange(options.group, this.#range, this.#order);
    options.store.read((view) =>
      view.walk('data', range, (storedKey, value) => {
        const key = keyInKeyspace(storedKey);
        visitChanges(key);
        const isCovered = overlay.size > 0 && overlay.committed(nameOfBytes(key)) !== undefined;
        if (goesOn && !isCovered) {
          goesOn = visit({ key, text: this.#group.textOf(storedKey, value) });
        }
        return goesOn;
      }),
    );
    visitChanges();
  }
}
