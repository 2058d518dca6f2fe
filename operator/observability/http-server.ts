/** /metrics for Prometheus; /healthz and /readyz for the kubelet. */
import type { AddressInfo, Server } from 'node:net';
import express from 'express';
import type { Metrics } from './metrics.ts';

export interface HttpServerOptions {
  readonly bind: string;
  readonly port: number;
  readonly metrics: Metrics;
  /** The caches are filled; standing by is ready, too. */
  readonly isReady: () => boolean;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/** A client that sends its headers slower than this is none of ours. */
const headersTimeoutMs = 5_000;

/** Enough for probes and one or two scrapers. */
const connectionsMax = 100;

function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('listening', () => resolve((server.address() as AddressInfo).port));
    server.once('error', reject);
  });
}

export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const app = express();
  app.disable('x-powered-by');
  app.get('/healthz', (_request, response) => {
    response.type('text').send('ok\n');
  });
  app.get('/readyz', (_request, response) => {
    const isReady = options.isReady();
    response.status(isReady ? 200 : 503);
    response.type('text').send(isReady ? 'ok\n' : 'the caches are not filled yet\n');
  });
  app.get('/metrics', async (_request, response) => {
    const { registry } = options.metrics;
    response.set('content-type', registry.contentType).send(await registry.metrics());
  });
  const server = app.listen(options.port, options.bind);
  server.headersTimeout = headersTimeoutMs;
  server.maxConnections = connectionsMax;
  const port = await listening(server);
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
