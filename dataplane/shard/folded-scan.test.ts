import { expect } from 'chai';
import * as fc from 'fast-check';
import { compareBytes } from '../common/bytes.ts';
import type { BatchLimit, BatchSource, Order, Row } from '../wire/table-access.ts';
import { FoldedScan } from './folded-scan.ts';

const { signal } = new AbortController();

/** A part stands for rows since the part before, by their numbers. */
interface Part extends Row {
  readonly of: readonly number[];
}

const keyOf = (id: number): Uint8Array => Uint8Array.of(id >> 8, id & 255);

interface Shard {
  readonly ids: readonly number[];
  /** Rows of one part, and bytes that it has. */
  readonly each: number;
  readonly bytes: number;
}

interface Seen {
  open: number;
  parts: number;
}

/** Parts of a shard between two rows of any one, as many in a batch as the limit says. */
function partsOf({ ids, each, bytes }: Shard, order: Order, seen: Seen) {
  const sign = order === 'ascending' ? 1 : -1;
  const sorted = ids.toSorted((a, b) => sign * (a - b));
  return (behind: Part | undefined, until: Part | undefined): BatchSource<Part> => {
    const compare = (id: number, row: Part): number => sign * compareBytes(keyOf(id), row.key);
    const left = sorted.filter(
      (id) =>
        (behind === undefined || compare(id, behind) > 0) &&
        (until === undefined || compare(id, until) <= 0),
    );
    seen.open += 1;
    let isOpen = true;
    return {
      next: async (limit: BatchLimit) => {
        const batch: Part[] = [];
        for (let size = 0; left.length > 0 && size < limit.bytes && batch.length < limit.rows;) {
          const of = left.splice(0, each);
          batch.push({ key: keyOf(of.at(-1) ?? 0), text: 'x'.repeat(bytes), of });
          size += bytes;
        }
        seen.parts += batch.length;
        return batch.length === 0 ? undefined : batch;
      },
      close: () => {
        if (isOpen) seen.open -= 1;
        isOpen = false;
      },
    };
  };
}

function scanOf(shards: readonly Shard[], order: Order, seen: Seen): FoldedScan<Part> {
  const parts = shards.map((shard) => partsOf(shard, order, seen));
  return new FoldedScan<Part>({
    shards: shards.length,
    order,
    positionOf: ({ key }) => key,
    part: (at, behind, until) => (parts[at] as (typeof parts)[number])(behind, until),
  });
}

describe('a fold over several shards', () => {
  it('has each row in one part, and behind the last part of a batch all that is left', async () => {
    const shard = fc.record({ each: fc.integer({ min: 1, max: 7 }), bytes: fc.nat({ max: 20 }) });
    const drawn = fc.tuple(
      fc.array(shard, { minLength: 1, maxLength: 5 }),
      fc.array(fc.nat({ max: 4 }), { maxLength: 300 }),
      fc.constantFrom<Order>('ascending', 'descending'),
      fc.record({ rows: fc.integer({ min: 1, max: 9 }), bytes: fc.integer({ min: 1, max: 60 }) }),
    );
    await fc.assert(
      fc.asyncProperty(drawn, async ([kinds, owners, order, limit]) => {
        const shards = kinds.map((kind, at) => {
          const ids = [...owners.keys()].filter((id) => (owners[id] ?? 0) % kinds.length === at);
          return { ...kind, ids };
        });
        const seen = { open: 0, parts: 0 };
        const scan = scanOf(shards, order, seen);
        const sign = order === 'ascending' ? 1 : -1;
        const counted: number[] = [];
        for (;;) {
          const batch = await scan.next(limit, signal);
          if (batch === undefined) break;
          counted.push(...batch.flatMap(({ of }) => of));
          const last = batch.at(-1)?.of.at(-1) ?? 0;
          // All rows up to the last one, and no other.
          const upTo = [...owners.keys()].filter((id) => sign * (id - last) <= 0);
          expect(counted.toSorted((a, b) => a - b)).to.deep.equal(upTo);
        }
        expect(counted).to.have.length(owners.length);
        scan.close();
        expect(seen.open).to.equal(0);
      }),
      { numRuns: 300 },
    );
  });

  it('keeps no more of a shard than a few batches, however the rows are spread', async () => {
    const many = Array.from({ length: 20_000 }, (_, id) => id);
    const shards = [
      { ids: [20_001], each: 1, bytes: 10 },
      { ids: [20_000], each: 1, bytes: 10 },
      { ids: many, each: 1, bytes: 100 },
    ];
    const seen = { open: 0, parts: 0 };
    const scan = scanOf(shards, 'ascending', seen);
    const limit = { rows: 50, bytes: 1_000 };
    let rows = 0;
    for (;;) {
      const batch = await scan.next(limit, signal);
      if (batch === undefined) break;
      rows += batch.length;
      expect(batch.reduce((sum, { text }) => sum + text.length, 0)).to.be.below(3_000);
    }
    expect(rows).to.equal(20_002);
    // Beginning again costs little.
    expect(seen.parts).to.be.below(rows + 1_000);
  });
});
