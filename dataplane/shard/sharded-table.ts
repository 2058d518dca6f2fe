import { allEnded } from '../common/all-ended.ts';
import { TableDamagedError } from '../integrity/errors.ts';
import type { SlotMap } from '../partition/hash-slots.ts';
import { isWithdrawal } from '../replication/errors.ts';
import type { AppliedIndex } from '../table/apply.ts';
import { keyInKeyspace } from '../table/envelope.ts';
import { indexEntryKey } from '../table/index-entry.ts';
import { rangeAfter, rangeUpTo } from '../table/key-range.ts';
import { EvaluatedScan } from '../wire/evaluated-scan.ts';
import type { PushedScan } from '../wire/pushed-scan.ts';
import type {
  BatchSource,
  EncodedRange,
  IndexPosition,
  IndexRow,
  Order,
  ReadMode,
  Row,
  ScanOptions,
} from '../wire/table-access.ts';
import type { Edit, EditBatch, EditOutcome } from '../wire/table-edit.ts';
import { failureOf } from '../wire/table-failure.ts';
import { FoldedScan } from './folded-scan.ts';
import { IndexScan } from './index-scan.ts';
import { MergedScan } from './merged-scan.ts';
import { TableScan } from './scan.ts';
import type { ShardReplica } from './shard-replica.ts';
import { ShardMovedError } from './write-gate.ts';
import type { ProposedEdits } from './write-path.ts';

/** Where a row stands in an index: among entries of all shards, whatever their keyspaces. */
export const positionInIndex = ({ indexKey, key }: IndexPosition): Uint8Array =>
  keyInKeyspace(indexEntryKey(0, indexKey, key));

interface IndexWalk extends ScanOptions {
  readonly range: EncodedRange;
  readonly order: Order;
}

interface Walks<T> {
  readonly shards: readonly ShardReplica[];
  readonly positionOf: (row: T) => Uint8Array;
  readonly order: Order;
  readonly pushed: PushedScan | undefined;
  /** Behind one row and up to another one, of any shard. */
  readonly scan: (shard: ShardReplica, at: number, behind?: T, until?: T) => BatchSource<T>;
}

/** Scans of shards as one. Each shard evaluates the operations on its own rows. */
function merged<T extends Row>(walks: Walks<T>): BatchSource<T> {
  const { shards, pushed, scan } = walks;
  const part = (at: number, behind?: T, until?: T): BatchSource<T> => {
    const shard = shards[at] as ShardReplica;
    const rows = scan(shard, at, behind, until);
    return pushed === undefined ? rows : new EvaluatedScan(rows, shard.options.edits.scan(pushed));
  };
  if (pushed?.fold !== undefined && shards.length > 1)
    return new FoldedScan({ ...walks, shards: shards.length, part });
  const scans = shards.map((_, at) => part(at));
  return one(scans) ?? new MergedScan(scans, walks);
}

const one = <S>(scans: readonly S[]): S | undefined => (scans.length === 1 ? scans[0] : undefined);

/**
 * A table as its shards, at one epoch of its map: keys go to the shard that has their slot, scans are merged in order.
 * Guarded invariant: whoever asks cannot tell how many shards there are, but for a damaged one.
 */
export class ShardedTable {
  readonly map: SlotMap;
  readonly shards: readonly ShardReplica[];
  readonly #first: ShardReplica;
  readonly #mode: ReadMode | undefined;
  /** The table with other shards, when it got some. */
  #successor: ShardedTable | undefined;

  /** `mode`: of its reads; `single` without it. */
  constructor(map: SlotMap, shards: readonly [ShardReplica, ...ShardReplica[]], mode?: ReadMode) {
    this.map = map;
    this.#mode = mode;
    this.shards = shards;
    this.#first = shards[0];
  }

  /** Whoever has this table reads and writes those shards from now on. */
  succeededBy(successor: ShardedTable): void {
    this.#successor = successor;
  }

