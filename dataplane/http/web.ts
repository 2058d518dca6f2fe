import express from 'express';
import type { Express } from 'express';
import { readUtf8 } from '../common/utf8.ts';
import { adminPage, adminPagePolicy } from './admin-page.ts';

/** What people and programs ask; the users are those of the driver port. */
export interface WebStatus {
  readonly node: {
    readonly name: string;
    readonly version: string;
    readonly state: string;
    readonly uptimeSeconds: number;
    /** `ok`, or the sentence about the damage that was met last. */
    readonly integrity: string;
    readonly storeBytes: number;
  };
  readonly tables: readonly {
    readonly database: string;
    readonly name: string;
    /** As this node has them; null when it has no replica of some shard. */
    readonly documents: number | null;
    readonly indexes: number;
    readonly reads: number;
    readonly writes: number;
    /** Where its shards are; none of a table that this node has alone. */
    readonly shards: readonly {
      /** Null while nobody is known to lead it. */
      readonly leader: string | null;
      readonly replicas: readonly { readonly node: string; readonly state: string }[];
    }[];
  }[];
  readonly members: readonly {
    readonly id: string;
    readonly name: string;
    readonly status: string;
    readonly reason: string;
    readonly roles: readonly string[];
    readonly isSelf: boolean;
  }[];
  readonly connections: number;
  readonly queries: number;
}

export type WebLogin = (given: {
  /** None when the request has no name. */
  readonly user: string | undefined;
  readonly password: string;
  readonly address: string;
}) => Promise<
  | { readonly type: 'allowed' | 'wrong' }
  /** Too many wrong ones, or too many concurrent ones. */
  | { readonly type: 'locked' | 'busy'; readonly waitMs: number }
>;

export function webServer(status: () => Promise<WebStatus>, login: WebLogin): Express {
  const server = express().disable('x-powered-by');
  server.use(async (request, response, next) => {
    const [, encoded = ''] = /^Basic (.+)$/.exec(request.headers.authorization ?? '') ?? [];
    const read = readUtf8(Buffer.from(encoded, 'base64'));
    const text = typeof read === 'string' ? read : '';
    const colon = text.indexOf(':');
    const outcome = await login({
      user: colon < 0 ? undefined : text.slice(0, colon),
      password: colon < 0 ? '' : text.slice(colon + 1),
      address: request.socket.remoteAddress ?? '',
    });
    if (outcome.type === 'allowed') return next();
    if (outcome.type === 'locked' || outcome.type === 'busy') {
      const seconds = Math.ceil(outcome.waitMs / 1_000);
      const why =
        outcome.type === 'busy'
          ? 'Too many logins at once'
          : 'Too many failed logins from this address';
      response
        .set('Retry-After', String(seconds))
        .status(outcome.type === 'busy' ? 503 : 429)
        .send(`${why}: try again in ${seconds} s.`);
      return undefined;
    }
    response
      .set('WWW-Authenticate', 'Basic realm="PhotonDB"')
      .status(401)
      .send('Name and password of a PhotonDB user are needed.');
    return undefined;
  });
  server.get('/', (_request, response) => response.redirect('/_admin'));
  server.get('/_admin', (_request, response) => {
    response.set('Content-Security-Policy', adminPagePolicy).type('html').send(adminPage);
  });
  server.get('/api/v1/status', async (_request, response) => {
    response.json(await status());
  });
  server.use((_request, response) => void response.status(404).json({ error: 'no such page' }));
  return server;
}
