import { once } from 'node:events';
import { createServer, connect as connectTcp } from 'node:net';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import { expect } from 'chai';
import { machineClock } from '../node/clock.ts';
import { PhotonError } from '../common/errors.ts';
import { authorityHash, createAuthority, createRequest } from '../security/certificates.ts';
import { issueCertificate, verifyCertificate } from '../security/certificates.ts';
import { exchangeJoin } from './join-exchange.ts';
import type { JoinExchange, JoinHandler } from './join-exchange.ts';
import { applicationProtocols } from './protocols.ts';
import { alice, clusterId } from './testing/pair.ts';
import { TlsTransport } from './tls-transport.ts';

const day = 86_400_000;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

class TestError extends PhotonError {
  readonly code = 'test.refused';
}

describe('the exchange of a node that joins', () => {
  let transport: TlsTransport;
  let port: number;
  let authority: Awaited<ReturnType<typeof createAuthority>>;
  let handle: JoinHandler;
  const refused: Error[] = [];

  before(async () => {
    authority = await createAuthority(clusterId, Date.now(), 365 * day);
    const { privateKey, request } = await createRequest();
    const issue = { identity: alice, now: Date.now(), lifetimeMs: day };
    const certificate = await issueCertificate(authority, request, issue);
    const limits = { consensus: 1e6, interactive: 1e6, bulk: 1e6 };
    transport = new TlsTransport(
      {
        own: alice,
        clock: machineClock,
        queueBytesMax: limits,
        incomingMax: 10,
        handshakeMs: 2_000,
        connectionsMax: 100,
        identify: () => Promise.reject(new TestError('no session is wanted here')),
        handle: async ({ payload }) => payload,
        opened: () => undefined,
        ended: () => undefined,
        refused: (_, reason) => refused.push(reason),
        join: (payload, address) => handle(payload, address),
      },
      { privateKey, certificate, authorities: [authority.certificate] },
    );
    ({ port } = await transport.listen('127.0.0.1', 0));
  });

  beforeEach(() => {
    refused.length = 0;
    handle = async (payload) => Buffer.concat([bytes('welcome '), payload]);
  });

  after(() => transport.close());

  const ask = (changes: Partial<JoinExchange> = {}): Promise<Uint8Array> =>
    exchangeJoin({
      host: '127.0.0.1',
      port,
      timeoutMs: 2_000,
      payload: bytes('me'),
      verify: async () => undefined,
      ...changes,
    });

  const failureOf = async (promise: Promise<unknown>): Promise<Error & { code?: string }> => {
    try {
      await promise;
    } catch (error) {
      return error as Error;
    }
    throw new Error('it was answered');
  };

  it('shows the certificates of the node and its authority, then asks', async () => {
    let hash = '';
    const answer = await ask({
      async verify([own = '', root = '']) {
        hash = authorityHash(root);
        const { identity } = await verifyCertificate(own, [root], Date.now());
        expect(identity).to.deep.equal(alice);
      },
    });
    expect(Buffer.from(answer).toString()).to.equal('welcome me');
    expect(hash).to.equal(authorityHash(authority.certificate));
  });

  it('sends nothing but the reason when the certificates are not the expected ones', async () => {
    let asked = 0;
    handle = async (payload) => {
      asked += 1;
      return payload;
    };
    const failure = await failureOf(
      ask({ verify: () => Promise.reject(new TestError('another cluster')) }),
    );
    expect(failure.message).to.equal('another cluster');
    expect(asked).to.equal(0);
    expect(refused.map(({ message }) => message)).to.deep.equal([
      'A node does not join through this one: another cluster',
    ]);
  });

  it('gives the reason of a refusal to both sides', async () => {
    handle = () => Promise.reject(new TestError('the token is used'));
    const failure = await failureOf(ask());
    expect(failure).to.include({ peerCode: 'test.refused', message: 'the token is used' });
    expect(refused[0]?.message).to.equal('the token is used');
  });

  it('ends a request that is too large, no frame, or never complete', async () => {
    expect((await failureOf(ask({ payload: new Uint8Array(40_000) }))).message).to.match(
      /at most 32768 bytes/,
    );
    for (const sent of ['GET / HTTP/1.1\r\n\r\n', '\u0010\u0000\u0000\u0000\u0002']) {
      const socket = connect({
        port,
        host: '127.0.0.1',
        ALPNProtocols: [applicationProtocols.join],
        rejectUnauthorized: false,
      });
      socket.on('error', () => undefined);
      socket.resume();
      socket.write(sent);
      await once(socket, 'close');
    }
    expect(refused.length).to.be.greaterThan(1);
  });

  it('names an address where nobody speaks TLS, or nobody answers', async () => {
    const silent = createServer((socket) => void socket.on('error', () => undefined));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port: silentPort } = silent.address() as AddressInfo;
    const failure = await failureOf(ask({ port: silentPort, timeoutMs: 100 }));
    expect(failure.message).to.match(/No TLS connection to 127\.0\.0\.1/);
    silent.close();
    connectTcp(silentPort, '127.0.0.1').on('error', () => undefined);
    expect((await failureOf(ask({ port: 1 }))).message).to.match(/ECONNREFUSED/);
  });
});
