import { compareBytes, nameOfBytes, startsWith, successorOfPrefix } from '../common/bytes.ts';
import type { AppliedIndex } from '../table/apply.ts';
import { decodeIndexEntry, indexKeyBytesMax, isCut } from '../table/index-entry.ts';
import { rangeAfter, rangeUpTo, storedRange } from '../table/key-range.ts';
import type {
  BatchLimit,
  BatchSource,
  EncodedRange,
  IndexRow,
  Order,
  ReadMode,
} from '../wire/table-access.ts';
import { BatchFill, walkWithChanges } from './scan.ts';
import type { ShardReplica } from './shard-replica.ts';

/** An entry of the index as it stands in the store or would stand there. */
interface Candidate {
  /** The stored key without its keyspace: what a walk goes on behind. */
  readonly position: Uint8Array;
  readonly indexKey: Uint8Array;
  readonly primaryKey: Uint8Array;
  /** Known for entries of the memtable. */
  readonly text: string | undefined;
}

const inRange = (key: Uint8Array, { start, end }: EncodedRange): boolean =>
  (start === undefined || compareBytes(key, start) >= 0) &&
  (end === undefined || compareBytes(key, end) < 0);

/** Bounds that were too long for an entry are cut like the entries: whoever reads checks the document. */
function cutRange({ start, end }: EncodedRange): EncodedRange {
  const cutEnd =
    end === undefined || !isCut(end) ? end : successorOfPrefix(end.subarray(0, indexKeyBytesMax));
  return {
    ...(start === undefined ? {} : { start: start.subarray(0, indexKeyBytesMax) }),
    ...(cutEnd === undefined ? {} : { end: cutEnd }),
  };
}

/** A walk over a secondary index in the order of its keys, with the documents. */
export class IndexScan implements BatchSource<IndexRow> {
  readonly #group: ShardReplica;
  readonly #index: AppliedIndex;
  readonly #wanted: EncodedRange;
  readonly #order: Order;
  readonly #mode: ReadMode | undefined;
  #range: EncodedRange;
  #done = false;

  constructor(
    group: ShardReplica,
    walk: {
      readonly index: AppliedIndex;
      readonly range: EncodedRange;
      readonly order: Order;
      readonly mode?: ReadMode | undefined;
      /** The position behind which it goes on. */
      readonly behind?: Uint8Array | undefined;
      /** The last position that it may reach. */
      readonly until?: Uint8Array | undefined;
    },
  ) {
    this.#group = group;
    this.#index = walk.index;
    this.#wanted = walk.range;
    const { behind, until, order } = walk;
    const range = cutRange(walk.range);
    const left = behind === undefined ? range : rangeAfter(range, behind, order);
    this.#range = until === undefined ? left : rangeUpTo(left, until, order);
    this.#order = walk.order;
    this.#mode = walk.mode;
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<readonly IndexRow[] | undefined> {
    if (this.#done) return undefined;
    await this.#group.readable(this.#mode);
    signal.throwIfAborted();
    const fill = new BatchFill<IndexRow>(limit);
    let last = undefined as Candidate | undefined;
    this.#merge((candidate) => {
      last = candidate;
      const row = this.#rowOf(candidate);
      if (row !== undefined) fill.add(row, row.text.length);
      return !fill.full;
    });
    this.#done = !fill.full || last === undefined;
    if (last !== undefined) this.#range = rangeAfter(this.#range, last.position, this.#order);
    this.#group.reads += fill.rows.length;
    return fill.rows.length === 0 ? undefined : fill.rows;
  }

  close(): void {
    this.#done = true;
  }

  #rowOf({ primaryKey, indexKey, text: known }: Candidate): IndexRow | undefined {
    const text =
      known ?? this.#group.documents.read(primaryKey, nameOfBytes(primaryKey), undefined).text;
    if (text === undefined) return undefined;
    if (!isCut(indexKey)) return { key: primaryKey, text, indexKey };
    const whole = this.#index
      .keysOf(text)
      .find((key) => startsWith(key, indexKey) && inRange(key, this.#wanted));
    return whole === undefined ? undefined : { key: primaryKey, text, indexKey: whole };
  }

  /** Visits entries of the store with those of the memtable in their places, until `visit` has enough. */
  #merge(visit: (candidate: Candidate) => boolean): void {
    const { memtable, options } = this.#group;
    const range = storedRange(this.#index.keyspace, this.#range, this.#order);
    options.store.read((view) =>
      walkWithChanges(
        view,
        { database: 'index', range },
        {
          changes:
            memtable.size === 0 ? [] : memtable.in(this.#index).range(this.#range, this.#order),
          positionOf: ({ position }) => position,
          visitChange: ({ entry, indexKey: whole, position }) => {
            const indexKey = whole.subarray(0, indexKeyBytesMax);
            return visit({ position, indexKey, primaryKey: entry.key, text: entry.text });
          },
          visitStored: (position, storedKey, value) => {
            const found = decodeIndexEntry(storedKey, value);
            return (
              memtable.covers(found.primaryKey) || visit({ position, ...found, text: undefined })
            );
          },
        },
      ),
    );
  }
}
