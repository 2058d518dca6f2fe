import type { Socket } from 'node:net';
import type { Clock } from '../common/clock.ts';
import type { QueryEngine } from '../query/engine.ts';
import type { ProtocolCounters } from './counters.ts';
import { encodeFrame, FrameReader } from './frames.ts';
import type { FrameEvent } from './frames.ts';
import { Handshake } from './handshake.ts';
import type { HandshakeStep, Logins, SessionStart } from './handshake.ts';
import type { ProtocolLimits } from './limits.ts';
import { clientErrorText } from './messages.ts';
import { Outbox } from './outbox.ts';
import { QuerySession } from './query-session.ts';
import type { RunningQueries } from './running-queries.ts';
import { StallWatch } from './stall-watch.ts';

export interface ConnectionOptions {
  readonly engine: QueryEngine;
  readonly server: { readonly id: string; readonly name: string };
  readonly limits: ProtocolLimits;
  readonly counters: ProtocolCounters;
  readonly queries: RunningQueries;
  readonly clock: Clock;
  /** A query is about to run: its text as the client sent it. */
  readonly taken?: (text: string) => void;
  /** Of answers that clients have not taken, on all connections. */
  readonly allQueuedBytes: () => number;
  /** Something that no client can cause. */
  readonly internalError: (error: unknown) => void;
}

const framesPerTurn = 16;

/** Of a long text, for the log of queries. */
const shownBytes = 1_024;

