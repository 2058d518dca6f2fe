import type { Cursor, Outcome, QueryEngine } from '../query/engine.ts';
import { errorType, MalformedQueryError, RuntimeError } from '../query/errors.ts';
import type { QueryMemory } from '../query/work/memory.ts';
import type { ProtocolCounters } from './counters.ts';
import type { SessionStart } from './handshake.ts';
import type { ProtocolLimits } from './limits.ts';
import type { QueryStart, RunningQueries } from './running-queries.ts';
import { requireRoom } from './answer-room.ts';
import { batchLimits } from './batch-limits.ts';
import { StartedQuery } from './started-query.ts';
import {
  atomText,
  batchText,
  clientErrorText,
  internalErrorText,
  parseQuery,
  queryOf,
  queryErrorText,
  serverInfoText,
  stoppedText,
  waitCompleteText,
} from './messages.ts';
import type { ClientQuery } from './messages.ts';

export interface QuerySessionOptions {
  readonly engine: QueryEngine;
  readonly start: SessionStart;
  readonly server: { readonly id: string; readonly name: string };
  readonly limits: ProtocolLimits;
  readonly counters: ProtocolCounters;
  readonly queries: RunningQueries;
  readonly client: QueryStart['client'];
  readonly send: (token: bigint, json: string) => void;
  /** Room at the client for an answer of so many bytes, 0 for one of unknown size: undefined when it is there. */
  readonly reserve: (bytes: number) => Promise<void> | undefined;
  readonly release: (bytes: number) => void;
  /** Of answers that the client has not taken. */
  readonly queuedBytes: () => number;
  /** The same of all clients. */
  readonly allQueuedBytes: () => number;
  /** Something ended: more may be accepted. */
  readonly ended: () => void;
  /** Something that no client can cause. */
  readonly internalError: (error: unknown) => void;
}

interface OpenCursor {
  readonly cursor: Cursor;
  readonly query: StartedQuery;
  isBusy: boolean;
}

/**
 * The queries of one client that has logged in: those that run, and the cursors that stay open between
 * batches. It knows no socket. Guarded invariants: a token has one query at a time, each query that wants
 * an answer gets exactly one for each request, and after `close` no cursor is open.
 */
export class QuerySession {
  readonly #options: QuerySessionOptions;
  readonly #cursors = new Map<bigint, OpenCursor>();
  /** Of queries that have no cursor yet. */
  readonly #starting = new Map<bigint, StartedQuery>();
  /** From the request to its answer, without the batches of open cursors. */
  readonly #starts = new Set<Promise<void>>();
  /** Batches and waits; those of feeds, which may wait indefinitely, do not count. */
  #answering = 0;
  /** Of the long text that is read now; there is one at a time. */
  #reading: AbortController | undefined;
  #closed = false;

  constructor(options: QuerySessionOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#starting.size + this.#answering + (this.#reading === undefined ? 0 : 1);
  }

  get openCursors(): number {
    return this.#cursors.size;
  }

