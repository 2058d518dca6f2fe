import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpLimits } from './limits.ts';
import { withRules } from './request-rules.ts';
import type { HostNames } from './request-rules.ts';

export interface HttpPortOptions {
  readonly limits: HttpLimits;
  readonly hosts: HostNames;
  /** Without one, requests wait until `answerWith` says who answers. */
  readonly answer?: RequestListener;
}

/**
 * One of the HTTP ports: who may connect, for how long, and what answers. Guarded invariant: no client
 * takes a descriptor for longer than the limits say, and none that is silent keeps others out.
 */
export class HttpPort {
  /** Not listening yet. */
  readonly tcp: Server;
  readonly #connectionsMax: number;
  readonly #hosts: HostNames;
  #answer: RequestListener | undefined;
  /** One of each connection at most: the next one comes after its answer. */
  #waiting: (readonly [IncomingMessage, ServerResponse])[] = [];
  /** Each with its requests that have no answer yet; the one that was quiet for the longest time first. */
  readonly #sockets = new Map<Socket, number>();

  constructor({ limits, hosts, answer }: HttpPortOptions) {
    this.#connectionsMax = limits.connectionsMax;
    this.#hosts = hosts;
    this.#answer = answer && withRules(answer, hosts);
    this.tcp = createServer({
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: limits.checkMs,
      maxHeaderSize: limits.headerBytesMax,
    });
    this.tcp.maxHeadersCount = limits.headersMax;
    this.tcp.timeout = limits.stalledMs;
    // One more, which takes the place of another.
    this.tcp.maxConnections = limits.connectionsMax + 1;
    this.tcp.on('connection', (socket) => this.#accept(socket));
    this.tcp.on('request', (request, response) => {
      this.#count(request.socket, 1);
      response.once('close', () => this.#count(request.socket, -1));
      if (this.#answer === undefined) this.#waiting.push([request, response]);
      else this.#answer(request, response);
    });
  }

  get connections(): number {
    return this.#sockets.size;
  }

  answerWith(answer: RequestListener): void {
    this.#answer = withRules(answer, this.#hosts);
    for (const [request, response] of this.#waiting) this.#answer(request, response);
    this.#waiting = [];
  }

  destroy(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #accept(socket: Socket): void {
    if (this.#sockets.size >= this.#connectionsMax && !this.#makePlace()) {
      socket.destroy();
      return;
    }
    this.#sockets.set(socket, 0);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** Closes the connection that was idle for the longest time; false when none is. */
  #makePlace(): boolean {
    for (const [socket, requests] of this.#sockets) {
      if (requests > 0) continue;
      this.#sockets.delete(socket);
      socket.destroy();
      return true;
    }
    return false;
  }

  #count(socket: Socket, change: 1 | -1): void {
    const before = this.#sockets.get(socket);
    if (before === undefined) return;
    this.#sockets.delete(socket);
    this.#sockets.set(socket, before + change);
  }
}
