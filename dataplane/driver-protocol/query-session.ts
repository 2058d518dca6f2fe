import type { Cursor, GlobalOptions, QueryEngine } from '../query/engine.ts';
import { errorType, RuntimeError } from '../query/errors.ts';
import { readSessionOptions } from '../query/global-options.ts';
import type { SessionOptions } from '../query/global-options.ts';
import type { ProtocolCounters } from './counters.ts';
import type { SessionStart } from './handshake.ts';
import type { ProtocolLimits } from './limits.ts';
import type { QueryStart, RunningQueries } from './running-queries.ts';
import {
  atomText,
  batchText,
  clientErrorText,
  internalErrorText,
  parseQuery,
  queryErrorText,
  serverInfoText,
  stoppedText,
  waitCompleteText,
} from './messages.ts';

/**
 * The queries of one client that has logged in: those that run, and the cursors that stay open between
 * batches. It knows no socket. Guarded invariants: a token has one query at a time, each query that wants
 * an answer gets exactly one for each request, and after `close` no cursor is open.
 */
export interface QuerySessionOptions {
  readonly engine: QueryEngine;
  readonly start: SessionStart;
  readonly server: { readonly id: string; readonly name: string };
  readonly limits: ProtocolLimits;
  readonly counters: ProtocolCounters;
  readonly queries: RunningQueries;
  readonly client: QueryStart['client'];
  readonly send: (token: bigint, json: string) => void;
  /** Resolves when the client has room for an answer of so many bytes; 0 for one of unknown size. */
  readonly reserve: (bytes: number) => Promise<void>;
  readonly release: (bytes: number) => void;
  /** Of answers that the client has not taken. */
  readonly queuedBytes: () => number;
  /** Something ended: more may be accepted. */
  readonly ended: () => void;
  /** Something that no client can cause. */
  readonly internalError: (error: unknown) => void;
}

interface OpenCursor {
  readonly cursor: Cursor;
  readonly options: SessionOptions;
  readonly abort: AbortController;
  isBusy: boolean;
}

/** How far a query has come. */
interface Run {
  readonly token: bigint;
  readonly term: unknown;
  readonly options: GlobalOptions;
  /** Those of them that are the connection's. */
  readonly own: SessionOptions;
  readonly abort: AbortController;
}

/** The first batch is smaller, so that it comes sooner. */
const firstBatchDivisor = 4;
const batchBytes = 1_048_576;
const batchRows = 100_000;
const batchSeconds = 0.5;

export class QuerySession {
  readonly #options: QuerySessionOptions;
  readonly #cursors = new Map<bigint, OpenCursor>();
  /** Of queries that have no cursor yet. */
  readonly #starting = new Map<bigint, AbortController>();
  /** From the request to its answer, without the batches of open cursors. */
  readonly #starts = new Set<Promise<void>>();
  /** Batches and waits; those of feeds, which may take for ever, do not count. */
  #answering = 0;
  #closed = false;

  constructor(options: QuerySessionOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#starting.size + this.#answering;
  }

  get openCursors(): number {
    return this.#cursors.size;
  }

  /** Nothing more may be accepted now. */
  get isFull(): boolean {
    const { limits, start } = this.#options;
    return this.running >= (start.sequential ? 1 : limits.queriesMax);
  }

  /** Resolves when every query that was accepted until now has its first answer. */
  async idle(): Promise<void> {
    await Promise.all(this.#starts);
  }

  /** The client is gone: what runs is aborted, what is open is released. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const busy = [...this.#cursors.values()].filter(({ isBusy }) => isBusy).length;
    this.#options.counters.queriesAborted += this.#starting.size + busy;
    for (const abort of this.#starting.values()) abort.abort(gone());
    for (const open of this.#cursors.values()) release(open);
    this.#cursors.clear();
  }

  accept(token: bigint, text: string | undefined): void {
    const { send, server, counters } = this.#options;
    const query = parseQuery(text);
    switch (query.type) {
      case 'start':
        return this.#start(token, query.term, query.options);
      case 'continue':
        return this.#continue(token);
      case 'stop':
        return this.#stop(token);
      case 'noreplyWait':
        return this.#noreplyWait(token);
      case 'serverInfo':
        return send(token, serverInfoText(server));
      case 'refused':
        counters.framesMalformed += 1;
        return send(token, clientErrorText(query.message));
    }
  }

  #start(token: bigint, term: unknown, options: GlobalOptions): void {
    if (this.#cursors.has(token) || this.#starting.has(token)) {
      this.#options.send(token, clientErrorText(`ERROR: duplicate token ${token}`));
      return;
    }
    this.#options.counters.queries += 1;
    const abort = new AbortController();
    this.#starting.set(token, abort);
    const own = readSessionOptions(options);
    const { noreply: isQuiet } = own;
    const end = this.#listed(term, abort);
    const run = this.#run({ token, term, options, own, abort })
      .catch((error: unknown) => {
        this.#starting.delete(token);
        this.#failed(token, error, isQuiet);
      })
      .finally(() => {
        end();
        this.#starts.delete(run);
        this.#options.ended();
      });
    this.#starts.add(run);
  }

  async #run(query: Run): Promise<void> {
    const { engine, start, send, reserve } = this.#options;
    const { token, term, options, own, abort } = query;
    const { noreply: isQuiet } = own;
    if (!isQuiet) await reserve(0);
    const session = { user: start.user, signal: abort.signal };
    const outcome = await engine.run(term, options, session);
    // Before the answer: it is the client's leave to use the token again.
    this.#starting.delete(token);
    if (outcome.type === 'atom') {
      if (isQuiet) return;
      const text = atomText(outcome.json, own);
      this.#requireRoom(text.length);
      send(token, text);
      return;
    }
    const open = { cursor: outcome.cursor, options: own, abort, isBusy: true };
    if (isQuiet || this.#closed) return release(open);
    if (this.#cursors.size >= this.#options.limits.cursorsMax) {
      release(open);
      throw new RuntimeError(errorType.resourceLimit, this.#tooManyCursors(), []);
    }
    this.#cursors.set(token, open);
    const divisor = own.first_batch_scaledown_factor ?? firstBatchDivisor;
    await this.#counted(open, () => this.#batch(token, open, divisor));
  }

  /** Until what it answers is called, the query can be seen and ended. */
  #listed(term: unknown, abort: AbortController): () => void {
    const { queries, client, start } = this.#options;
    const { user } = start;
    return queries.begin({ user, client, term, abort: (reason) => abort.abort(reason) });
  }

