import type { QueryMemory } from './work/memory.ts';

/**
 * What the query engine offers to those who speak to clients (driver-protocol, http). A query comes
 * as its parsed JSON term; answers go out as JSON text, so that whole documents are copied and
 * never parsed.
 */

/** Global optional arguments of a query, as parsed JSON terms by name. */
export type GlobalOptions = Readonly<Record<string, unknown>>;

export interface BatchLimits {
  readonly maxRows: number;
  readonly maxBytes: number;
  readonly maxMilliseconds: number;
}

export interface Batch {
  /** JSON text of each row. */
  readonly rows: readonly string[];
  readonly done: boolean;
}

/** The rest of a sequence. `next` calls do not overlap. */
export interface Cursor {
  /** Response notes of the protocol (feeds); empty for ordinary streams. */
  readonly notes: readonly number[];
  next(limits: BatchLimits, signal: AbortSignal): Promise<Batch>;
  close(): void;
}

export type Outcome =
  | { readonly type: 'atom'; readonly json: string; readonly profile?: string }
  | { readonly type: 'sequence'; readonly cursor: Cursor; readonly profile?: string };

/** What a long text of a query says; the memory is that of the query. */
interface LongText {
  readonly value: unknown;
  readonly memory: QueryMemory;
}

export interface QueryEngine {
  /** Reads a text that takes long, with pauses for others. Rejects with a QueryError. */
  read(bytes: Uint8Array, signal: AbortSignal): Promise<LongText>;
  /**
   * Compiles and starts a query. Answers at once when nothing in it waits. Throws or rejects with a
   * QueryError (query/errors.ts) for everything that the client did wrong or that could not be had; any
   * other exception is a bug.
   */
  run(term: unknown, options: GlobalOptions, session: QueryOrigin): Outcome | Promise<Outcome>;
}

/** Who asks, and until when. */
export interface QueryOrigin {
  readonly user: string;
  /** Of a query whose text was read by the engine. */
  readonly memory?: QueryMemory | undefined;
  /** Asked for by what waits only: a signal costs as much as a small query. */
  readonly signal: AbortSignal;
}
