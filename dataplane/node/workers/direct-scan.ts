import { BatchFill } from '../../shard/scan.ts';
import { decodeDocument, keyInKeyspace } from '../../table/envelope.ts';
import { decodeIndexEntry, isCut } from '../../table/index-entry.ts';
import { rangeAfter, storedRange } from '../../table/key-range.ts';
import type {
  BatchLimit,
  BatchSource,
  EncodedRange,
  IndexRow,
  Order,
  Row,
} from '../../wire/table-access.ts';
import { askCore, textIn } from './direct-reads.ts';
import type { DirectReads } from './direct-reads.ts';
import type { ShardLayout } from './table-layout.ts';

/** The store lacks a write, or might: the core is asked for this batch, and the next one may be direct again. */
class NotNow extends Error {}

/** Common beside writes: a trace of each would cost more than the look. */
const notNow = new NotNow();

/** What would be met again: the rest of the scan is asked of the core. */
class NotDirect extends Error {}

export interface DirectWalk {
  readonly range: EncodedRange;
  readonly order: Order;
}

/** A walk over the rows of one shard in the store. Each batch is a look of its own, as in the core. */
export class DirectRows implements BatchSource<Row> {
  readonly #reads: DirectReads;
  readonly #shard: ShardLayout;
  readonly #order: Order;
  #range: EncodedRange;
  #isOver = false;

  constructor(reads: DirectReads, shard: ShardLayout, { range, order }: DirectWalk) {
    this.#reads = reads;
    this.#shard = shard;
    this.#range = range;
    this.#order = order;
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<readonly Row[] | undefined> {
    if (this.#isOver) return undefined;
    signal.throwIfAborted();
    const fill = new BatchFill<Row>(limit);
    const range = storedRange(this.#shard.keyspace, this.#range, this.#order);
    const looked = this.#reads.over(this.#shard, (view) =>
      view.walk('data', range, (storedKey, value) => {
        const { text } = decodeDocument(storedKey, value);
        fill.add({ key: keyInKeyspace(storedKey), text }, text.length);
        return !fill.full;
      }),
    );
    if (looked === askCore) throw notNow;
    const last = fill.rows.at(-1);
    this.#isOver = !fill.full || last === undefined;
    if (last === undefined) return undefined;
    this.#range = rangeAfter(this.#range, last.key, this.#order);
    return fill.rows;
  }

  close(): void {
    this.#isOver = true;
  }
}

/** A walk over the entries of an index of one shard, with their documents. */
export class DirectIndexRows implements BatchSource<IndexRow> {
  readonly #reads: DirectReads;
  readonly #shard: ShardLayout;
  readonly #keyspace: number;
  readonly #order: Order;
  #range: EncodedRange;
  #isOver = false;

  /** `keyspace`: of the entries. `behind`: the position of the entry behind which it begins. */
  constructor(
    reads: DirectReads,
    { shard, keyspace }: { readonly shard: ShardLayout; readonly keyspace: number },
    { range, order, behind }: DirectWalk & { readonly behind: Uint8Array | undefined },
  ) {
    this.#reads = reads;
    this.#shard = shard;
    this.#keyspace = keyspace;
    this.#range = behind === undefined ? range : rangeAfter(range, behind, order);
    this.#order = order;
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<readonly IndexRow[] | undefined> {
    if (this.#isOver) return undefined;
    signal.throwIfAborted();
    const fill = new BatchFill<IndexRow>(limit);
    const range = storedRange(this.#keyspace, this.#range, this.#order);
    let last = undefined as Uint8Array | undefined;
    const looked = this.#reads.over(this.#shard, (view) =>
      view.walk('index', range, (storedKey, value) => {
        last = keyInKeyspace(storedKey);
        const { indexKey, primaryKey } = decodeIndexEntry(storedKey, value);
        // Only the document has the whole of it, and only the core the function.
        if (isCut(indexKey)) throw new NotDirect();
        const text = textIn(view, this.#shard.keyspace, primaryKey);
        if (text !== undefined) fill.add({ key: primaryKey, text, indexKey }, text.length);
        return !fill.full;
      }),
    );
    if (looked === askCore) throw notNow;
    this.#isOver = !fill.full || last === undefined;
    if (last !== undefined) this.#range = rangeAfter(this.#range, last, this.#order);
    return fill.rows.length === 0 ? undefined : fill.rows;
  }

  close(): void {
    this.#isOver = true;
  }
}

export interface Sources<T> {
  /** Behind a row that was answered, or from the beginning. */
  direct(last: T | undefined): BatchSource<T>;
  remote(last: T | undefined): BatchSource<T>;
  /** False while it cannot go on directly, whatever the core has published. */
  permits(): boolean;
  /** Rows were read directly. */
  read(rows: number): void;
  /** The core was asked for a batch. */
  forwarded(): void;
}

/** Each batch from the store where that is certain to be right, and from the core otherwise. */
export class DirectOrRemoteScan<T extends Row> implements BatchSource<T> {
  readonly #sources: Sources<T>;
  #direct: BatchSource<T> | undefined;
  #remote: BatchSource<T> | undefined;
  #last: T | undefined;
  /** What was met once would be met again. */
  #isForCore = false;
  #isOver = false;

  constructor(sources: Sources<T>) {
    this.#sources = sources;
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<readonly T[] | undefined> {
    if (this.#isOver) return undefined;
    const rows = (await this.#nextDirect(limit, signal)) ?? (await this.#ask(limit, signal));
    this.#isOver ||= rows.length === 0;
    this.#last = rows.at(-1) ?? this.#last;
    return rows.length === 0 ? undefined : rows;
  }

  close(): void {
    this.#isOver = true;
    this.#direct?.close();
    this.#remote?.close();
  }

  /** No rows at the end; undefined when the core must be asked. */
  async #nextDirect(limit: BatchLimit, signal: AbortSignal): Promise<readonly T[] | undefined> {
    if (this.#isForCore || !this.#sources.permits()) return undefined;
    this.#direct ??= this.#sources.direct(this.#last);
    try {
      const rows = (await this.#direct.next(limit, signal)) ?? [];
      this.#remote?.close();
      this.#remote = undefined;
      this.#sources.read(rows.length);
      return rows;
    } catch (error) {
      signal.throwIfAborted();
      this.#isForCore = !(error instanceof NotNow);
      return undefined;
    }
  }

  async #ask(limit: BatchLimit, signal: AbortSignal): Promise<readonly T[]> {
    this.#direct?.close();
    this.#direct = undefined;
    this.#remote ??= this.#sources.remote(this.#last);
    this.#sources.forwarded();
    return (await this.#remote.next(limit, signal)) ?? [];
  }
}
