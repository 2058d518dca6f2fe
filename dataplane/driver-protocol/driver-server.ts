import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { Chance } from '../common/chance.ts';
import { Connection } from './connection.ts';
import type { ConnectionOptions } from './connection.ts';
import { noCounts } from './counters.ts';
import type { ProtocolCounters } from './counters.ts';
import type { Logins } from './handshake.ts';
import { RunningQueries } from './running-queries.ts';
import type { AnsweredQuery } from './running-queries.ts';

export interface DriverServerOptions extends Omit<
  ConnectionOptions,
  'allQueuedBytes' | 'counters' | 'queries'
> {
  readonly chance: Pick<Chance, 'uuid'>;
  readonly connectionsMax: number;
  readonly loginsOf: (address: string) => Logins;
  /** Counts connections where several servers share the maximum; this server alone without it. */
  readonly admission?: Admission;
  /** Connections of new clients are reset then. */
  readonly isDraining?: () => boolean;
  readonly answered?: AnsweredQuery;
}

export type Admitted = 'admitted' | 'full' | 'draining';

interface Admission {
  enter(): Promise<Admitted>;
  left(): void;
}

/** Not one of those that a driver takes for a wrong user or password (10 to 20). */
const refusedCode = 0;

/** The port for drivers: every connection, their limit, and the error for a client beyond it. */
export class DriverServer {
  readonly counters: ProtocolCounters = noCounts();
  readonly queries: RunningQueries;
  /** Not listening yet. */
  readonly tcp: Server;
  readonly #options: DriverServerOptions;
  readonly #connections = new Map<Socket, Connection>();
  readonly #refusing = new Set<Socket>();

  constructor(options: DriverServerOptions) {
    this.#options = options;
    const now = (): number => options.clock.now();
    const { answered } = options;
    this.queries = new RunningQueries({ now, uuid: () => options.chance.uuid(), answered });
    this.tcp = createServer((socket) => this.#accept(socket));
    this.tcp.maxConnections = options.connectionsMax + options.limits.refusingMax;
    this.tcp.on('drop', () => (this.counters.connectionsRefused += 1));
  }

  get connections(): number {
    return this.#connections.size;
  }

  get running(): number {
    return this.#sum(({ running }) => running);
  }

  get openCursors(): number {
    return this.#sum(({ openCursors }) => openCursors);
  }

  get queuedBytes(): number {
    return this.#sum(({ queuedBytes }) => queuedBytes);
  }

  /** Takes no new client. Resolves when everything that clients have asked for is answered, and they are gone. */
  async finish(): Promise<void> {
    this.tcp.close();
    await Promise.all([...this.#connections.values()].map((connection) => connection.finish()));
  }

  destroy(): void {
    for (const socket of [...this.#connections.keys(), ...this.#refusing]) socket.destroy();
  }

  #sum(value: (connection: Connection) => number): number {
    return [...this.#connections.values()].reduce((sum, one) => sum + value(one), 0);
  }

  #accept(socket: Socket): void {
    const { connectionsMax, admission } = this.#options;
    if (this.#options.isDraining?.() === true) return this.#reset(socket);
    if (this.#connections.size >= connectionsMax) return this.#refuse(socket);
    if (admission === undefined) return this.#open(socket);
    // Nothing is read meanwhile; that the client has gone is seen when it is asked next.
    const ended = (): void => void socket.destroy();
    socket.on('error', ended);
    void admission.enter().then((admitted) => {
      socket.off('error', ended);
      if (admitted === 'draining') return this.#reset(socket);
      if (admitted === 'full') return this.#refuse(socket);
      if (socket.destroyed) return admission.left();
      socket.once('close', () => admission.left());
      return this.#open(socket);
    }, ended);
    return undefined;
  }

  #open(socket: Socket): void {
    this.counters.connectionsAccepted += 1;
    const logins = this.#options.loginsOf(socket.remoteAddress ?? '');
    const { counters, queries } = this;
    const connection = new Connection(socket, logins, {
      ...this.#options,
      counters,
      queries,
      allQueuedBytes: () => this.queuedBytes,
    });
    this.#connections.set(socket, connection);
    socket.once('close', () => this.#connections.delete(socket));
  }

  /**
   * Every driver takes a reset for a node that is not there, and its caller connects to another one. A sentence instead
   * costs the process of a JavaScript client: that driver leaves the timer of a refused handshake running, and throws
   * from it after 20 s.
   */
  #reset(socket: Socket): void {
    this.counters.connectionsRefused += 1;
    socket.on('error', () => undefined);
    socket.resetAndDestroy();
  }

  get #fullSentence(): string {
    return `Too many connections: this server takes ${this.#options.connectionsMax} at once (option connections-max).`;
  }

  /**
   * Every driver reads up to a zero first. Those of V1_0 take this for a refusal of the server; the one for JavaScript
   * ends its process when it reads anything else. Older ones show it as the text that is no success.
   */
  #refuse(socket: Socket): void {
    const { clock, limits } = this.#options;
    const reason = this.#fullSentence;
    this.counters.connectionsRefused += 1;
    const closed = new AbortController();
    this.#refusing.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      this.#refusing.delete(socket);
      closed.abort(new Error('the connection is closed'));
    });
    // NB: unread bytes at the close would be answered by a reset, which may overtake the text.
    socket.resume();
    socket.end(`${JSON.stringify({ error: reason, error_code: refusedCode, success: false })}\0`);
    void clock.sleep(limits.lingerMs, closed.signal).then(
      () => socket.destroy(),
      () => undefined,
    );
  }
}