  #requireRoom(bytes: number): void {
    const { limits, queuedBytes } = this.#options;
    const { smallAnswerBytes, wholeAnswersBytesMax: bytesMax } = limits;
    const waiting = queuedBytes();
    if (waiting === 0 || bytes <= smallAnswerBytes || waiting + bytes <= bytesMax) return;
    const words = `The answer has ${bytes} bytes, and ${waiting} bytes of other answers wait for this client, of ${bytesMax} at most: it was dropped. Ask for less at once; what the query has written stays.`;
    throw new RuntimeError(errorType.resourceLimit, words, []);
  }

  #tooManyCursors(): string {
    return `Too many open cursors on this connection (${this.#options.limits.cursorsMax}): read them to their end or close them.`;
  }

  async #batch(token: bigint, open: OpenCursor, divisor: number): Promise<void> {
    const { send, reserve, limits } = this.#options;
    const { cursor, options, abort } = open;
    const batchLimits = limitsOf(options, divisor, limits);
    // A feed may wait for ever, and keeps nothing from others by that.
    const room = cursor.notes.length > 0 ? 0 : batchLimits.maxBytes;
    await reserve(room);
    try {
      const batch = await cursor.next(batchLimits, abort.signal);
      if (this.#cursors.get(token) !== open) return this.#stopped(token);
      open.isBusy = false;
      if (batch.done) this.#cursors.delete(token);
      send(token, batchText(batch, cursor.notes, options));
    } catch (error) {
      if (this.#cursors.get(token) !== open) return this.#stopped(token);
      this.#cursors.delete(token);
      release(open);
      throw error;
    } finally {
      this.#options.release(room);
    }
  }

  /** The answer to a request for a batch of a cursor that was stopped meanwhile. */
  #stopped(token: bigint): void {
    this.#options.send(token, stoppedText);
  }

  #continue(token: bigint): void {
    const open = this.#cursors.get(token);
    if (open === undefined || open.isBusy) return this.#unknown(token);
    open.isBusy = true;
    void this.#counted(open, () => this.#batch(token, open, 1))
      .catch((error: unknown) => this.#failed(token, error, false))
      .finally(() => this.#options.ended());
    return undefined;
  }

  #stop(token: bigint): void {
    const open = this.#cursors.get(token);
    if (open === undefined) return this.#unknown(token);
    this.#cursors.delete(token);
    release(open);
    return this.#stopped(token);
  }

  #unknown(token: bigint): void {
    this.#options.send(token, clientErrorText(`Token ${token} not in stream cache.`));
  }

  /** Answers when every query that came before has been answered, or has run if it wants no answer. */
  #noreplyWait(token: bigint): void {
    const before = this.idle();
    this.#answering += 1;
    void before.then(() => {
      this.#answering -= 1;
      this.#options.send(token, waitCompleteText);
      this.#options.ended();
    });
  }

  async #counted({ cursor }: OpenCursor, work: () => Promise<void>): Promise<void> {
    if (cursor.notes.length > 0) return work();
    this.#answering += 1;
    try {
      return await work();
    } finally {
      this.#answering -= 1;
    }
  }

  #failed(token: bigint, error: unknown, isQuiet: boolean): void {
    const text = queryErrorText(error);
    // An aborted query fails with whatever its parts say to that.
    if (this.#closed) return;
    if (text === undefined) this.#options.internalError(error);
    if (!isQuiet) this.#options.send(token, text ?? internalErrorText(error));
  }
}

const gone = (): Error => new Error('the client disconnected');

function release({ cursor, abort }: Pick<OpenCursor, 'cursor' | 'abort'>): void {
  abort.abort(gone());
  cursor.close();
}

function limitsOf(
  options: SessionOptions,
  divisor: number,
  limits: ProtocolLimits,
): { maxRows: number; maxBytes: number; maxMilliseconds: number } {
  const scaled = (most: number): number => Math.max(1, Math.floor(most / divisor));
  return {
    maxRows: scaled(options.max_batch_rows ?? batchRows),
    maxBytes: Math.min(scaled(options.max_batch_bytes ?? batchBytes), limits.batchBytesMax),
    maxMilliseconds: (options.max_batch_seconds ?? batchSeconds) * 1_000,
  };
}
