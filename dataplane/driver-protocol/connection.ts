import type { Socket } from 'node:net';
import type { Cursor, GlobalOptions, QueryEngine } from '../query/engine.ts';
import { CompileError, RuntimeError } from '../query/errors.ts';
import { Handshake } from './handshake.ts';
import type { Credentials } from './handshake.ts';

/** One driver's connection: handshake, frames, and the streams that it has open. */
export interface ConnectionOptions {
  readonly socket: Socket;
  readonly engine: QueryEngine;
  readonly credentials: Credentials;
  readonly server: { readonly id: string; readonly name: string };
  /** Something that no client can cause. */
  internalError(error: unknown): void;
  queried(): void;
}

const queryBytesMax = 128 * 1_048_576;
const queriesMax = 1_024;
const handshakeMs = 10_000;
/** A client that reads nothing for so long while answers wait is cut off. */
const stalledMs = 60_000;
const firstBatchDivisor = 4;

const queryType = { start: 1, continue: 2, stop: 3, noreplyWait: 4, serverInfo: 5 } as const;

interface OpenStream {
  readonly cursor: Cursor;
  readonly options: GlobalOptions;
  busy: boolean;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #abort = new AbortController();
  readonly #streams = new Map<string, OpenStream>();
  readonly #running = new Set<string>();
  readonly #noreply = new Set<Promise<unknown>>();
  #handshake: Handshake | undefined;
  #user = '';
  #input: Buffer = Buffer.alloc(0);
  #working: Promise<void> = Promise.resolve();
  #skip = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#handshake = new Handshake(options.credentials);
    const { socket } = options;
    socket.setNoDelay(true);
    socket.setTimeout(handshakeMs, () => {
      if (this.#handshake !== undefined || socket.writableLength > 0) socket.destroy();
    });
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#closed());
    socket.on('drain', () => this.#resume());
  }

  /** Resolves when no query runs. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#noreply);
  }

  get active(): number {
    return this.#running.size;
  }

  #closed(): void {
    this.#abort.abort(new Error('the client disconnected'));
    for (const { cursor } of this.#streams.values()) cursor.close();
    this.#streams.clear();
  }

  #receive(bytes: Buffer): void {
    if (this.#handshake === undefined) {
      this.#input = this.#input.length === 0 ? bytes : Buffer.concat([this.#input, bytes]);
      this.#frames();
      return;
    }
    this.#handshake.push(bytes);
    this.#working = this.#working
      .then(() => this.#shake())
      .catch((error: unknown) => {
        this.#options.internalError(error);
        this.#options.socket.destroy();
      });
  }

  async #shake(): Promise<void> {
    const { socket } = this.#options;
    while (this.#handshake !== undefined && !socket.destroyed) {
      const step = await this.#handshake.step();
      if (step.type === 'more') return;
      if (step.type === 'refused') {
        socket.end(step.bytes);
        return;
      }
      if (step.bytes.length > 0) socket.write(step.bytes);
      if (step.type !== 'done') continue;
      this.#user = step.user;
      this.#input = Buffer.from(this.#handshake.rest);
      this.#handshake = undefined;
      socket.setTimeout(stalledMs);
      this.#frames();
    }
  }

  #frames(): void {
    const { socket } = this.#options;
    for (;;) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, this.#input.length);
        this.#skip -= skipped;
        this.#input = this.#input.subarray(skipped);
        if (this.#skip === 0) socket.end();
        return;
      }
      if (this.#input.length < 12) return;
      const token = this.#input.subarray(0, 8);
      const length = this.#input.readUInt32LE(8);
      if (length > queryBytesMax) {
        this.#send(
          Buffer.from(token),
          clientError(`Query size (${length}) greater than maximum (${queryBytesMax}).`),
        );
        this.#input = this.#input.subarray(12);
        this.#skip = length;
        continue;
      }
      if (this.#input.length < 12 + length) return;
      const text = this.#input.toString('utf8', 12, 12 + length);
      const own = Buffer.from(token);
      this.#input = this.#input.subarray(12 + length);
      this.#query(own, text);
      if (
        this.#running.size >= queriesMax ||
        socket.writableLength > socket.writableHighWaterMark * 64
      )
        socket.pause();
    }
  }

  #resume(): void {
    if (this.#running.size < queriesMax) this.#options.socket.resume();
  }

  #send(token: Buffer, json: string): void {
    const { socket } = this.#options;
    if (socket.destroyed || socket.writableEnded) return;
    const body = Buffer.from(json);
    const head = Buffer.alloc(12);
    token.copy(head);
    head.writeUInt32LE(body.length, 8);
    socket.cork();
    socket.write(head);
    socket.write(body);
    socket.uncork();
  }

  #query(token: Buffer, text: string): void {
    let query: unknown;
    try {
      query = JSON.parse(text);
    } catch {
      this.#send(token, clientError('Client is buggy (failed to deserialize query).'));
      return;
    }
    if (!Array.isArray(query)) {
      this.#send(
        token,
        clientError(
          'Server could not parse query: Expected a query to be an array, but found another type.',
        ),
      );
      return;
    }
    if (query.length < 1 || query.length > 3) {
      this.#send(
        token,
        clientError(
          `Server could not parse query: Expected 1 to 3 elements in the top-level query, but found ${query.length}.`,
        ),
      );
      return;
    }
    const [type, term, options = {}] = query as [unknown, unknown, unknown];
    this.#dispatch(token, Number(type), { term, options: options as GlobalOptions });
  }

  #dispatch(
    token: Buffer,
    type: number,
    query: { readonly term: unknown; readonly options: GlobalOptions },
  ): void {
    const name = token.readBigUInt64LE(0).toString();
    switch (type) {
      case queryType.start:
        return this.#start(token, name, query);
      case queryType.continue:
        return this.#continue(token, name);
      case queryType.stop:
        return this.#stop(token, name);
      case queryType.noreplyWait:
        void Promise.allSettled(this.#noreply).then(() => this.#send(token, '{"t":4,"r":[]}'));
        return undefined;
      case queryType.serverInfo:
        return this.#send(
          token,
          `{"t":5,"r":[${JSON.stringify({ ...this.#options.server, proxy: false })}]}`,
        );
      default:
        return this.#send(
          token,
          clientError(`Server could not parse query: Unrecognized QueryType: ${type}.`),
        );
    }
  }

  #start(
    token: Buffer,
    name: string,
    { term, options }: { readonly term: unknown; readonly options: GlobalOptions },
  ): void {
    if (this.#streams.has(name) || this.#running.has(name)) {
      this.#send(token, clientError(`ERROR: duplicate token ${name}`));
      return;
    }
    this.#options.queried();
    const quiet = options['noreply'] === true;
    this.#running.add(name);
    const running = this.#run(token, name, { term, options, quiet })
      .catch((error: unknown) => (quiet ? undefined : this.#send(token, this.#failure(error))))
      .finally(() => {
        this.#running.delete(name);
        this.#noreply.delete(running);
        this.#resume();
      });
    this.#noreply.add(running);
  }

  async #run(
    token: Buffer,
    name: string,
    query: { readonly term: unknown; readonly options: GlobalOptions; readonly quiet: boolean },
  ): Promise<void> {
    const session = { user: this.#user, signal: this.#abort.signal };
    const outcome = await this.#options.engine.run(query.term, query.options, session);
    const profile = query.options['profile'] === true ? ',"p":[]' : '';
    if (query.quiet) {
      if (outcome.type === 'sequence') outcome.cursor.close();
      return;
    }
    if (outcome.type === 'atom') {
      this.#send(token, `{"t":1,"r":[${outcome.json}]${profile}}`);
      return;
    }
    const stream = { cursor: outcome.cursor, options: query.options, busy: true };
    this.#streams.set(name, stream);
    await this.#batch(token, name, stream, firstDivisor(query.options));
  }

  async #batch(token: Buffer, name: string, stream: OpenStream, divisor: number): Promise<void> {
    try {
      const batch = await stream.cursor.next(limitsOf(stream.options, divisor), this.#abort.signal);
      if (!this.#streams.has(name)) {
        this.#send(token, '{"t":2,"r":[],"n":[]}');
        return;
      }
      stream.busy = false;
      if (batch.done) this.#streams.delete(name);
      const profile = stream.options['profile'] === true ? ',"p":[]' : '';
      this.#send(
        token,
        `{"t":${batch.done ? 2 : 3},"r":[${batch.rows.join(',')}]${profile},"n":[${stream.cursor.notes.join(',')}]}`,
      );
    } catch (error) {
      this.#streams.delete(name);
      stream.cursor.close();
      throw error;
    }
  }

  #continue(token: Buffer, name: string): void {
    const stream = this.#streams.get(name);
    if (stream === undefined || stream.busy) {
      this.#send(token, clientError(`Token ${name} not in stream cache.`));
      return;
    }
    stream.busy = true;
    void this.#batch(token, name, stream, 1).catch((error: unknown) =>
      this.#send(token, this.#failure(error)),
    );
  }

  #stop(token: Buffer, name: string): void {
    const stream = this.#streams.get(name);
    if (stream === undefined) {
      this.#send(token, clientError(`Token ${name} not in stream cache.`));
      return;
    }
    this.#streams.delete(name);
    stream.cursor.close();
    this.#send(token, '{"t":2,"r":[],"n":[]}');
  }

  #failure(error: unknown): string {
    if (error instanceof CompileError)
      return `{"t":17,"r":[${JSON.stringify(error.message)}],"b":${JSON.stringify(error.backtrace)}}`;
    if (error instanceof RuntimeError) {
      return `{"t":18,"e":${error.type},"r":[${JSON.stringify(error.message)}],"b":${JSON.stringify(error.backtrace)}}`;
    }
    if (!this.#abort.signal.aborted) this.#options.internalError(error);
    return `{"t":18,"e":1000000,"r":[${JSON.stringify(`Internal error: ${(error as Error).message}`)}],"b":[]}`;
  }
}

const clientError = (message: string): string => `{"t":16,"r":[${JSON.stringify(message)}],"b":[]}`;

function firstDivisor(options: GlobalOptions): number {
  const { first_batch_scaledown_factor: factor } = options;
  return typeof factor === 'number' && factor >= 1 ? factor : firstBatchDivisor;
}

function limitsOf(
  options: GlobalOptions,
  divisor: number,
): { maxRows: number; maxBytes: number; maxMilliseconds: number } {
  const { max_batch_rows: rows, max_batch_bytes: bytes, max_batch_seconds: seconds } = options;
  const scaled = (value: unknown, otherwise: number): number =>
    Math.max(1, Math.floor((typeof value === 'number' ? value : otherwise) / divisor));
  return {
    maxRows: scaled(rows, 100_000),
    maxBytes: scaled(bytes, 1_048_576),
    maxMilliseconds: (typeof seconds === 'number' ? seconds : 0.5) * 1_000,
  };
}
