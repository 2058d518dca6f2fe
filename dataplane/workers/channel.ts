import { PhotonError } from '../common/errors.ts';
import { ChannelFrameReader, encodeChannelFrame } from './channel-frame.ts';
import type { ChannelFrame } from './channel-frame.ts';
import {
  ChannelClosedError,
  ChannelFrameError,
  ChannelOverloadedError,
  RemoteFailure,
} from './errors.ts';

/**
 * The conversation between the core and one query worker: requests of both sides, many at a time, and notices. It
 * knows no socket. Frames of one turn of the event loop leave in one write. Guarded invariants: every request ends
 * exactly once, with an answer or an error; what waits in either direction is bounded; whatever bytes come, the
 * worst that happens is the end of the channel.
 */
export interface ChannelPipe {
  /** False: it holds enough, and `drained` is called when it takes more. */
  write(bytes: Uint8Array): boolean;
  close(): void;
}

export interface ChannelLimits {
  readonly frameBytesMax: number;
  /** Requests of the other side that are held or worked on; one more ends the channel. */
  readonly requestsMax: number;
  /** Bytes that wait to be sent; above it no further request of the other side is begun. */
  readonly queuedBytesHigh: number;
  /** Bytes that wait to be sent; above it requests of this side are refused, and an answer ends the channel. */
  readonly queuedBytesMax: number;
}

export interface ChannelOptions {
  readonly pipe: ChannelPipe;
  readonly limits: ChannelLimits;
  /** Calls at the end of this turn of the event loop. */
  readonly defer: (flush: () => void) => void;
  /** Works on a request; may answer at once. What it throws is the failure. */
  readonly serve: (body: unknown, request: ServedRequest) => unknown;
  readonly noticed: (body: unknown) => void;
  /** A failure as data. */
  readonly failureOf: (error: unknown) => unknown;
  /** Called once. */
  readonly ended: (reason: Error) => void;
}

/** A request of the other side. */
export class ServedRequest {
  #abort: AbortController | undefined;
  #reason: Error | undefined;

