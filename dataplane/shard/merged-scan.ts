import { allEnded } from '../common/all-ended.ts';
import { compareBytes } from '../common/bytes.ts';
import { madeBytes } from '../wire/pushed-scan.ts';
import type { BatchLimit, BatchSource, Order, Row } from '../wire/table-access.ts';

/** The next rows of one shard. */
interface Head<T> {
  readonly source: BatchSource<T>;
  rows: readonly T[];
  at: number;
  /** Where `rows[at]` stands in the order; undefined when there is none. */
  position: Uint8Array | undefined;
  isOver: boolean;
}

/**
 * Scans of all shards of a table as one, in the order of their positions. Guarded invariants: a row is answered only
 * when each shard has said what its next one is; what is read ahead is bounded by one batch.
 */
export class MergedScan<T extends Row> implements BatchSource<T> {
  readonly #heads: readonly Head<T>[];
  readonly #positionOf: (row: T) => Uint8Array;
  readonly #sign: number;

  constructor(
    sources: readonly BatchSource<T>[],
    { positionOf, order }: { readonly positionOf: (row: T) => Uint8Array; readonly order: Order },
  ) {
    this.#heads = sources.map((source) => {
      return { source, rows: [], at: 0, position: undefined, isOver: false };
    });
    this.#positionOf = positionOf;
    this.#sign = order === 'ascending' ? 1 : -1;
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<readonly T[] | undefined> {
    const rows: T[] = [];
    let bytes = 0;
    while (rows.length < limit.rows && bytes < limit.bytes) {
      await this.#fill(limit, signal);
      const head = this.#first();
      if (head === undefined) break;
      // Until a shard must be asked again: then its next row may come before all others.
      let row = head.rows[head.at];
      while (row !== undefined) {
        rows.push(row);
        bytes += madeBytes(row);
        this.#advance(head);
        if (rows.length >= limit.rows || bytes >= limit.bytes) break;
        row =
          head.position !== undefined && this.#first() === head ? head.rows[head.at] : undefined;
      }
    }
    return rows.length === 0 ? undefined : rows;
  }

  close(): void {
    for (const head of this.#heads) {
      head.source.close();
      head.rows = [];
      head.position = undefined;
      head.isOver = true;
    }
  }

  /** Asks each shard whose next row is not known for its share of a batch. */
  async #fill(limit: BatchLimit, signal: AbortSignal): Promise<void> {
    const unknown = this.#heads.filter(({ position, isOver }) => position === undefined && !isOver);
    if (unknown.length === 0) return;
    const share = {
      rows: Math.ceil(limit.rows / this.#heads.length),
      bytes: Math.ceil(limit.bytes / this.#heads.length),
    };
    await allEnded(
      unknown.map(async (head) => {
        const rows = await head.source.next(share, signal);
        head.isOver = rows === undefined;
        head.rows = rows ?? [];
        head.at = 0;
        this.#place(head);
      }),
    );
  }

  #first(): Head<T> | undefined {
    let first: Head<T> | undefined;
    for (const head of this.#heads) {
      if (head.position === undefined) continue;
      const isBefore =
        first?.position === undefined ||
        this.#sign * compareBytes(head.position, first.position) < 0;
      if (isBefore) first = head;
    }
    return first;
  }

  #advance(head: Head<T>): void {
    head.at += 1;
    this.#place(head);
  }

  #place(head: Head<T>): void {
    const row = head.rows[head.at];
    head.position = row === undefined ? undefined : this.#positionOf(row);
  }
}