  /** Nothing more may be accepted now. */
  get isFull(): boolean {
    const { limits, start } = this.#options;
    if (this.#reading !== undefined) return true;
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
    this.#reading?.abort(gone());
    const busy = [...this.#cursors.values()].filter(({ isBusy }) => isBusy).length;
    this.#options.counters.queriesAborted += this.#starting.size + busy;
    for (const query of this.#starting.values()) query.abort(gone());
    for (const open of this.#cursors.values()) release(open);
    this.#cursors.clear();
  }

  accept(token: bigint, text: string | undefined): void {
    this.#accept(token, parseQuery(text), undefined);
  }

  /** A text that the engine reads with pauses. Nothing else is accepted before it has. */
  acceptLong(token: bigint, bytes: Uint8Array): void {
    const reading = new AbortController();
    this.#reading = reading;
    const start = this.#options.engine
      .read(bytes, reading.signal)
      .then(
        ({ value, memory }) => {
          this.#reading = undefined;
          if (this.#closed) memory.close();
          else this.#accept(token, queryOf(value), memory);
        },
        (error: unknown) => this.#readFailed(token, error),
      )
      .finally(() => {
        this.#reading = undefined;
        this.#starts.delete(start);
        this.#options.ended();
      });
    this.#starts.add(start);
  }

  #readFailed(token: bigint, error: unknown): void {
    if (error instanceof MalformedQueryError) this.#options.counters.framesMalformed += 1;
    this.#failed(token, error, false);
  }

  #accept(token: bigint, query: ClientQuery, memory: QueryMemory | undefined): void {
    const { send, server, counters } = this.#options;
    if (query.type !== 'start') memory?.close();
    switch (query.type) {
      case 'start':
        return this.#start(token, query, memory);
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

  #start(
    token: bigint,
    { term, options }: Extract<ClientQuery, { type: 'start' }>,
    memory: QueryMemory | undefined,
  ): void {
    const { send, counters, queries, start, client, reserve } = this.#options;
    if (this.#cursors.has(token) || this.#starting.has(token)) {
      memory?.close();
      send(token, clientErrorText(`ERROR: duplicate token ${token}`));
      return;
    }
    counters.queries += 1;
    const query = new StartedQuery({ token, term, options, user: start.user, client, memory });
    this.#starting.set(token, query);
    // Until what it answers is called, the query can be seen and ended.
    const end = queries.begin(query);
    try {
      const room = query.own.noreply ? undefined : reserve(0);
      const running = room === undefined ? this.#run(query) : room.then(() => this.#run(query));
      if (running === undefined) return end();
      this.#await(query, running, end);
    } catch (error) {
      this.#startFailed(query, error);
      end();
    }
    return undefined;
  }

  /** The query, or the first batch of its cursor, is not there yet. */
  #await(query: StartedQuery, running: Promise<void>, end: () => void): void {
    const ended = (): void => {
      end();
      this.#starts.delete(run);
      this.#options.ended();
    };
    const run = running.then(ended, (error: unknown) => {
      this.#startFailed(query, error);
      ended();
    });
    this.#starts.add(run);
  }

  /** Undefined when the query needed no waiting and has its answer. */
  #run(query: StartedQuery): Promise<void> | undefined {
    const outcome = this.#options.engine.run(query.term, query.options, query);
    return outcome instanceof Promise
      ? outcome.then((found) => this.#answer(query, found))
      : this.#answer(query, outcome);
  }

  #answer(query: StartedQuery, outcome: Outcome): Promise<void> | undefined {
    const { token, own } = query;
    // Before the answer: it is the client's leave to use the token again.
    this.#starting.delete(token);
    if (outcome.type === 'sequence') return this.#firstBatch(query, outcome.cursor);
    if (own.noreply) return undefined;
    const text = atomText(outcome.json, own);
    requireRoom(this.#options, text.length);
    this.#options.send(token, text);
    return undefined;
  }

  #firstBatch(query: StartedQuery, cursor: Cursor): Promise<void> | undefined {
    const { token, own } = query;
    const open = { cursor, query, isBusy: true };
    if (own.noreply || this.#closed) {
      release(open);
      return undefined;
    }
    if (this.#cursors.size >= this.#options.limits.cursorsMax) {
      release(open);
      throw new RuntimeError(errorType.resourceLimit, this.#tooManyCursors(), []);
    }
    this.#cursors.set(token, open);
    return this.#counted(open, () => this.#batch(open, true));
  }

  #tooManyCursors(): string {
    return `Too many open cursors on this connection (${this.#options.limits.cursorsMax}): read them to their end or close them.`;
  }

  async #batch(open: OpenCursor, isFirst: boolean): Promise<void> {
    const { send, reserve, limits } = this.#options;
    const { cursor, query } = open;
    const { token, own } = query;
    const wanted = batchLimits(own, limits, isFirst);
    // A feed may wait indefinitely without blocking others.
    const room = cursor.notes.length > 0 ? 0 : wanted.maxBytes;
    const waiting = reserve(room);
    if (waiting !== undefined) await waiting;
    try {
      const batch = await cursor.next(wanted, query.signal);
      if (this.#cursors.get(token) !== open) return this.#stopped(token);
      open.isBusy = false;
      if (batch.done) this.#cursors.delete(token);
      send(token, batchText(batch, cursor.notes, own));
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
    void this.#counted(open, () => this.#batch(open, false))
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

  #startFailed({ token, own }: StartedQuery, error: unknown): void {
    this.#starting.delete(token);
    this.#failed(token, error, own.noreply);
  }

  #failed(token: bigint, error: unknown, isQuiet: boolean): void {
    const text = queryErrorText(error);
    // An aborted query fails with whatever its parts say to that.
    if (this.#closed) return;
    this.#options.counters.queriesFailed += 1;
    if (text === undefined) this.#options.internalError(error);
    if (!isQuiet) this.#options.send(token, text ?? internalErrorText(error));
  }
}

const gone = (): Error => new Error('the client disconnected');

function release({ cursor, query }: Pick<OpenCursor, 'cursor' | 'query'>): void {
  query.abort(gone());
  cursor.close();
}
