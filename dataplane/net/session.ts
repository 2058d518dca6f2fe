import type { Clock, Timer } from '../common/clock.ts';
import { PhotonError } from '../common/errors.ts';
import { spawn } from '../common/spawn.ts';
import { encodeFrame, FrameReader } from '../wire/frame.ts';
import type { Frame, Priority } from '../wire/frame.ts';
import {
  ConnectionLostError,
  DeadlineError,
  MessageTooLargeError,
  PeerError,
  PeerOverloadedError,
  SessionRefusedError,
} from './errors.ts';
import { answerInParts, messageBytesMax, partBytes, PartsHeld, requestInParts } from './parts.ts';
import type { RequestFrame } from './parts.ts';
import { protocolVersion } from './protocols.ts';
import { SendQueue } from './send-queue.ts';

/**
 * One conversation between two nodes over one connection: requests of both sides, many at a time, with
 * priorities, deadlines and cancellation. What carries the bytes (TLS, memory) and who the peer is (its
 * certificate) is known outside. Guarded invariants: every request ends exactly once, with an answer or a
 * typed error; nothing is answered before both sides have said who they are.
 */
/** A timer of the machine takes no more than 2^31 ms, and one that is set to more ends at once. */
const deadlineMsMax = 86_400_000;

export interface Peer {
  readonly clusterId: string;
  readonly nodeId: string;
}

/** A peer as its certificate proves it. */
export interface CertifiedPeer extends Peer {
  /** Undefined when the certificate names none, as those of earlier releases. */
  readonly roles?: readonly string[] | undefined;
}

/** The bytes of a connection. */
export interface Pipe {
  /** False: it holds enough; `drained` is called when it takes more. */
  write(bytes: Uint8Array): boolean;
  close(): void;
}

export interface Incoming {
  readonly peer: Peer;
  readonly type: number;
  readonly payload: Uint8Array;
  /** Aborted when the peer cancels, its deadline passes, or the connection ends. */
  readonly signal: AbortSignal;
}

export interface SessionOptions {
  readonly own: Peer;
  /** The identity that the peer's certificate proves; its first frame must say the same. */
  readonly expected: CertifiedPeer;
  readonly pipe: Pipe;
  readonly clock: Clock;
  readonly queueBytesMax: Readonly<Record<Priority, number>>;
  /** Requests of the peer that are worked on at a time; more are refused. */
  readonly incomingMax: number;
  /** For the TLS handshake, and again until the peer has said who it is. */
  readonly handshakeMs: number;
  handle(incoming: Incoming): Promise<Uint8Array>;
  /** What the peer says without waiting for an answer. */
  noticed?(type: number, payload: Uint8Array): void;
  /** Called once, with the reason. */
  ended(reason: Error): void;
}

