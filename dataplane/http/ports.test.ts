import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { expect } from 'chai';
import { Registry } from 'prom-client';
import { healthServer } from './health.ts';
import { HttpPort } from './http-port.ts';
import { httpLimits } from './limits.ts';
import type { HttpLimits } from './limits.ts';
import { webServer } from './web.ts';
import type { WebLogin } from './web.ts';
import { machineClock } from '../node/clock.ts';

const replay = { doneBytes: 1, totalBytes: 1, movedMsAgo: 0 };
const data = {
  integrity: { code: 'c', message: 'page 7 is damaged' },
  storeBytes: 9,
  tables: 2,
  damagedTables: [],
  issues: [],
};
const node = {
  name: 'n',
  version: '1',
  state: 'Ready',
  uptimeSeconds: 1,
  integrity: 'ok',
  storeBytes: 9,
};
const health = healthServer(() => ({ state: 'Ready', message: '', replay, data }), new Registry(), {
  over: Promise.resolve(),
  clock: machineClock,
});
const webWith = (login: WebLogin) =>
  webServer(async () => ({ node, tables: [], members: [], connections: 0, queries: 0 }), login);
const web = webWith(async () => ({ type: 'allowed' }));

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}

interface Opened {
  readonly port: HttpPort;
  readonly number: number;
}

async function open(answer: RequestListener, limits: Partial<HttpLimits> = {}): Promise<Opened> {
  const port = new HttpPort({ limits: { ...httpLimits, ...limits }, hosts: [], answer });
  port.tcp.listen(0, '127.0.0.1');
  await once(port.tcp, 'listening');
  return { port, number: (port.tcp.address() as AddressInfo).port };
}

function close({ port }: Opened): void {
  port.tcp.close();
  port.destroy();
}

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

function askAt(port: number, path: string, { body, ...options }: Asked = {}): Promise<Reply> {
  return new Promise<Reply>((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, ...options }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }),
      );
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

async function ask(app: RequestListener, path: string, options: Asked = {}): Promise<Reply> {
  const opened = await open(app);
  try {
    return await askAt(opened.number, path, options);
  } finally {
    close(opened);
  }
}

const healthPaths = ['/health', '/health/live', '/health/ready', '/health/startup', '/_metrics'];
const pages: readonly (readonly [RequestListener, string])[] = [
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

  it('return the back-off to clients that fail too often', async () => {
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

  it('say that too many log in at once', async () => {
    const busy = await ask(
      webWith(async () => ({ type: 'busy', waitMs: 1_000 })),
      '/_admin',
    );
    expect([busy.status, busy.headers['retry-after']]).to.deep.equal([503, '1']);
  });

  it('take no body', async () => {
    for (const headers of [{ 'content-length': '4' }, { 'transfer-encoding': 'chunked' }]) {
      const refused = await ask(web, '/_admin', { headers, body: 'body' });
      expect([refused.status, refused.headers.connection]).to.deep.equal([413, 'close']);
    }
  });

  it('refuse host names that are not theirs', async () => {
    for (const app of [health, web]) {
      for (const path of ['/health', '/_admin', '/api/v1/status', '/_metrics']) {
        const { status, body } = await ask(app, path, { headers: { host: 'evil.example:8081' } });
        expect(status).to.equal(421);
        expect(body).to.contain('--web-hosts');
      }
    }
    expect((await ask(web, '/_admin', { headers: { host: 'localhost:8081' } })).status).to.equal(
      200,
    );
  });

  it('keep their answers to themselves, and out of frames', async () => {
    for (const [app, path] of [...pages, [web, '/nothing'] as const]) {
      const { headers } = await ask(app, path);
      expect(headers).to.include({
        'x-frame-options': 'DENY',
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
      });
      const policy = headers['content-security-policy'];
      expect(policy).to.contain("default-src 'none'").and.contain("frame-ancestors 'none'");
      expect(policy).to.not.contain('unsafe');
    }
  });

  it('let the admin page run what it holds, and nothing else', async () => {
    const { body, headers } = await ask(web, '/_admin');
    const policy = headers['content-security-policy'] ?? '';
    for (const tag of ['script', 'style']) {
      const [, content = ''] = new RegExp(`<${tag}>(.*?)</${tag}>`, 's').exec(body) ?? [];
      const hash = createHash('sha256').update(content).digest('base64');
      expect(policy).to.contain(`${tag}-src 'sha256-${hash}'`);
    }
    expect(body).to.not.match(/ on\w+=| style=/);
  });
});

describe('the connections of an HTTP port', function connections() {
  this.timeout(20_000);
  let opened: Opened;
  const sockets: Socket[] = [];

  const silent = async (text = ''): Promise<Socket> => {
    const socket = connect(opened.number, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    sockets.push(socket);
    await once(socket, 'connect');
    socket.write(text);
    return socket;
  };

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    close(opened);
  });

  it('are bounded, and idle ones do not block others', async () => {
    opened = await open(health, { connectionsMax: 4 });
    const first = await silent();
    const closed = once(first, 'close');
    for (let count = 0; count < 50; count += 1) await silent('GET /health HTTP/1.1\r\n');
    await closed;
    expect(opened.port.connections).to.be.at.most(4);
    expect((await askAt(opened.number, '/health/ready')).status).to.equal(200);
  });

  it('that wait for an answer keep their place', async () => {
    const answers: (() => void)[] = [];
    opened = await open((_request, response) => void answers.push(() => response.end('late')), {
      connectionsMax: 2,
    });
    const waiting = askAt(opened.number, '/');
    while (answers.length === 0) await silent();
    for (let count = 0; count < 10; count += 1) await silent();
    answers[0]?.();
    expect((await waiting).body).to.equal('late');
  });

  it('that do not send a whole request are closed', async () => {
    opened = await open(health, { headersMs: 50, requestMs: 50, checkMs: 10 });
    for (const text of ['', 'GET / HTTP/1.1\r\nHost: a\r\n']) {
      await once(await silent(text), 'close');
    }
  });

  it('that do not read their answer are closed', async () => {
    const large = Buffer.alloc(64 * 1_048_576);
    opened = await open((_request, response) => void response.end(large), { stalledMs: 50 });
    const reader = await silent();
    reader.pause();
    const stalled = new Promise<void>((resolve) => {
      opened.port.tcp.once('request', ({ socket }: IncomingMessage) =>
        socket.once('close', () => resolve()),
      );
    });
    reader.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await stalled;
  });
});

describe('a port whose program is being loaded', () => {
  it('lets requests wait, and answers them then', async () => {
    const port = new HttpPort({ limits: httpLimits, hosts: [] });
    port.tcp.listen(0, '127.0.0.1');
    await once(port.tcp, 'listening');
    const { port: number } = port.tcp.address() as AddressInfo;
    const asked = healthPaths.map((path) => askAt(number, path));
    let requests = 0;
    port.tcp.on('request', () => (requests += 1));
    while (requests < healthPaths.length) await once(port.tcp, 'request');
    port.answerWith(health);
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(new Set(statuses)).to.deep.equal(new Set([200]));
    close({ port, number });
  });
});
