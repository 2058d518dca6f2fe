import { createServer, request } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { Registry } from 'prom-client';
import { healthServer } from './health.ts';
import { webServer } from './web.ts';
import type { WebLogin } from './web.ts';

const replay = { doneBytes: 1, totalBytes: 1, movedMsAgo: 0 };
const data = {
  integrity: { code: 'c', message: 'page 7 is damaged' },
  storeBytes: 9,
  tables: 2,
  damagedTables: [],
};
const node = {
  name: 'n',
  version: '1',
  state: 'Ready',
  uptimeSeconds: 1,
  integrity: 'ok',
  storeBytes: 9,
};
const health = healthServer(() => ({ state: 'Ready', message: '', replay, data }), new Registry());
const webWith = (login: WebLogin) =>
  webServer(() => ({ node, tables: [], connections: 0, queries: 0 }), login);
const web = webWith(async () => ({ type: 'allowed' }));

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}

async function ask(
  app: unknown,
  path: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Reply> {
  const server: Server = createServer(app as never);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await new Promise<Reply>((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, path, ...options }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
        );
      });
      asked.on('error', reject);
      asked.end();
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

const healthPaths = ['/health', '/health/live', '/health/ready', '/health/startup', '/_metrics'];
const pages = [
  ...healthPaths.map((path) => [health, path] as const),
  ...['/_admin', '/api/v1/status'].map((path) => [web, path] as const),
];

describe('the HTTP ports', () => {
  it('answer GET, answer HEAD without a body, and refuse other methods', async () => {
    for (const [app, path] of pages) {
      expect((await ask(app, path)).status, path).to.equal(200);
      const head = await ask(app, path, { method: 'HEAD' });
      expect([head.status, head.body], path).to.deep.equal([200, '']);
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
        const refused = await ask(app, path, { method });
        expect([refused.status, refused.headers.allow]).to.deep.equal([405, 'GET, HEAD']);
      }
    }
  });

  it('know no other pages, and take no headers without end', async () => {
    for (const app of [health, web]) {
      for (const path of ['/nothing', '/health/', '/../etc/passwd', '/%00']) {
        const { status } = await ask(app, path);
        expect(status === 404 || path === '/health/', path).to.equal(true);
      }
      const headers = { 'x-large': 'x'.repeat(32_768) };
      expect((await ask(app, '/health', { headers })).status).to.equal(431);
    }
  });

  it('say what the data is like', async () => {
    const { body } = await ask(health, '/health');
    expect(JSON.parse(body)).to.deep.include({ state: 'Ready', data });
  });

  it('tell who fails too often when to come again', async () => {
    const wrong = await ask(
      webWith(async () => ({ type: 'wrong' })),
      '/_admin',
    );
    expect([wrong.status, wrong.headers['www-authenticate']]).to.deep.equal([
      401,
      'Basic realm="PhotonDB"',
    ]);
    const locked = await ask(
      webWith(async () => ({ type: 'locked', waitMs: 1_500 })),
      '/_admin',
    );
    expect([locked.status, locked.headers['retry-after']]).to.deep.equal([429, '2']);
  });
});