  /** Aborted when the other side cancels the request or is gone. Made when it is asked for: most requests need none. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#reason !== undefined) this.#abort.abort(this.#reason);
    return this.#abort.signal;
  }

  cancel(reason: Error): void {
    this.#reason = reason;
    this.#abort?.abort(reason);
  }
}

interface Pending {
  resolve(body: unknown): void;
  reject(error: Error): void;
}

const idsMax = 0xffff_ffff;

const tooLarge = ({ length }: Buffer): ChannelOverloadedError =>
  new ChannelOverloadedError(`A message between query worker and core has ${length} bytes.`);

export class Channel {
  readonly #options: ChannelOptions;
  readonly #reader: ChannelFrameReader;
  readonly #pending = new Map<number, Pending>();
  readonly #serving = new Map<number, ServedRequest>();
  /** Requests of the other side that wait until it has read. */
  readonly #held = new Map<number, unknown>();
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #isDeferred = false;
  #isBlocked = false;
  #nextId = 1;
  #reason: Error | undefined;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#reader = new ChannelFrameReader(options.limits.frameBytesMax);
  }

  get isOpen(): boolean {
    return this.#reason === undefined;
  }

  /** Requests of this side that have no answer yet. */
  get pending(): number {
    return this.#pending.size;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Bytes from the other side. */
  received(chunk: Buffer): void {
    if (this.#reason !== undefined) return;
    try {
      for (const frame of this.#reader.push(chunk)) {
        this.#take(frame);
        if (!this.isOpen) return;
      }
    } catch (error) {
      if (!(error instanceof PhotonError)) throw error;
      this.close(error);
    }
  }

  /** The pipe takes more. */
  drained(): void {
    this.#isBlocked = false;
    this.#flush();
  }

  /** Rejects with a RemoteFailure, a ChannelClosedError, or the reason of the signal. */
  request(body: unknown, signal?: AbortSignal): Promise<unknown> {
    if (this.#reason !== undefined) return Promise.reject(this.#reason);
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const id = this.#id();
    const bytes = encodeChannelFrame({ kind: 'request', id, body });
    if (this.#isTooLarge(bytes)) return Promise.reject(tooLarge(bytes));
    if (this.#queuedBytes > this.#options.limits.queuedBytesMax)
      return Promise.reject(
        new ChannelOverloadedError(`${this.#queuedBytes} bytes of other requests wait already.`),
      );
    this.#push(bytes);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (signal === undefined) {
      this.#pending.set(id, { resolve, reject });
      return promise;
    }
    const aborted = (): void => {
      this.#pending.delete(id);
      this.#send({ kind: 'cancel', id, body: null });
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', aborted, { once: true });
    const end = (): void => signal.removeEventListener('abort', aborted);
    this.#pending.set(id, {
      resolve: (answer) => (end(), resolve(answer)),
      reject: (error) => (end(), reject(error)),
    });
    return promise;
  }

  /** Tells the other side something that has no answer. */
  notify(body: unknown): void {
    this.#send({ kind: 'notice', id: 0, body });
  }

  /** Ends the channel; nothing that waits is sent any more. */
  close(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#held.clear();
    for (const request of this.#serving.values()) request.cancel(reason);
    this.#serving.clear();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    this.#options.pipe.close();
    for (const each of pending) each.reject(reason);
    this.#options.ended(reason);
  }

  /** The pipe is gone. */
  lost(): void {
    this.close(new ChannelClosedError('The other side is gone.'));
  }

  #id(): number {
    while (this.#pending.has(this.#nextId)) this.#advance();
    const id = this.#nextId;
    this.#advance();
    return id;
  }

  #advance(): void {
    this.#nextId = this.#nextId === idsMax ? 1 : this.#nextId + 1;
  }

  #send(frame: ChannelFrame): void {
    if (this.#reason === undefined) this.#push(encodeChannelFrame(frame));
  }

  #isTooLarge({ length }: Buffer): boolean {
    return length > this.#options.limits.frameBytesMax;
  }

  #push(bytes: Buffer): void {
    const { queuedBytesMax } = this.#options.limits;
    if (this.#queuedBytes > queuedBytesMax) {
      this.close(
        new ChannelOverloadedError(
          `${this.#queuedBytes} bytes wait for the other side, which does not read them; ${queuedBytesMax} may.`,
        ),
      );
      return;
    }
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#isDeferred || this.#isBlocked) return;
    this.#isDeferred = true;
    this.#options.defer(() => {
      this.#isDeferred = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#isBlocked || this.#queue.length === 0) return;
    const [first] = this.#queue;
    const bytes =
      this.#queue.length === 1 && first !== undefined
        ? first
        : Buffer.concat(this.#queue, this.#queuedBytes);
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#isBlocked = !this.#options.pipe.write(bytes);
    this.#resume();
  }

  #resume(): void {
    const { queuedBytesHigh } = this.#options.limits;
    for (const [id, body] of this.#held) {
      if (this.#isBlocked && this.#queuedBytes > queuedBytesHigh) return;
      this.#held.delete(id);
      this.#serve(id, body);
    }
  }

  #take({ kind, id, body }: ChannelFrame): void {
    switch (kind) {
      case 'request':
        return this.#accept(id, body);
      case 'answer':
        return this.#settle(id)?.resolve(body);
      case 'failure':
        return this.#settle(id)?.reject(new RemoteFailure('The other side refused.', body));
      case 'cancel':
        this.#held.delete(id);
        return this.#serving.get(id)?.cancel(new ChannelClosedError('The request was cancelled.'));
      case 'notice':
        return this.#options.noticed(body);
    }
  }

  /** Undefined when the request was cancelled before. */
  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #accept(id: number, body: unknown): void {
    const { requestsMax, queuedBytesHigh } = this.#options.limits;
    if (this.#serving.has(id) || this.#held.has(id))
      throw new ChannelFrameError(`Request ${id} is under way already.`);
    if (this.#serving.size + this.#held.size >= requestsMax)
      throw new ChannelOverloadedError(`${requestsMax} requests are under way already.`);
    if (this.#isBlocked && this.#queuedBytes > queuedBytesHigh) this.#held.set(id, body);
    else this.#serve(id, body);
  }

  #serve(id: number, body: unknown): void {
    const request = new ServedRequest();
    const failed = (error: unknown): void =>
      this.#answer({ kind: 'failure', id, body: this.#options.failureOf(error) });
    this.#serving.set(id, request);
    let result: unknown;
    try {
      result = this.#options.serve(body, request);
    } catch (error) {
      return failed(error);
    }
    if (!(result instanceof Promise)) return this.#answer({ kind: 'answer', id, body: result });
    result.then((answer: unknown) => this.#answer({ kind: 'answer', id, body: answer }), failed);
    return undefined;
  }

  #answer(frame: ChannelFrame): void {
    // What was under way when the channel ended has no one to answer to.
    if (!this.#serving.delete(frame.id)) return;
    const bytes = encodeChannelFrame(frame);
    if (!this.#isTooLarge(bytes)) return this.#push(bytes);
    const body = this.#options.failureOf(tooLarge(bytes));
    return this.#push(encodeChannelFrame({ kind: 'failure', id: frame.id, body }));
  }
}
