import type { Datum } from '../datum/datum.ts';
import type { DocumentPlace, ValidDocument } from '../datum/document.ts';
import type { ReadTransaction, StoreStatistics, WriteTransaction } from '../kv/store.ts';
import type { IndexFunction } from '../table/apply.ts';

/** What replication needs from others; `node` hands in what fits. */

/** The node's log (wal/). */
export interface GroupLog {
  /** Whether `append` refuses for now; `room` waits until it does not, and rejects after a while. */
  readonly full: boolean;
  room(signal: AbortSignal): Promise<void>;
  /**
   * Rejects without taking anything when there is no room (`isRefusal` in errors.ts), and then all later
   * entries of the group until the first that was refused comes again. Any other failure ends the process.
   */
  append(records: readonly LogEntry[]): Promise<void>;
  /** Removes what all its groups have on the medium; of a dropped group that is `Infinity`. */
  release(flushed: Pick<ReadonlyMap<number, number>, 'get'>): Promise<void>;
  /** What opening found. */
  readonly recovery: {
    readonly records: number;
    readonly bytes: number;
    lastIndex(group: number): { readonly index: number } | undefined;
  };
  /** Groups that lost entries to damage: nothing behind it was handed out, and nothing is taken. */
  readonly damaged: ReadonlyMap<number, { readonly code: string; readonly summary: string }>;
  readonly failed: Promise<Error>;
  close(): Promise<void>;
}

export interface LogEntry {
  readonly group: number;
  readonly term: number;
  readonly index: number;
  readonly kind: number;
  readonly payload: Uint8Array;
}

/** How the log is opened: it hands out what was not applied. */
export interface LogReplay {
  /** Whether the store is empty: then the log may be, too. */
  readonly isFirst: boolean;
  replayFrom(group: number): number;
  /** Whether the node can serve without the group. */
  isDispensable(group: number): boolean;
  /** Awaited when it answers a promise, so that replay stays bounded in memory. */
  onRecord(record: LogEntry): void | Promise<void>;
  onProgress(doneBytes: number, totalBytes: number): void;
  readonly signal: AbortSignal;
}

export interface ApplyStore {
  read<T>(body: (transaction: ReadTransaction) => T): T;
  write<T>(body: (transaction: WriteTransaction) => T): Promise<T>;
  flushed(): Promise<void>;
  statistics(): StoreStatistics;
  close(): Promise<void>;
}

/** Documents between values and canonical text. */
export interface DocumentCodec {
  parse(text: string): Datum;
  /** Throws what the client shall see when a value cannot be stored there. */
  validate(document: Datum, place: DocumentPlace): ValidDocument;
  /** Why stored text is no document of its key, as the end of a sentence; undefined for one. */
  problemOf(text: string, place: Omit<DocumentPlace, 'old'>): string | undefined;
}

export type CompileIndex = (
  definition: string,
  multi: boolean,
  geo: boolean,
  /** Hears of each document that has no entry because the function could not be evaluated on it. */
  failed?: (error: unknown) => void,
) => IndexFunction;

export interface Row {
  readonly key: Uint8Array;
  readonly text: string;
}

export interface IndexRow extends Row {
  readonly indexKey: Uint8Array;
}

export interface EncodedRange {
  readonly start?: Uint8Array;
  readonly end?: Uint8Array;
}

export type Order = 'ascending' | 'descending';

export interface BatchLimit {
  readonly rows: number;
  readonly bytes: number;
}

export interface BatchSource<T> {
  next(limit: BatchLimit, signal: AbortSignal): Promise<readonly T[] | undefined>;
  close(): void;
}

export interface Edit {
  readonly key: Uint8Array;
  /**
   * Whether what it leaves may stand in place of a document that cannot be read. Then that counts as
   * null, and `EditOutcome.damage` says so; any other edit of such a document fails.
   */
  readonly replacesDamage?: boolean;
  evaluate(old: Datum): Datum | Promise<Datum>;
}

export interface EditOutcome {
  readonly old: Datum;
  readonly new: Datum;
  readonly error?: Error;
  /** Why nobody knows what was there before. */
  readonly damage?: Error;
}