export interface RequestOptions {
  readonly priority: Priority;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

interface Pending {
  resolve(payload: Uint8Array): void;
  reject(error: Error): void;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #reader = new FrameReader();
  readonly #queue: SendQueue;
  readonly #pending = new Map<number, Pending>();
  readonly #incoming = new Map<number, AbortController>();
  /** Requests of the peer whose last part has not come. */
  readonly #opened = new Map<number, RequestFrame>();
  readonly #requestParts = new PartsHeld<number>();
  readonly #answerParts = new PartsHeld<number>();
  readonly #lifetime = new AbortController();
  #nextId = 1;
  #isBlocked = false;
  #hasGreeted = false;
  readonly #greeting: Timer;
  #reason: Error | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#queue = new SendQueue(options.queueBytesMax);
    const { clock, handshakeMs } = options;
    this.#greeting = clock.timer(handshakeMs, () =>
      this.close(
        new SessionRefusedError(`The peer did not say who it is within ${handshakeMs} ms.`),
      ),
    );
    const { min: versionMin, max: versionMax } = protocolVersion;
    this.#send('consensus', { kind: 'hello', versionMin, versionMax, ...options.own });
  }

  /** Whether the peer has said who it is. */
  get hasGreeted(): boolean {
    return this.#hasGreeted;
  }

  get isOpen(): boolean {
    return this.#reason === undefined;
  }

  /** Bytes from the peer. */
  received(chunk: Uint8Array): void {
    // Nothing is held for a peer that sends after the end.
    if (this.#reason !== undefined) return;
    try {
      for (const frame of this.#reader.push(chunk)) {
        if (this.#reason !== undefined) return;
        this.#take(frame);
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

  /** Asks the peer; rejects with a typed error that says whether the request may have been carried out. */
  request(type: number, payload: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    if (this.#reason !== undefined) return Promise.reject(this.#reason);
    if (payload.byteLength > messageBytesMax) {
      return Promise.reject(
        new MessageTooLargeError(`A request holds at most ${messageBytesMax} bytes.`),
      );
    }
    const { priority, deadlineMs, signal } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const id = this.#nextId;
    this.#nextId = (this.#nextId + 1) >>> 0;
    const frame = { kind: 'request', id, type, priority, deadlineMs, payload } as const;
    const isTaken =
      payload.byteLength > partBytes
        ? this.#queue.pushLarge(
            priority,
            requestInParts(frame, () => this.#pending.has(id)),
          )
        : this.#queue.push(priority, encodeFrame(frame));
    if (!isTaken) {
      return Promise.reject(
        new PeerOverloadedError(
          `${this.#queue.bytesOf(priority)} bytes of priority ${priority} wait for node ${this.#options.expected.nodeId}; the request was not sent.`,
        ),
      );
    }
    const answer = this.#answer(id, deadlineMs, signal);
    this.#flush();
    return answer;
  }

  /** Says something that needs no answer; false when too much waits for the peer already. It may be lost. */
  notify(type: number, payload: Uint8Array, priority: Priority): boolean {
    return this.#send(priority, { kind: 'notice', type, payload });
  }

  #answer(id: number, deadlineMs: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const { nodeId } = this.#options.expected;
    const deadline = this.#options.clock.timer(deadlineMs, () =>
      giveUp(new DeadlineError(`Node ${nodeId} did not answer within ${deadlineMs} ms.`)),
    );
    const end = (): void => {
      this.#pending.delete(id);
      this.#answerParts.drop(id);
      signal?.removeEventListener('abort', aborted);
      deadline.cancel();
    };
    const giveUp = (error: Error): void => {
      end();
      this.#send('consensus', { kind: 'cancel', id });
      reject(error);
    };
    const aborted = (): void => giveUp(signal?.reason as Error);
    signal?.addEventListener('abort', aborted, { once: true });
    this.#pending.set(id, {
      resolve: (payload) => (end(), resolve(payload)),
      reject: (error) => (end(), reject(error)),
    });
    return promise;
  }

  /** Ends the session; the peer receives the reason. */
  close(reason: Error): void {
    if (this.#reason !== undefined) return;
    const code = reason instanceof PhotonError ? reason.code : 'net.closed';
    this.#send('consensus', { kind: 'bye', code, message: reason.message });
    this.#end(reason);
    this.#options.pipe.close();
  }

  /** The connection is gone. */
  lost(): void {
    this.#end(new ConnectionLostError('The connection has ended.'));
  }

  #end(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#greeting.cancel();
    this.#lifetime.abort(reason);
    for (const controller of this.#incoming.values()) controller.abort(reason);
    this.#incoming.clear();
    for (const id of this.#opened.keys()) this.#forget(id);
    const lost = new ConnectionLostError(
      `The connection to node ${this.#options.expected.nodeId} ended before the answer: ${reason.message}`,
    );
    for (const pending of this.#pending.values()) pending.reject(lost);
    this.#options.ended(reason);
  }

  #send(priority: Priority, frame: Frame): boolean {
    if (this.#reason !== undefined) return false;
    if (!this.#queue.push(priority, encodeFrame(frame))) return false;
    this.#flush();
    return true;
  }

  #flush(): void {
    while (!this.#isBlocked) {
      const bytes = this.#queue.take();
      if (bytes === undefined) return;
      this.#isBlocked = !this.#options.pipe.write(bytes);
    }
  }

  #take(frame: Frame): void {
    if (!this.#hasGreeted) return this.#greeted(frame);
    switch (frame.kind) {
      case 'request':
        return this.#serve(frame);
      case 'open':
        return this.#open(frame);
      case 'part':
        return this.#part(frame);
      case 'notice':
        return this.#noticed(frame);
      case 'item':
        return this.#item(frame);
      case 'response':
        return this.#answered(frame);
      case 'failure':
        return this.#pending.get(frame.id)?.reject(new PeerError(frame.code, frame.message));
      case 'cancel':
        return this.#cancelled(frame.id);
      case 'ping':
        return void this.#send('consensus', { kind: 'pong', nonce: frame.nonce });
      case 'bye':
        return this.#toldToEnd(frame);
      default:
        // Kinds that this version does not use; a peer of a newer one may.
        return undefined;
    }
  }

  #noticed({ type, payload }: Extract<Frame, { readonly kind: 'notice' }>): void {
    this.#options.noticed?.(type, payload.slice());
  }

  #answered({ id, payload }: { readonly id: number; readonly payload: Uint8Array }): void {
    this.#pending.get(id)?.resolve(this.#answerParts.take(id, payload));
  }

  #cancelled(id: number): void {
    this.#forget(id);
    this.#incoming.get(id)?.abort(new ConnectionLostError('The peer cancelled.'));
  }

  #toldToEnd({ code, message }: Extract<Frame, { readonly kind: 'bye' }>): void {
    const { nodeId } = this.#options.expected;
    this.#end(new SessionRefusedError(`Node ${nodeId} ended the connection: ${message}`, { code }));
  }

  #greeted(frame: Frame): void {
    const { own, expected } = this.#options;
    if (frame.kind === 'bye') return this.#toldToEnd(frame);
    if (frame.kind !== 'hello') {
      throw new SessionRefusedError('The peer did not begin by saying who it is.');
    }
    const { versionMin, versionMax, clusterId, nodeId } = frame;
    if (versionMin > protocolVersion.max || versionMax < protocolVersion.min) {
      throw new SessionRefusedError(
        `The peer speaks versions ${versionMin} to ${versionMax} of the protocol between nodes, this node ${protocolVersion.min} to ${protocolVersion.max}. Upgrade one version at a time.`,
      );
    }
    if (clusterId !== own.clusterId) {
      throw new SessionRefusedError(
        `The peer belongs to cluster ${clusterId}, this node to ${own.clusterId}.`,
      );
    }
    if (nodeId !== expected.nodeId || clusterId !== expected.clusterId) {
      throw new SessionRefusedError(
        `The peer calls itself ${nodeId}, and its certificate says ${expected.nodeId}.`,
      );
    }
    this.#hasGreeted = true;
    this.#greeting.cancel();
  }

  /** The first part of a request. */
  #open(frame: RequestFrame): void {
    if (this.#refused(frame.id)) return;
    this.#opened.set(frame.id, frame);
    this.#hold(this.#requestParts, frame.id, frame.payload, (error) => {
      this.#opened.delete(frame.id);
      this.#fail(frame.id, error.code, error.message);
    });
  }

  #part({ id, isLast, payload }: Extract<Frame, { readonly kind: 'part' }>): void {
    const opened = this.#opened.get(id);
    // Of a request that was refused or cancelled.
    if (opened === undefined) return;
    if (isLast) {
      this.#opened.delete(id);
      return this.#serve({ ...opened, payload: this.#requestParts.take(id, payload) });
    }
    this.#hold(this.#requestParts, id, payload, (error) => {
      this.#opened.delete(id);
      this.#fail(id, error.code, error.message);
    });
  }

  #item({ id, payload }: { readonly id: number; readonly payload: Uint8Array }): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#hold(this.#answerParts, id, payload, (error) => pending.reject(error));
  }

  #hold(
    held: PartsHeld<number>,
    id: number,
    part: Uint8Array,
    refuse: (error: MessageTooLargeError) => void,
  ): void {
    try {
      held.add(id, part);
    } catch (error) {
      if (!(error instanceof MessageTooLargeError)) throw error;
      refuse(error);
    }
  }

  #forget(id: number): void {
    this.#opened.delete(id);
    this.#requestParts.drop(id);
  }

  #fail(id: number, code: string, message: string): void {
    this.#send('consensus', { kind: 'failure', id, code, message });
  }

  /** Whether a request that begins is refused, which the peer learns. */
  #refused(id: number): boolean {
    const { incomingMax } = this.#options;
    if (this.#incoming.has(id) || this.#opened.has(id)) {
      this.#fail(id, 'net.duplicate', `Request ${id} is under way already.`);
      return true;
    }
    if (this.#incoming.size + this.#opened.size < incomingMax) return false;
    const message = `This node works on ${incomingMax} requests of yours already.`;
    this.#fail(id, 'net.overloaded', message);
    return true;
  }

  #serve({ id, type, payload, priority, deadlineMs }: RequestFrame): void {
    if (this.#refused(id)) return;
    const { expected: peer } = this.#options;
    const controller = new AbortController();
    this.#incoming.set(id, controller);
    const deadline = this.#options.clock.timer(Math.min(deadlineMs, deadlineMsMax), () =>
      controller.abort(new DeadlineError('The deadline of the request has passed.')),
    );
    const finish = (): void => {
      deadline.cancel();
      if (this.#incoming.get(id) === controller) this.#incoming.delete(id);
    };
    const { signal } = controller;
    spawn(
      async () => {
        const answer = await this.#options.handle({
          peer,
          type,
          payload: payload.slice(),
          signal,
        });
        this.#answerTo(id, answer, { priority, signal });
        finish();
      },
      (error) => {
        finish();
        const code = error instanceof PhotonError ? error.code : 'net.internal';
        this.#fail(id, code, (error as Error).message);
      },
    );
  }

  #answerTo(
    id: number,
    payload: Uint8Array,
    { priority, signal }: { readonly priority: Priority; readonly signal: AbortSignal },
  ): void {
    // Nobody waits any more.
    if (signal.aborted) return;
    if (payload.byteLength > messageBytesMax) {
      return this.#fail(id, 'net.too_large', `The answer has ${payload.byteLength} bytes.`);
    }
    const isTaken =
      payload.byteLength > partBytes
        ? this.#queue.pushLarge(
            priority,
            answerInParts(id, payload, () => this.isOpen),
          )
        : this.#queue.push(priority, encodeFrame({ kind: 'response', id, payload }));
    if (!isTaken) return this.#fail(id, 'net.unsent', 'Too many answers wait for you.');
    this.#flush();
  }
}
