import express from 'express';
import type { Express } from 'express';
import { adminPage } from './admin-page.ts';

/** What people and programs ask; the users are those of the driver port. */
export interface WebStatus {
  readonly node: {
    readonly name: string;
    readonly version: string;
    readonly state: string;
    readonly uptimeSeconds: number;
  };
  readonly tables: readonly {
    readonly database: string;
    readonly name: string;
    readonly documents: number;
    readonly indexes: number;
    readonly reads: number;
    readonly writes: number;
  }[];
  readonly connections: number;
  readonly queries: number;
}

export function webServer(
  status: () => WebStatus,
  allowed: (user: string, password: string) => Promise<boolean>,
): Express {
  const server = express().disable('x-powered-by');
  server.use(async (request, response, next) => {
    const [, encoded = ''] = /^Basic (.+)$/.exec(request.headers.authorization ?? '') ?? [];
    const text = Buffer.from(encoded, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    const given = colon < 0 ? ['admin', ''] : [text.slice(0, colon), text.slice(colon + 1)];
    if (await allowed(given[0] ?? '', given[1] ?? '')) return next();
    response
      .set('WWW-Authenticate', 'Basic realm="PhotonDB"')
      .status(401)
      .send('Name and password of a PhotonDB user are needed.');
    return undefined;
  });
  server.get('/', (_request, response) => response.redirect('/_admin'));
  server.get('/_admin', (_request, response) => void response.type('html').send(adminPage));
  server.get('/api/v1/status', (_request, response) => void response.json(status()));
  server.use((_request, response) => void response.status(404).json({ error: 'no such page' }));
  return server;
}
