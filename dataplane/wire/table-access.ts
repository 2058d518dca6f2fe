import type { Made, PushedScan } from './pushed-scan.ts';
import type { EditBatch, EditOutcome } from './table-edit.ts';

/**
 * The contract between a query and the shards of a table, local or on another node. Guarded invariant: nothing but
 * data crosses it. Keys are encoded bytes, documents and values are canonical JSON text, functions are terms with
 * the values that they capture, and errors are a code with a message.
 */

/** A stored document. `text` is canonical JSON: whole documents are answered without parsing. */
export interface Row {
  /** The encoded primary key. */
  readonly key: Uint8Array;
  readonly text: string;
  /** By the operations of the scan; without it, the row is as it was stored. */
  readonly made?: Made | undefined;
}

/** An entry of a secondary index with its document. */
export interface IndexRow extends Row {
  /** The encoded index value (without the primary key behind it). */
  readonly indexKey: Uint8Array;
}

/** Where a row stands in an index. */
export type IndexPosition = Pick<IndexRow, 'key' | 'indexKey'>;

/** A half-open range of encoded keys; a missing bound is open. */
export interface EncodedRange {
  readonly start?: Uint8Array;
  readonly end?: Uint8Array;
}

export type Order = 'ascending' | 'descending';

/**
 * How fresh a read is. `single`: a leader answers that knows by its lease that no other one leads. `majority`: a leader
 * answers that most of the replicas have just confirmed. `outdated`: any replica answers with what it knows to be
 * committed.
 */
export const readModes = ['single', 'majority', 'outdated'] as const;
export type ReadMode = (typeof readModes)[number];

export interface BatchLimit {
  readonly rows: number;
  readonly bytes: number;
}

/**
 * A stream of batches. Each `next` seeks again by key, so that nothing pins a snapshot between
 * batches. After `undefined` there is nothing more.
 */
export interface BatchSource<T> {
  next(limit: BatchLimit, signal: AbortSignal): Promise<readonly T[] | undefined>;
  close(): void;
}

/** What a scan may have, beside its range. */
export interface ScanOptions {
  /** In an index: the row of an earlier scan behind which this one goes on. */
  readonly after?: IndexPosition | undefined;
  /** In an index: the last row that belongs to this scan, if it is there. */
  readonly until?: IndexPosition | undefined;
  /** To be evaluated beside the rows, on as many of them as it likes. */
  readonly pushed?: PushedScan | undefined;
}

/** Of a query. The signal costs as much as a small query: only what waits asks for it. */
export interface Abortable {
  readonly signal: AbortSignal;
}

/** Of a table. */
export const shardsMax = 64;

export interface TableAccess {
  /** Rejects with a `damagedDocument` failure for a document that cannot be read; so do scans. */
  get(key: Uint8Array, query: Abortable): Row | undefined | Promise<Row | undefined>;
  scan(range: EncodedRange, order: Order, options?: ScanOptions): BatchSource<Row>;
  scanIndex(
    index: string,
    range: EncodedRange,
    order: Order,
    options?: ScanOptions,
  ): BatchSource<IndexRow>;
  /** Of the whole table, without reading it. */
  count(): Promise<number>;
  /**
   * Edits in order; one outcome for each. Resolves when all are committed: after the log's sync
   * (`hard`), or before it (`soft`).
   */
  edit(batch: EditBatch, signal: AbortSignal): Promise<readonly EditOutcome[]>;
  /** Resolves when every soft write so far is durable. */
  sync(): Promise<void>;
}
