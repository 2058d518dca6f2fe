import { NotLeaderError } from '../replication/errors.ts';
import { ShardElsewhereError } from '../wire/errors.ts';
import { rangeAfter } from '../table/key-range.ts';
import { remoteTable } from '../wire/remote-table.ts';
import type {
  Abortable,
  BatchLimit,
  BatchSource,
  EncodedRange,
  IndexRow,
  Order,
  Row,
  ScanOptions,
  TableAccess,
} from '../wire/table-access.ts';
import type { EditBatch, EditOutcome } from '../wire/table-edit.ts';
import type { ShardAddress } from '../wire/table-messages.ts';
import type { OwnShards } from './peers.ts';
import { isIndexBuilding } from './index-wait.ts';
import { NearestLink } from './nearest-link.ts';
import { editRepeatedly } from './repeated-edit.ts';
import { ShardLink } from './shard-link.ts';
import type { ShardLinkOptions } from './shard-link.ts';
import { WriteSessions } from './write-sessions.ts';

export interface RoutedShardOptions extends ShardLinkOptions {
  /** Undefined on a node without shards. */
  readonly own: OwnShards | undefined;
  /** Of the node, for what no query waits for alone. */
  readonly signal: AbortSignal;
  /** The same shard in a newer map, once this node has that map; undefined when the map has no such shard. */
  successor(error: ShardElsewhereError, signal: AbortSignal): Promise<RoutedShard | undefined>;
}

/** One shard at one epoch of its map, wherever its leader is: here without a detour, else over the link. */
export class RoutedShard implements TableAccess {
  readonly #options: RoutedShardOptions;
  readonly #remote: TableAccess;
  readonly #sessions: WriteSessions;

  constructor(options: RoutedShardOptions) {
    this.#options = options;
    this.#sessions = new WriteSessions(options.chance);
    const isAny = options.to.mode === 'outdated';
    const link = isAny ? new NearestLink(options) : new ShardLink(options);
    this.#remote = remoteTable(options.to, link, options.signal);
  }

  get #here(): TableAccess | undefined {
    return this.#options.own?.shard(this.#options.to);
  }

  get(key: Uint8Array, query: Abortable): Row | undefined | Promise<Row | undefined> {
    return this.#either((shard) => shard.get(key, query));
  }

  scan(range: EncodedRange, order: Order, options?: ScanOptions): BatchSource<Row> {
    return new EitherScan(
      this.#options.to,
      (isHere) => this.#at(isHere)?.scan(range, order, options),
      (after, isHere) =>
        this.#at(isHere)?.scan(rangeAfter(range, after.key, order), order, options),
    );
  }

  scanIndex(
    index: string,
    range: EncodedRange,
    order: Order,
    options?: ScanOptions,
  ): BatchSource<IndexRow> {
    return new EitherScan(
      this.#options.to,
      (isHere) => this.#at(isHere)?.scanIndex(index, range, order, options),
      (last, isHere) =>
        this.#at(isHere)?.scanIndex(index, range, order, {
          ...options,
          after: last,
        }),
    );
  }

  async count(): Promise<number> {
    return this.#either((shard) => shard.count());
  }

  async edit(batch: EditBatch, signal: AbortSignal): Promise<readonly EditOutcome[]> {
    const edit = (each: EditBatch, stop: AbortSignal) => this.#attempt(each, stop);
    const session = this.#sessions.take();
    if (session === undefined) return edit(batch, signal);
    let isAnswered = false;
    try {
      const edited = await editRepeatedly({ ...this.#options, batch, session, edit }, signal);
      isAnswered = !edited.wasRepeated;
      return edited.outcomes;
    } finally {
      if (isAnswered) this.#sessions.release(session);
      else this.#sessions.abandon();
    }
  }

  /**
   * A first attempt that a newer map refuses was not carried out, and the table gives its keys to their shards. One that
   * is repeated belongs to its shard, which alone knows what became of the first.
   */
  async #attempt(batch: EditBatch, signal: AbortSignal): Promise<readonly EditOutcome[]> {
    try {
      return await this.#either((shard) => shard.edit(batch, signal));
    } catch (error) {
      if (!(error instanceof ShardElsewhereError) || batch.session?.isRepeated !== true)
        throw error;
      const successor = await this.#options.successor(error, signal);
      if (successor === undefined) throw error;
      return successor.#attempt(batch, signal);
    }
  }

  async sync(): Promise<void> {
    return this.#either((shard) => shard.sync());
  }

  #at(isHere: boolean): TableAccess | undefined {
    return isHere ? this.#here : this.#remote;
  }

  /** Here while this node leads; over the link when it does not, or no longer does. */
  #either<T>(work: (shard: TableAccess) => T | Promise<T>): T | Promise<T> {
    const here = this.#here;
    if (here === undefined) return work(this.#remote);
    try {
      const result = work(here);
      return result instanceof Promise
        ? result.catch((error: unknown) => this.#elsewhere(error, work))
        : result;
    } catch (error) {
      return this.#elsewhere(error, work);
    }
  }

  #elsewhere<T>(error: unknown, work: (shard: TableAccess) => T | Promise<T>): T | Promise<T> {
    const { to, leaders } = this.#options;
    if (!isForOthers(error, to)) throw error;
    const leader = error instanceof NotLeaderError ? error.leader : undefined;
    if (leader !== undefined) leaders.note(to.table, to.shard, leader);
    return work(this.#remote);
  }
}

/** Another node may answer what this one cannot: for `outdated` reads also one that has built the index. */
export const isForOthers = (error: unknown, { mode }: Pick<ShardAddress, 'mode'>): boolean =>
  error instanceof NotLeaderError || (mode === 'outdated' && isIndexBuilding(error));

/** A scan that continues over the link when the shard has left this node, or here when it has come. */
class EitherScan<T extends Row> implements BatchSource<T> {
  readonly #to: ShardAddress;
  readonly #begin: (isHere: boolean) => BatchSource<T> | undefined;
  readonly #resume: (last: T, isHere: boolean) => BatchSource<T> | undefined;
  #source: BatchSource<T> | undefined;
  #last: T | undefined;
  #isOver = false;

  constructor(
    to: ShardAddress,
    begin: (isHere: boolean) => BatchSource<T> | undefined,
    resume: (last: T, isHere: boolean) => BatchSource<T> | undefined,
  ) {
    this.#to = to;
    this.#begin = begin;
    this.#resume = resume;
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<readonly T[] | undefined> {
    if (this.#isOver) return undefined;
    const rows = await this.#next(limit, signal);
    this.#last = rows?.at(-1) ?? this.#last;
    return rows;
  }

  close(): void {
    this.#isOver = true;
    this.#source?.close();
  }

  async #next(limit: BatchLimit, signal: AbortSignal): Promise<readonly T[] | undefined> {
    try {
      this.#source ??= this.#open(true) ?? this.#open(false);
      return await this.#source?.next(limit, signal);
    } catch (error) {
      if (!isForOthers(error, this.#to)) throw error;
      this.#source?.close();
      this.#source = this.#open(false);
      return this.#source?.next(limit, signal);
    }
  }

  #open(isHere: boolean): BatchSource<T> | undefined {
    return this.#last === undefined ? this.#begin(isHere) : this.#resume(this.#last, isHere);
  }
}
