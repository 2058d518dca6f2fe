/**
 * The signing endpoint over HTTPS: `POST /v1/certificates`. Every replica of the operator serves it,
 * since signing needs no lead: it reads, and writes nothing.
 */
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { NextFunction, Request, Response } from 'express';
import express from 'express';
import type { Clock } from '../controller/clock.ts';
import type { Logger } from '../observability/logger.ts';
import { RateGuard } from './rate-guard.ts';
import type { RefusalCode } from './refusal.ts';
import { SigningRefusal, statusOf } from './refusal.ts';
import type { ServingCertificates } from './serving-certificates.ts';
import type { Signer } from './signer.ts';
import { requestCharactersMax } from './signing-request.ts';

export interface SigningServerOptions {
  readonly bind: string;
  readonly port: number;
  readonly signer: Signer;
  readonly serving: ServingCertificates;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called for each answer: `issued`, or the code of the refusal. */
  readonly onOutcome: (outcome: 'issued' | RefusalCode) => void;
}

export interface SigningServer {
  readonly port: number;
  close(): Promise<void>;
}

type ChosenContext = (error: Error | null, context?: SecureContext) => void;

/** JSON writes each line end of the request as two characters. */
const bodyBytesMax = requestCharactersMax * 2;

/** Nodes ask once in days, and all of a cluster at once when it starts. */
const connectionsMax = 512;

/** Of one address: a machine with a hundred pods behind it may start them all at once. */
const addressLimits = Object.freeze({ ratePerSecond: 20, burst: 200 });

const headersTimeoutMs = 5_000;
const requestTimeoutMs = 15_000;
const handshakeTimeoutMs = 5_000;

/** Until then a node that was refused because of its rate is refused again. */
const retryAfterSeconds = 15;

function bearerOf(request: Request): string {
  const [, token = ''] = /^Bearer (\S+)$/i.exec(request.get('authorization') ?? '') ?? [];
  return token;
}

function requestTextOf(body: unknown): string {
  const text =
    typeof body === 'object' && body !== null && 'request' in body ? body.request : undefined;
  if (typeof text === 'string') return text;
  throw new SigningRefusal('malformed', 'send JSON with the signing request in the field request');
}

/** What the parser of bodies says, in the words of this interface. */
function refusalOf(error: unknown): SigningRefusal {
  if (error instanceof SigningRefusal) return error;
  const { status } = error as { readonly status?: number };
  if (status === 413) {
    return new SigningRefusal('too_large', `the body has more than ${bodyBytesMax} bytes`);
  }
  if (status !== undefined && status >= 400 && status < 500) {
    return new SigningRefusal('malformed', 'the body is not the JSON that was announced');
  }
  return new SigningRefusal('unavailable', 'the request failed; its reason is in the log', {
    cause: error,
  });
}

function answer(options: SigningServerOptions, error: unknown, response: Response): void {
  const refusal = refusalOf(error);
  const { code, message, cause } = refusal;
  options.onOutcome(code);
  options.log.warn('a certificate is refused', {
    code,
    reason: message,
    from: response.req.socket.remoteAddress,
    ...(cause instanceof Error ? { cause: cause.message } : {}),
  });
  if (code === 'rate_limited') response.set('retry-after', String(retryAfterSeconds));
  response.status(statusOf[code]).json({ error: { code, message } });
}

function application(options: SigningServerOptions): express.Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(express.json({ limit: bodyBytesMax, inflate: false }));
  app.post('/v1/certificates', async (request, response) => {
    const { signer, log, onOutcome } = options;
    const closed = new AbortController();
    response.once('close', () => closed.abort());
    const text = requestTextOf(request.body);
    const issued = await signer.sign(bearerOf(request), text, closed.signal);
    onOutcome('issued');
    const { certificate, pod, identity } = issued;
    log.info('issued a certificate', { pod: pod.name, namespace: pod.namespace, ...identity });
    response.json({ certificate });
  });
  app.use((_request, _response, next) => {
    next(new SigningRefusal('malformed', 'the only request is POST /v1/certificates'));
  });
  // Four parameters make it the handler of errors.
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    answer(options, error, response);
  });
  return app;
}

export async function startSigningServer(options: SigningServerOptions): Promise<SigningServer> {
  const { bind, port, serving, clock, log } = options;
  const addresses = new RateGuard(addressLimits);
  const choose = async (name: string, callback: ChosenContext): Promise<void> => {
    try {
      const context = await serving.contextOf(name);
      callback(null, context);
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      log.debug('a handshake is refused', { name, reason: failure.message });
      callback(failure);
    }
  };
  const server = createServer(
    {
      minVersion: 'TLSv1.3',
      handshakeTimeout: handshakeTimeoutMs,
      requestTimeout: requestTimeoutMs,
      headersTimeout: headersTimeoutMs,
      SNICallback: (name, callback) => {
        void choose(name, callback);
      },
    },
    application(options),
  );
  server.maxConnections = connectionsMax;
  server.on('connection', (socket) => {
    if (addresses.admits(socket.remoteAddress ?? '', clock.now())) return;
    options.onOutcome('rate_limited');
    socket.destroy();
  });
  // A handshake of a client that trusts another authority, or does not speak TLS.
  server.on('tlsClientError', (error, socket) => {
    log.debug('a handshake failed', { reason: error.message });
    socket.destroy();
  });
  server.listen(port, bind);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