/**
 * One driver's socket: its bytes go to the handshake, then to frames, then to the session, and answers go
 * back. It decides nothing but when to read, and when to give a client up.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #closing = new AbortController();
  readonly #frames: FrameReader;
  readonly #outbox: Outbox;
  readonly #reading: StallWatch;
  readonly #writing: StallWatch;
  #handshake: Handshake | undefined;
  #session: QuerySession | undefined;
  /** A step of the handshake is on its way. */
  #isShaking = false;
  /** Other connections have their turn. */
  #isYielding = false;
  #isEnding = false;

  constructor(socket: Socket, logins: Logins, options: ConnectionOptions) {
    const { limits, clock } = options;
    this.#socket = socket;
    this.#options = options;
    this.#handshake = new Handshake(logins);
    this.#frames = new FrameReader(limits.queryBytesMax);
    this.#outbox = new Outbox({
      socket,
      queuedBytesMax: limits.queuedBytesMax,
      sliceBytes: limits.sliceBytes,
      waiting: () => this.#writing.start(),
      taken: () => this.#serve(),
    });
    const watch = {
      clock,
      periodMs: limits.stalledMs,
      signal: this.#closing.signal,
      stalled: () => this.#giveUp('connectionsStalled'),
    };
    this.#writing = new StallWatch({
      ...watch,
      isPending: () => this.#outbox.queuedBytes > 0,
      progress: () => this.#outbox.takenBytes,
    });
    this.#reading = new StallWatch({
      ...watch,
      isPending: () => this.#frames.isPartial && !this.#isHeld,
      progress: () => this.#frames.received,
    });
    this.#listen();
    void this.#limitHandshake();
  }

  /**
   * Answers what the client has asked for, and ends the connection: what it asks later is neither run nor answered.
   * Guarded invariant: a query that ran is answered. A client that asks from time to time is left at a moment when it
   * asks nothing, and loses no query. Resolves when it has gone, or has had its time for that.
   */
  async finish(): Promise<void> {
    const { clock, limits } = this.#options;
    const until = clock.now() + limits.finishMs;
    while (!this.#closing.signal.aborted && clock.now() < until) {
      const asked = this.#frames.received;
      if (this.#session === undefined || (await this.#paused(limits.quietMs))) break;
      if (this.#frames.received === asked && !this.#isBusy) break;
    }
    await this.#end();
    await this.#paused(limits.farewellMs);
  }

  get #isBusy(): boolean {
    return (this.#session?.running ?? 0) > 0 || this.#outbox.queuedBytes > 0;
  }

  /** Whether the connection was closed meanwhile. */
  async #paused(ms: number): Promise<boolean> {
    const { signal } = this.#closing;
    await this.#options.clock.sleep(ms, signal).catch(() => undefined);
    return signal.aborted;
  }

  get running(): number {
    return this.#session?.running ?? 0;
  }

  get openCursors(): number {
    return this.#session?.openCursors ?? 0;
  }

  get queuedBytes(): number {
    return this.#outbox.queuedBytes;
  }

  /** No query is taken from the client until an answer has ended or left. */
  get #isHeld(): boolean {
    if (this.#isShaking || this.#isYielding || this.#outbox.isFull) return true;
    return this.#session?.isFull ?? false;
  }

  #listen(): void {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, this.#options.limits.keepAliveMs);
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('error', () => socket.destroy());
    // As in RethinkDB a client that sends no more is gone.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      this.#closing.abort(new Error('the connection is closed'));
      this.#outbox.close();
      this.#session?.close();
    });
  }

  async #limitHandshake(): Promise<void> {
    const { clock, limits } = this.#options;
    try {
      await clock.sleep(limits.handshakeMs, this.#closing.signal);
    } catch {
      // It was closed before.
      return;
    }
    if (this.#session === undefined) this.#giveUp('handshakesTimedOut');
  }

  #giveUp(reason: 'handshakesTimedOut' | 'connectionsStalled'): void {
    this.#options.counters[reason] += 1;
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    if (this.#session !== undefined) {
      if (this.#isEnding) return undefined;
      this.#frames.push(bytes);
      return this.#serve();
    }
    if (this.#handshake === undefined) return undefined;
    this.#handshake.push(bytes);
    // No further input is read while a password is checked.
    this.#isShaking = true;
    this.#socket.pause();
    void this.#shake(this.#handshake)
      .catch((error: unknown) => {
        this.#options.internalError(error);
        this.#socket.destroy();
      })
      .finally(() => {
        this.#isShaking = false;
        this.#serve();
      });
    return undefined;
  }

  async #shake(handshake: Handshake): Promise<void> {
    for (;;) {
      const step = await handshake.step();
      if (this.#socket.destroyed || step.type === 'more') return;
      if (step.type === 'refused') return this.#refuse(step);
      if (step.bytes.length > 0) this.#outbox.send(step.bytes);
      if (step.type !== 'done') continue;
      this.#handshake = undefined;
      this.#session = this.#open(step.session);
      return this.#frames.push(handshake.rest);
    }
  }

  #refuse({ bytes, reason }: Extract<HandshakeStep, { type: 'refused' }>): void {
    const { counters } = this.#options;
    if (reason === 'malformed') counters.handshakesMalformed += 1;
    if (reason === 'failed') counters.loginsFailed += 1;
    if (reason === 'locked') counters.loginsLocked += 1;
    this.#handshake = undefined;
    // What else comes is dropped until the client closes, or the time for the handshake is over.
    this.#outbox.send(bytes);
    this.#outbox.end();
  }

  #open(start: SessionStart): QuerySession {
    const { engine, server, limits, counters, queries, internalError } = this.#options;
    const { remoteAddress = '', remotePort = 0 } = this.#socket;
    return new QuerySession({
      engine,
      queries,
      client: { address: remoteAddress, port: remotePort },
      start,
      server,
      limits,
      counters,
      internalError,
      send: (token, json) => this.#outbox.send(encodeFrame(token, json)),
      reserve: (bytes) => this.#outbox.reserve(bytes),
      release: (bytes) => this.#outbox.release(bytes),
      queuedBytes: () => this.#outbox.queuedBytes,
      allQueuedBytes: this.#options.allQueuedBytes,
      ended: () => this.#serve(),
    });
  }

  /** Takes the queries that have come, as long as there is room for them. */
  #serve(): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    let taken = 0;
    do {
      this.#outbox.cork();
      while (this.#session !== undefined && !this.#isHeld && !this.#isEnding) {
        const frame = this.#frames.next();
        if (frame === undefined) break;
        taken += 1;
        if (taken === framesPerTurn) this.#yield();
        this.#take(frame, this.#session);
      }
      const wasFull = this.#outbox.isFull;
      this.#outbox.uncork();
      if (!wasFull) break;
    } while (!this.#isHeld);
    if (this.#isHeld) {
      // The end of the client is read like its queries, and aborts what runs.
      const readsAhead =
        this.#session !== undefined &&
        this.#frames.bufferedBytes < this.#options.limits.readAheadBytes;
      if (readsAhead) socket.resume();
      else socket.pause();
      return;
    }
    socket.resume();
    if (this.#frames.isPartial) this.#reading.start();
  }

  #take(frame: FrameEvent, session: QuerySession): void {
    if (frame.type === 'query') {
      this.#options.taken?.(frame.text ?? '');
      session.accept(frame.token, frame.text);
    } else if (frame.type === 'long') {
      this.#options.taken?.(frame.bytes.toString('utf8', 0, shownBytes));
      session.acceptLong(frame.token, frame.bytes);
    } else if (frame.type === 'oversized') this.#tooLarge(frame);
    else void this.#end();
  }

  /** What was taken gets its answers first, which may fill the outbox. */
  #yield(): void {
    this.#isYielding = true;
    void this.#options.clock.yield().then(() => {
      this.#isYielding = false;
      this.#serve();
    });
  }

  #tooLarge({ token, length }: { readonly token: bigint; readonly length: number }): void {
    const { counters, limits } = this.#options;
    counters.framesMalformed += 1;
    const message = `Query size (${length}) greater than maximum (${limits.queryBytesMax}).`;
    this.#outbox.send(encodeFrame(token, clientErrorText(message)));
  }

  /** The answers of what was taken still go out. What comes now is read, so that no reset overtakes them. */
  async #end(): Promise<void> {
    this.#isEnding = true;
    this.#socket.resume();
    await this.#session?.idle();
    this.#outbox.end();
  }
}