  get #newest(): ShardedTable {
    return this.#successor === undefined ? this : this.#successor.#newest;
  }

  /** The shard of a key. */
  of(key: Uint8Array): ShardReplica {
    if (this.#successor !== undefined) return this.#newest.of(key);
    return this.shards[this.map.shardOf(key)] ?? this.#first;
  }

  /** Throws when a shard is damaged. */
  requireIntact(): void {
    for (const shard of this.#newest.shards) shard.requireIntact();
  }

  /** Waits until every write acknowledged so far can be read. */
  async readable(): Promise<void> {
    await allEnded(this.#newest.shards.map((shard) => shard.readable(this.#mode)));
  }

  /** How many there are now. */
  get shardCount(): number {
    return this.#newest.shards.length;
  }

  /** Documents, with those that are committed and wait for the store. */
  get count(): number {
    return this.#newest.shards.reduce((sum, { count }) => sum + count, 0);
  }

  get counters(): { readonly reads: number; readonly writes: number } {
    const all = this.shards.map(({ counters }) => counters);
    return {
      reads: all.reduce((sum, { reads }) => sum + reads, 0),
      writes: all.reduce((sum, { writes }) => sum + writes, 0),
    };
  }

  /** Documents that somebody else has read from the store. */
  countReads(documents: number): void {
    this.#newest.#first.reads += documents;
  }

  get(key: Uint8Array): Row | undefined | Promise<Row | undefined> {
    return this.of(key).get(key, this.#mode);
  }

  scan(range: EncodedRange, order: Order, options?: ScanOptions): BatchSource<Row> {
    if (this.#successor !== undefined) return this.#newest.scan(range, order, options);
    return merged({
      shards: this.shards,
      positionOf: ({ key }) => key,
      order,
      pushed: options?.pushed,
      scan: (shard, _at, behind, until) => {
        const left = behind === undefined ? range : rangeAfter(range, behind.key, order);
        const part = until === undefined ? left : rangeUpTo(left, until.key, order);
        return new TableScan(shard, part, order, this.#mode);
      },
    });
  }

  /** `parts`: of the index, in the order of the shards. */
  scanIndex(
    parts: readonly AppliedIndex[],
    { range, order, after, until: end, pushed }: IndexWalk,
  ): BatchSource<IndexRow> {
    const placeOf = (row: IndexPosition | undefined): Uint8Array | undefined =>
      row === undefined ? undefined : positionInIndex(row);
    const walked = this.#newest.shards.flatMap((shard, at) => {
      const index = parts[at];
      return index === undefined ? [] : [{ shard, index }];
    });
    return merged<IndexRow>({
      shards: walked.map(({ shard }) => shard),
      positionOf: positionInIndex,
      order,
      pushed,
      scan: (shard, at, behind = after, until = end) =>
        new IndexScan(shard, {
          index: walked[at]?.index as AppliedIndex,
          range,
          order,
          behind: placeOf(behind),
          until: placeOf(until),
          mode: this.#mode,
        }),
    });
  }

  /**
   * Evaluates and commits edits; those of a key in their order. An edit that a shard refused has the refusal as its
   * outcome; rejects with it when no shard took any.
   */
  edit(batch: EditBatch, signal: AbortSignal): Promise<EditOutcome[]> {
    const isPlain = this.#successor === undefined && this.shards.length === 1;
    // A shard whose gate is open takes the edits at once, and does not move before they have ended.
    return isPlain && this.#first.gate.isOpen
      ? this.#first.edit(batch, signal)
      : this.#editNewest(batch, signal);
  }

  async #editNewest(batch: EditBatch, signal: AbortSignal): Promise<EditOutcome[]> {
    for (;;) {
      const table = this.#newest;
      const [only] = table.shards;
      try {
        return table.shards.length === 1 && only !== undefined
          ? await only.edit(batch, signal)
          : await table.#editShards(batch, signal);
      } catch (error) {
        if (!(error instanceof ShardMovedError) || table === this.#newest) throw error;
      }
    }
  }

  async #editShards(batch: EditBatch, signal: AbortSignal): Promise<EditOutcome[]> {
    const { edits } = batch;
    const byShard = new Map<ShardReplica, number[]>();
    for (const [at, { key }] of edits.entries()) {
      const shard = this.of(key);
      const places = byShard.get(shard);
      if (places === undefined) byShard.set(shard, [at]);
      else places.push(at);
    }
    const proposed = [...byShard].map(([shard, places]) =>
      shard.propose({ ...batch, edits: places.map((at) => edits[at] as Edit) }, signal),
    );
    const answer = batch.durability === 'hard' ? hardAnswer : softAnswer;
    return joined([...byShard.values()], await answer(proposed));
  }

  /**
   * Resolves when every write so far is on the medium; rejects when the log refused one that was acknowledged
   * softly since the last call.
   */
  async sync(): Promise<void> {
    await allEnded(this.#newest.shards.map((shard) => shard.sync()));
  }

  /** Edits wait from now on. Resolves when none is under way, in any shard. */
  async closeWrites(): Promise<void> {
    await Promise.all(this.shards.map(({ gate }) => gate.close()));
  }

  /** Ends `closeWrites`. With `isMoved` edits go on in the shards that the table has by now. */
  openWrites(isMoved: boolean): void {
    for (const { gate } of this.shards) gate.open(isMoved);
  }
}

/** Of each shard. */
type Answers = readonly PromiseSettledResult<EditOutcome[]>[];
type Proposed = readonly Promise<ProposedEdits>[];

const hardAnswer = (proposed: Proposed): Promise<Answers> =>
  Promise.allSettled(proposed.map(async (one) => (await one).hard()));

/**
 * All shards are acknowledged in one turn: what one of them refuses while another waits for room is no part of the
 * answer, and a `sync` of somebody else may have reported it already.
 */
async function softAnswer(proposed: Proposed): Promise<Answers> {
  const settled = await Promise.allSettled(proposed);
  return settled.map((one) => {
    if (one.status === 'rejected') return one;
    try {
      return { status: 'fulfilled', value: one.value.soft() };
    } catch (reason) {
      return { status: 'rejected', reason };
    }
  });
}

/** Outcomes in the order of the edits. What fails for all edits of a shard fails for each of them. */
function joined(
  places: readonly (readonly number[])[],
  settled: readonly PromiseSettledResult<EditOutcome[]>[],
): EditOutcome[] {
  const outcomes: EditOutcome[] = [];
  let first: Error | undefined;
  for (const [part, result] of settled.entries()) {
    const own = places[part] ?? [];
    if (result.status === 'rejected') {
      const error = result.reason as Error;
      first ??= error;
      if (!isOfShard(error)) throw error;
      for (const at of own) outcomes[at] = { result: 'failed', error: failureOf(error) };
    } else {
      for (const [nth, at] of own.entries()) outcomes[at] = result.value[nth] as EditOutcome;
    }
  }
  if (first !== undefined && settled.every(({ status }) => status === 'rejected')) throw first;
  return outcomes;
}

/** The others may have taken theirs. */
const isOfShard = (error: Error): boolean =>
  error instanceof TableDamagedError || isWithdrawal(error);
