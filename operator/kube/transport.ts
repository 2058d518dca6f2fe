/**
 * HTTP to one API server over one pool of connections. A pool is replaced only when the
 * authority or the client certificate has changed; a token is read again every minute, and at
 * once when the server refuses it. HTTP/1.1 on purpose: a dead HTTP/2 connection would silence
 * all watches together.
 */
import { setImmediate } from 'node:timers/promises';
import { Agent } from 'undici';
import type { Dispatcher } from 'undici';
import type { Credentials, KubeConfig } from './config.ts';
import { KubeError } from './errors.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly contentType?: string;
  readonly body?: string;
  /** Limit of the whole exchange, or of the time to the headers when the body is a stream. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  readonly text: string;
}

/** Kubernetes rewrites a mounted token at 80 % of an hour; a minute's delay is far within that. */
const credentialsMs = 60_000;

/** A failing connection may mean a rotated authority: the files are read again, but not at each attempt. */
const credentialsHurryMs = 1_000;

const connectMs = 5_000;

/** Longer than the pause between two reconciles, so that a calm operator keeps its connection. */
const keepAliveMs = 75_000;

/** A list page of 500 objects with 100 KB each; anything more is not an answer of this API. */
const bodyBytesMax = 64 * 1024 * 1024;

/** Server-sent pauses of a Retry-After header: seconds, or nothing that is understood here. */
function retryAfterMs(headers: Record<string, string | string[] | undefined>): number | undefined {
  const value = headers['retry-after'];
  if (typeof value !== 'string' || !/^\d{1,6}$/.test(value)) return undefined;
  return Number(value) * 1000;
}

function agentOf(config: KubeConfig, credentials: Credentials): Agent {
  return new Agent({
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: keepAliveMs,
    connect: {
      timeout: connectMs,
      keepAlive: true,
      keepAliveInitialDelay: 15_000,
      rejectUnauthorized: !config.insecure,
      ...(config.serverName === undefined ? {} : { servername: config.serverName }),
      ...(credentials.ca === undefined ? {} : { ca: credentials.ca }),
      ...(credentials.certificate === undefined ? {} : { cert: credentials.certificate }),
      ...(credentials.key === undefined ? {} : { key: credentials.key }),
    },
  });
}

function tlsOf({ ca, certificate, key }: Credentials): string {
  return JSON.stringify([ca, certificate, key]);
}

/** A signal that fires with the caller's, or after a time; `stop` takes the timer away. */
class Deadline {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout;
  expired = false;

  constructor(outer: AbortSignal | undefined, timeoutMs: number) {
    this.#outer = outer;
    this.#timer = setTimeout(() => {
      this.expired = true;
      this.#controller.abort();
    }, timeoutMs);
    if (outer?.aborted === true) this.#abort();
    else outer?.addEventListener('abort', this.#abort, { once: true });
  }

  readonly #abort = (): void => this.#controller.abort();

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Only the caller's signal counts from here on. */
  release(): void {
    clearTimeout(this.#timer);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#abort);
  }
}

function errorOf(error: unknown, deadline: Deadline, request: HttpRequest): KubeError {
  if (error instanceof KubeError) return error;
  const what = `${request.method} ${request.path.split('?')[0]}`;
  if (deadline.expired) {
    return new KubeError('kube.timeout', `${what}: no answer in ${request.timeoutMs} ms`);
  }
  if (request.signal?.aborted === true) return new KubeError('kube.aborted', `${what}: aborted`);
  const reason = error instanceof Error ? error.message : String(error);
  return new KubeError('kube.unavailable', `${what}: ${reason}`, { cause: error });
}

export class Transport {
  readonly #config: KubeConfig;
  readonly #now: () => number;
  readonly #origin: string;
  readonly #basePath: string;
  #credentials: Credentials | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  #agent: Agent | undefined;
  /** Pools of earlier certificates: each lives until its last watch has ended. */
  readonly #retired = new Set<Agent>();
  #closed = false;

  constructor(config: KubeConfig, now: () => number) {
    const url = new URL(config.server);
    this.#config = config;
    this.#now = now;
    this.#origin = url.origin;
    this.#basePath = url.pathname.replace(/\/+$/, '');
  }

