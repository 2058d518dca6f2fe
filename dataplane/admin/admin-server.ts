import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { Ajv } from 'ajv';
import express from 'express';
import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import { PhotonError } from '../common/errors.ts';
import { pemOf } from '../net/join-exchange.ts';
import { basePath, routes } from './routes.ts';
import type { Route, RouteName } from './routes.ts';

/**
 * The admin API: administrators of the cluster by mutual TLS, nobody else. Guarded invariants: nothing is read
 * before the certificate of the client is verified; a body that is not as the table says reaches no handler.
 */
export type AdminHandlers = Readonly<
  Record<RouteName, (body: unknown) => Promise<object> | object>
>;

export interface AdminCredentials {
  readonly privateKey: string;
  readonly certificate: string;
  readonly authorities: readonly string[];
}

export interface AdminServerOptions {
  readonly handlers: AdminHandlers;
  readonly credentials: AdminCredentials;
  /** The name of the administrator that a certificate (PEM) proves; rejects with the reason. */
  readonly identify: (certificate: string) => Promise<string>;
  readonly log: (message: string, fields: object) => void;
}

class AdminRequestError extends PhotonError {
  readonly code = 'admin.request';
}

const bodyBytesMax = 65_536;
const connectionsMax = 64;
const requestMs = 120_000;
const headersMs = 10_000;

const tlsOf = ({ privateKey, certificate, authorities }: AdminCredentials) => ({
  key: privateKey,
  cert: certificate,
  ca: [...authorities],
  minVersion: 'TLSv1.3' as const,
});

export class AdminServer {
  /** Not listening yet. */
  readonly tcp: Server;
  readonly #options: AdminServerOptions;

  constructor(options: AdminServerOptions) {
    this.#options = options;
    this.tcp = createServer(
      {
        ...tlsOf(options.credentials),
        requestCert: true,
        rejectUnauthorized: true,
        requestTimeout: requestMs,
        headersTimeout: headersMs,
      },
      this.#createApp(),
    );
    this.tcp.maxConnections = connectionsMax;
    this.tcp.on('tlsClientError', ({ message }, { remoteAddress }) =>
      options.log('an administrator is refused', { address: remoteAddress, reason: message }),
    );
  }

  /** Connections from now on use these. */
  renew(credentials: AdminCredentials): void {
    this.tcp.setSecureContext(tlsOf(credentials));
  }

  #createApp(): Express {
    const app = express().disable('x-powered-by');
    app.use(this.#requireAdmin);
    app.use(express.json({ limit: bodyBytesMax }));
    const ajv = new Ajv();
    for (const [name, route] of Object.entries<Route>(routes)) {
      const isValid = route.request === undefined ? undefined : ajv.compile(route.request);
      app[route.method](`${basePath}${route.path}`, async (request, response) => {
        const body: unknown = request.body ?? {};
        if (isValid !== undefined && !isValid(body)) {
          const [error] = isValid.errors ?? [];
          throw new AdminRequestError(
            `The body is not valid: ${error?.instancePath ?? ''} ${error?.message ?? ''}.`,
          );
        }
        const { admin } = response.locals as { readonly admin: string };
        if (route.method !== 'get') this.#options.log('an administrator acts', { admin, name });
        response.json(await this.#options.handlers[name as RouteName](body));
      });
    }
    app.use((_request, response) => {
      response.status(404).json({ code: 'admin.unknown', message: 'No request has this path.' });
    });
    app.use(answerError);
    return app;
  }

  readonly #requireAdmin: RequestHandler = async (request, response, next) => {
    const socket = request.socket as TLSSocket;
    try {
      const certificate = pemOf(socket.getPeerCertificate().raw);
      response.locals['admin'] = await this.#options.identify(certificate);
    } catch (error) {
      const { message } = error as Error;
      const { remoteAddress: address } = socket;
      this.#options.log('an administrator is refused', { address, reason: message });
      response.status(403).json({ code: 'admin.refused', message });
      return;
    }
    next();
  };
}

/** Express knows it by its four parameters. */
const answerError: ErrorRequestHandler = (error, _request, response, _next) => {
  const { message, status } = error as Error & { readonly status?: number };
  const isOfClient = error instanceof AdminRequestError || (status ?? 500) < 500;
  const code = error instanceof PhotonError ? error.code : 'admin.failed';
  response.status(isOfClient ? 400 : 409).json({ code, message });
};
