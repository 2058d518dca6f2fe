import { allEnded } from '../common/all-ended.ts';
import { compareBytes } from '../common/bytes.ts';
import type { EvaluatedScan } from '../wire/evaluated-scan.ts';
import type { BatchLimit, BatchSource, Order, Row } from '../wire/table-access.ts';

/**
 * Folds of all shards of a table. A state stands for a range of rows: the first shard that has rows left says how far
 * a batch goes, the others go as far. Guarded invariant: behind the last part of a batch, each row of each shard is
 * left; before it, each is in one part.
 */
export class FoldedScan<T extends Row> implements BatchSource<T> {
  #scans: readonly EvaluatedScan<T>[];
  readonly #positionOf: (row: T) => Uint8Array;
  readonly #sign: number;

  constructor(
    scans: readonly EvaluatedScan<T>[],
    { positionOf, order }: { readonly positionOf: (row: T) => Uint8Array; readonly order: Order },
  ) {
    this.#scans = scans;
    this.#positionOf = positionOf;
    this.#sign = order === 'ascending' ? 1 : -1;
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<readonly T[] | undefined> {
    for (let [first] = this.#scans; first !== undefined; [first] = this.#scans) {
      const own = await first.next(limit, signal);
      const last = own?.at(-1);
      const others = this.#scans.slice(1);
      if (own === undefined || last === undefined) {
        this.#scans = others;
        continue;
      }
      const end = this.#positionOf(last);
      const isBehind = (row: T): boolean => this.#compare(this.#positionOf(row), end) > 0;
      const parts = [...own];
      await allEnded(
        others.map(async (scan) => {
          for (;;) {
            const more = await scan.next(limit, signal, isBehind);
            if (more === undefined) return;
            parts.push(...more);
          }
        }),
      );
      return parts.sort((a, b) => this.#compare(this.#positionOf(a), this.#positionOf(b)));
    }
    return undefined;
  }

  close(): void {
    for (const scan of this.#scans) scan.close();
    this.#scans = [];
  }

  #compare(a: Uint8Array, b: Uint8Array): number {
    return this.#sign * compareBytes(a, b);
  }
}