  /** Sends a request and reads the whole response of any status. */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    const deadline = new Deadline(request.signal, request.timeoutMs);
    try {
      const response = await this.#exchange(request, deadline, request.timeoutMs);
      const text = await readBody(response.body);
      // The pool takes the connection back a moment after the body's end: only then may the next
      // request go out, or it would open another connection.
      await setImmediate();
      return { status: response.statusCode, retryAfterMs: retryAfterMs(response.headers), text };
    } catch (error) {
      this.#suspect(error);
      throw errorOf(error, deadline, request);
    } finally {
      deadline.stop();
    }
  }

  /** Opens a stream; `use` reads it, and when it returns or throws the connection is dropped. */
  async *stream(request: HttpRequest, idleMs: number): AsyncGenerator<Uint8Array, void, undefined> {
    const deadline = new Deadline(request.signal, request.timeoutMs);
    let body: Dispatcher.ResponseData['body'] | undefined;
    try {
      const response = await this.#exchange(request, deadline, idleMs);
      body = response.body;
      if (response.statusCode !== 200) {
        throw new StreamRefused({
          status: response.statusCode,
          retryAfterMs: retryAfterMs(response.headers),
          text: await readBody(body),
        });
      }
      deadline.release();
      for await (const chunk of body) yield chunk as Uint8Array;
    } catch (error) {
      if (error instanceof StreamRefused) throw error;
      this.#suspect(error);
      throw errorOf(error, deadline, request);
    } finally {
      deadline.stop();
      // An aborted body reports its own abortion as an error, which is ignored.
      body?.on('error', () => undefined);
      body?.destroy();
    }
  }

  /** The files are read again before the next request: the server refused what they said. */
  expireCredentials(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  /** Ends all requests and watches. */
  async close(): Promise<void> {
    this.#closed = true;
    const agents = [...this.#retired, ...(this.#agent === undefined ? [] : [this.#agent])];
    this.#agent = undefined;
    this.#retired.clear();
    await Promise.all(agents.map((agent) => agent.destroy()));
  }

  async #exchange(
    request: HttpRequest,
    deadline: Deadline,
    idleMs: number,
  ): Promise<Dispatcher.ResponseData> {
    const agent = await this.#connected();
    const token = this.#credentials?.token;
    return agent.request({
      origin: this.#origin,
      path: this.#basePath + request.path,
      method: request.method,
      headers: {
        accept: 'application/json',
        'user-agent': 'photondb-operator',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(request.contentType === undefined ? {} : { 'content-type': request.contentType }),
      },
      ...(request.body === undefined ? {} : { body: request.body }),
      signal: deadline.signal,
      headersTimeout: request.timeoutMs,
      bodyTimeout: idleMs,
    });
  }

  /** The pool of the credentials that are valid now. */
  async #connected(): Promise<Agent> {
    if (this.#closed) throw new KubeError('kube.aborted', 'the client is closed');
    if (this.#now() - this.#readAt >= credentialsMs) {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    }
    if (this.#agent === undefined) throw new KubeError('kube.aborted', 'the client is closed');
    return this.#agent;
  }

  /** Unreadable files keep the last credentials in use: a volume may be in the middle of a swap. */
  async #read(): Promise<void> {
    let next: Credentials;
    try {
      next = await this.#config.credentials();
    } catch (error) {
      if (this.#credentials === undefined) throw error;
      next = this.#credentials;
    }
    this.#readAt = this.#now();
    if (this.#closed) return;
    const previous = this.#credentials;
    this.#credentials = next;
    if (this.#agent !== undefined && previous !== undefined && tlsOf(previous) === tlsOf(next)) {
      return;
    }
    if (this.#agent !== undefined) this.#retire(this.#agent);
    this.#agent = agentOf(this.#config, next);
  }

  #retire(agent: Agent): void {
    this.#retired.add(agent);
    agent.close().then(
      () => this.#retired.delete(agent),
      () => this.#retired.delete(agent),
    );
  }

  #suspect(error: unknown): void {
    if (error instanceof KubeError) return;
    if (this.#now() - this.#readAt >= credentialsHurryMs) this.expireCredentials();
  }
}

/** A stream that never began: the server answered with a status of its own. */
export class StreamRefused extends Error {
  override readonly name = 'StreamRefused';
  readonly answer: HttpAnswer;

  constructor(answer: HttpAnswer) {
    super(`the API server answered ${answer.status}`);
    this.answer = answer;
  }
}

async function readBody(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    const piece = chunk as Uint8Array;
    bytes += piece.length;
    if (bytes > bodyBytesMax) {
      throw new KubeError('kube.malformed', `an answer of more than ${bodyBytesMax} bytes`);
    }
    chunks.push(piece);
  }
  return Buffer.concat(chunks).toString('utf8');
}
