import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { machineClock } from '../node/clock.ts';
import { createAuthority, verifyCertificate } from '../security/certificates.ts';
import type { AuthorityFiles } from '../security/certificates.ts';
import type { Peer } from './session.ts';
import { credentialsOf, day } from './testing/credentials.ts';
import { alice, bob, clusterId } from './testing/pair.ts';
import { TlsTransport } from './tls-transport.ts';
import type { Credentials, TransportOptions } from './tls-transport.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const interactive = { priority: 'interactive', deadlineMs: 5_000 } as const;
const mib = 1_048_576;

interface Seen {
  readonly refused: Error[];
  readonly ended: Error[];
}

function transport(
  own: Peer,
  credentials: Credentials,
  seen: Seen = { refused: [], ended: [] },
): TlsTransport {
  const options: TransportOptions = {
    own,
    clock: machineClock,
    queueBytesMax: { consensus: mib, interactive: 8 * mib, bulk: 8 * mib },
    incomingMax: 100,
    handshakeMs: 5_000,
    connectionsMax: 100,
    identify: async (certificate) =>
      (await verifyCertificate(certificate, credentials.authorities, Date.now())).identity,
    handle: async ({ peer, payload }) => {
      const name = bytes(`${peer.nodeId} `);
      return Buffer.concat([name, payload]);
    },
    opened: () => undefined,
    ended: (_, reason) => seen.ended.push(reason),
    refused: (_, reason) => seen.refused.push(reason),
  };
  return new TlsTransport(options, credentials);
}

async function failureOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it was accepted');
}

/** A test that waits indefinitely ends by its own time limit. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5);
}

describe('sessions over mutual TLS', () => {
  let authority: AuthorityFiles;
  const open: TlsTransport[] = [];

  before(async () => {
    authority = await createAuthority(clusterId, Date.now(), 365 * day);
  });

  afterEach(async () => {
    for (const each of open.splice(0)) await each.close();
  });

  const keep = (each: TlsTransport): TlsTransport => {
    open.push(each);
    return each;
  };

  async function serve(seen?: Seen): Promise<{ server: TlsTransport; port: number }> {
    const server = keep(transport(alice, await credentialsOf(authority, alice), seen));
    const { port }: AddressInfo = await server.listen('127.0.0.1', 0);
    return { server, port };
  }

  it('prove both sides by their certificates, and carry large and many requests', async () => {
    const { port } = await serve();
    const client = keep(transport(bob, await credentialsOf(authority, bob)));
    const session = await client.dial('127.0.0.1', port, alice.nodeId);
    const large = await session.request(1, new Uint8Array(3 * mib), interactive);
    expect(large.byteLength).to.equal(3 * mib + bob.nodeId.length + 1);
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, at) => session.request(1, bytes(`${at}`), interactive)),
    );
    expect(Buffer.from(answers[63] ?? []).toString()).to.equal(`${bob.nodeId} 63`);
  });

  it('are refused to a node with a certificate of another authority, and both sides know why', async () => {
    const seen: Seen = { refused: [], ended: [] };
    const { port } = await serve(seen);
    const other = await createAuthority(clusterId, Date.now(), day);
    const stranger = keep(transport(bob, await credentialsOf(other, bob)));
    const reason = /not signed by an authority of this cluster/;
    expect((await failureOf(stranger.dial('127.0.0.1', port, alice.nodeId))).message).to.match(
      reason,
    );
    await until(() => seen.refused.length > 0);
    expect(seen.refused[0]?.message).to.match(reason);
  });

  it('are refused to a node whose certificate only the other side does not accept', async () => {
    const seen: Seen = { refused: [], ended: [] };
    const { port } = await serve(seen);
    const other = await createAuthority(clusterId, Date.now(), day);
    const own: Seen = { refused: [], ended: [] };
    const { authorities, ...foreign } = await credentialsOf(other, bob);
    const both = { ...foreign, authorities: [...authorities, authority.certificate] };
    const stranger = keep(transport(bob, both, own));
    await stranger.dial('127.0.0.1', port, alice.nodeId);
    await until(() => own.ended.length > 0 && seen.refused.length > 0);
    expect(own.ended[0]?.message).to.match(/ended the connection: The certificate is not signed/);
    expect(seen.refused[0]?.message).to.match(/The certificate is not signed/);
  });

  it('are refused to a node with an expired certificate, and to one without', async () => {
    const seen: Seen = { refused: [], ended: [] };
    const { port } = await serve(seen);
    const own: Seen = { refused: [], ended: [] };
    const expired = keep(transport(bob, await credentialsOf(authority, bob, -1_000), own));
    await expired.dial('127.0.0.1', port, alice.nodeId);
    await until(() => own.ended.length > 0);
    expect(own.ended[0]?.message).to.match(/The certificate is valid from .* Renew it/);
    const plain = connect(port, '127.0.0.1');
    plain.write('GET / HTTP/1.1\r\n\r\n');
    plain.resume();
    await once(plain, 'close');
    const anonymous = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    anonymous.resume();
    await once(anonymous, 'close');
    await until(() => seen.refused.length === 3);
    const reasons = seen.refused.map(({ message }) => message);
    expect(reasons.some((reason) => /valid from .* Renew it/.test(reason))).to.equal(true);
    expect(reasons.at(-1)).to.match(/has no certificate/);
  });

  it('are refused when another node than the expected one answers', async () => {
    const { port } = await serve();
    const client = keep(transport(bob, await credentialsOf(authority, bob)));
    try {
      await client.dial('127.0.0.1', port, 'cccccccc-0000-4000-8000-000000000000');
      expect.fail('it was taken');
    } catch (error) {
      expect((error as Error).message).to.match(/was expected there/);
    }
  });

  it('continue when certificates are renewed, and new ones use the new certificate', async () => {
    const { server, port } = await serve();
    const client = keep(transport(bob, await credentialsOf(authority, bob)));
    const before = await client.dial('127.0.0.1', port, alice.nodeId);
    server.renew(await credentialsOf(authority, alice, 2 * day));
    client.renew(await credentialsOf(authority, bob, 2 * day));
    const after = await client.dial('127.0.0.1', port, alice.nodeId);
    for (const session of [before, after]) {
      const answer = await session.request(1, bytes('x'), interactive);
      expect(Buffer.from(answer).toString()).to.equal(`${bob.nodeId} x`);
    }
  });

  it('end on both sides when one closes', async () => {
    const seen: Seen = { refused: [], ended: [] };
    const { server, port } = await serve(seen);
    const own: Seen = { refused: [], ended: [] };
    const client = keep(transport(bob, await credentialsOf(authority, bob), own));
    const session = await client.dial('127.0.0.1', port, undefined);
    await session.request(1, bytes('x'), interactive);
    await server.close();
    let code = 'none';
    try {
      await session.request(1, bytes('x'), interactive);
    } catch (error) {
      code = (error as { code: string }).code;
    }
    expect(code).to.equal('net.connection_lost');
    expect(own.ended.length).to.equal(1);
  });
});
