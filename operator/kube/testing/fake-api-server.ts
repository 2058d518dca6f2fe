/**
 * An HTTPS server that answers as a test tells it to: rightly, wrongly, late, half or never. It
 * counts connections and keeps what was asked.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Socket } from 'node:net';
import type { KubeConfig } from '../config.ts';
import type { Identity } from './certificate.ts';
import { issueCertificate, makeAuthority } from './certificate.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Answer = (asked: Asked, response: ServerResponse) => void;

export class FakeApiServer {
  readonly asked: Asked[] = [];
  /** How the next requests are answered; tests replace it. */
  answer: Answer = (_asked, response) => sendStatus(response, 404, { reason: 'NotFound' });
  authority: Identity;
  token = 'first';
  connections = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server: ReturnType<typeof createServer>;

  constructor() {
    this.authority = makeAuthority('first authority');
    const { certificate, key } = issueCertificate(this.authority, 'localhost');
    this.#server = createServer({ cert: certificate, key }, (request, response) => {
      this.#receive(request, response);
    });
    this.#server.on('connection', (socket: Socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on('close', () => {
        this.#sockets.delete(socket);
      });
    });
    // A client that gives up in the middle of a handshake is part of the tests.
    this.#server.on('tlsClientError', () => undefined);
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A client's configuration, with the token and the authority as they are at each moment. */
  get config(): KubeConfig {
    return {
      server: this.url,
      namespace: 'default',
      insecure: false,
      credentials: async () => ({ token: this.token, ca: this.authority.certificate }),
    };
  }

  /** New connections get a certificate of another authority. */
  rotateAuthority(): void {
    this.authority = makeAuthority('second authority');
    const { certificate, key } = issueCertificate(this.authority, 'localhost');
    this.#server.setSecureContext({ cert: certificate, key });
  }

  /** Cuts all connections; new ones are accepted. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.cut();
    await closed;
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Uint8Array[] = [];
    request.on('data', (chunk: Uint8Array) => chunks.push(chunk));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', this.url);
      const asked = {
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      };
      this.asked.push(asked);
      this.answer(asked, response);
    });
  }
}

export function sendJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** A `Status` object, as the API server sends for an error. */
export function sendStatus(
  response: ServerResponse,
  code: number,
  status: { readonly reason?: string; readonly message?: string; readonly retryAfter?: number },
): void {
  const { reason = '', message = `status ${code}`, retryAfter } = status;
  const headers = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
  response.writeHead(code, { 'content-type': 'application/json', ...headers });
  response.end(
    JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message, code }),
  );
}

/** One line of a watch. */
export function sendEvent(response: ServerResponse, type: string, object: unknown): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

export function configMap(name: string, uid: string, resourceVersion: number): object {
  const metadata = { namespace: 'default', name, uid, resourceVersion: String(resourceVersion) };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata,
    data: { version: String(resourceVersion) },
  };
}

export function listOf(items: readonly object[], resourceVersion: number): object {
  const metadata = { resourceVersion: String(resourceVersion) };
  return { apiVersion: 'v1', kind: 'ConfigMapList', metadata, items };
}
