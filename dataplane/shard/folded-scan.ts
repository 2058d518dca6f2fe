import { allEnded } from '../common/all-ended.ts';
import { compareBytes } from '../common/bytes.ts';
import { madeBytes } from '../wire/pushed-scan.ts';
import type { BatchLimit, BatchSource, Order, Row } from '../wire/table-access.ts';

export interface FoldedShards<T> {
  readonly shards: number;
  readonly order: Order;
  /** Behind one row and up to another one, that included; both are of any shard. */
  part(shard: number, behind: T | undefined, until: T | undefined): BatchSource<T>;
  readonly positionOf: (row: T) => Uint8Array;
}

/** A shard that needs more batches than these, beside another one's single batch, says how far a batch goes. */
const batchesMax = 8;

/**
 * Folds of all shards of a table. A state stands for a range of rows: one shard says by its next batch how far a batch
 * of all goes, the others go as far. Guarded invariants: behind the last part of a batch, each row of each shard is
 * left; before it, each is in one part. What is kept of a shard is bounded by a batch, or by a few small ones.
 */
export class FoldedScan<T extends Row> implements BatchSource<T> {
  readonly #folded: FoldedShards<T>;
  /** Those that have rows left; the first one says how far a batch goes. */
  #shards: readonly number[];
  #first: BatchSource<T> | undefined;
  #last: T | undefined;

  constructor(folded: FoldedShards<T>) {
    this.#folded = folded;
    this.#shards = Array.from({ length: folded.shards }, (_, shard) => shard);
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<readonly T[] | undefined> {
    for (let restarts = 0; ;) {
      const [first, ...others] = this.#shards;
      if (first === undefined) return undefined;
      this.#first ??= this.#folded.part(first, this.#last, undefined);
      const own = await this.#first.next(limit, signal);
      const last = own?.at(-1);
      if (own === undefined || last === undefined) {
        this.#lead(others);
        continue;
      }
      const most = restarts < this.#folded.shards ? limit.bytes : Number.POSITIVE_INFINITY;
      const parts = await this.#upTo(last, { shards: others, limit, most }, signal);
      const denser = others.find((_, at) => parts[at] === undefined);
      if (denser === undefined) return this.#ended(last, [own, ...parts].flat() as T[]);
      // Nothing of this batch was answered: it begins again, and ends sooner.
      restarts += 1;
      this.#lead([denser, ...this.#shards.filter((shard) => shard !== denser)]);
    }
  }

  close(): void {
    this.#lead([]);
  }

  #lead(shards: readonly number[]): void {
    this.#first?.close();
    this.#first = undefined;
    this.#shards = shards;
  }

  #ended(last: T, parts: T[]): readonly T[] {
    const { positionOf, order } = this.#folded;
    const sign = order === 'ascending' ? 1 : -1;
    this.#last = last;
    return parts.sort((a, b) => sign * compareBytes(positionOf(a), positionOf(b)));
  }

  /** By shard; undefined for one that has too much. */
  async #upTo(
    until: T,
    of: {
      readonly shards: readonly number[];
      readonly limit: BatchLimit;
      /** Bytes of the parts of a shard. */
      readonly most: number;
    },
    signal: AbortSignal,
  ): Promise<readonly (readonly T[] | undefined)[]> {
    return allEnded(
      of.shards.map(async (shard) => {
        const source = this.#folded.part(shard, this.#last, until);
        try {
          return await allOf(source, of, signal);
        } finally {
          source.close();
        }
      }),
    );
  }
}

async function allOf<T extends Row>(
  source: BatchSource<T>,
  { limit, most }: { readonly limit: BatchLimit; readonly most: number },
  signal: AbortSignal,
): Promise<readonly T[] | undefined> {
  const parts: T[] = [];
  let bytes = 0;
  for (let batches = 0; ; batches += 1) {
    const more = await source.next(limit, signal);
    if (more === undefined) return parts;
    // Its first batch has at least one row less: as the first shard it ends sooner.
    if (batches > 0 && Number.isFinite(most) && (batches >= batchesMax || bytes >= most))
      return undefined;
    for (const part of more) {
      parts.push(part);
      bytes += madeBytes(part);
    }
  }
}
