import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { expect } from 'chai';
import { Prng } from '../common/prng.ts';
import { ConnectionRefusals } from '../membership/connection-refusals.ts';
import { machineClock } from '../node/clock.ts';
import { createAuthority, verifyCertificate } from '../security/certificates.ts';
import type { AuthorityFiles } from '../security/certificates.ts';
import { encodeFrame } from '../wire/frame.ts';
import { applicationProtocols } from './protocols.ts';
import type { Peer, Session } from './session.ts';
import { credentialsOf, day } from './testing/credentials.ts';
import { alice, bob, clusterId } from './testing/pair.ts';
import { TlsTransport } from './tls-transport.ts';
import type { Credentials } from './tls-transport.ts';

const mib = 1_048_576;
const mallory: Peer = {
  clusterId,
  nodeId: 'eeeeeeee-0000-4000-8000-000000000000',
};
const interactive = { priority: 'interactive', deadlineMs: 60_000 } as const;
const connectionsMax = 64;
const inFlight = 16;

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5);
}

/** A transport that counts what it refuses. */
class Counted {
  readonly refusals = new ConnectionRefusals(machineClock, {
    warn: (_, fields) => this.logged.push(fields ?? {}),
  });
  readonly logged: object[] = [];
  readonly ended: Error[] = [];
  readonly transport: TlsTransport;
  opened = 0;

  constructor(own: Peer, credentials: Credentials, handshakeMs = 30_000) {
    this.transport = new TlsTransport(
      {
        own,
        clock: machineClock,
        queueBytesMax: { consensus: mib, interactive: mib, bulk: mib },
        incomingMax: 100,
        handshakeMs,
        connectionsMax,
        identify: async (text) =>
          (await verifyCertificate(text, credentials.authorities, Date.now())).identity,
        handle: async ({ payload }) => payload,
        opened: () => (this.opened += 1),
        ended: (_, reason) => this.ended.push(reason),
        refused: (address, reason) => this.refusals.note(address, reason),
      },
      credentials,
    );
  }

  get refused(): number {
    return [...this.refusals.counts.values()].reduce((sum, count) => sum + count, 0);
  }
}

/** Runs `count` attacks, a few at a time. */
async function attack(count: number, one: (at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    for (let at = next++; at < count; at = next++) await one(at);
  };
  await Promise.all(Array.from({ length: inFlight }, run));
}

async function closed(socket: Socket): Promise<void> {
  socket.on('error', () => undefined);
  socket.resume();
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
}

describe('the port for nodes under attack', function attacked() {
  this.timeout(180_000);
  let authority: AuthorityFiles;
  let server: Counted;
  let peer: Counted;
  let session: Session;
  let port: number;

  const start = async (handshakeMs?: number): Promise<void> => {
    authority = await createAuthority(clusterId, Date.now(), 365 * day);
    server = new Counted(alice, await credentialsOf(authority, alice), handshakeMs);
    ({ port } = await server.transport.listen('127.0.0.1', 0));
    peer = new Counted(bob, await credentialsOf(authority, bob));
    session = await peer.transport.dial('127.0.0.1', port, alice.nodeId);
  };

  afterEach(async () => {
    await peer.transport.close();
    await server.transport.close();
  });

  const answers = async (): Promise<void> => {
    const answer = await session.request(1, Buffer.from('still here'), interactive);
    expect(Buffer.from(answer).toString()).to.equal('still here');
  };

  const tls = (
    credentials: Credentials | undefined,
    options: ConnectionOptions & { readonly allowHalfOpen?: boolean } = {},
  ) =>
    connectTls({
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      ALPNProtocols: [applicationProtocols.session],
      ...(credentials && {
        key: credentials.privateKey,
        cert: credentials.certificate,
      }),
      ...options,
    });

  it('refuses and counts each of 2,000 connections of strangers', async () => {
    await start();
    const other = await createAuthority(clusterId, Date.now(), day);
    const foreign = await credentialsOf(other, mallory);
    const expired = await credentialsOf(authority, mallory, -1_000);
    const prng = new Prng(13);
    const random = (bound: number): number => prng.below(bound);
    const kinds: readonly (() => Socket)[] = [
      () => {
        const socket = connect(port, '127.0.0.1');
        socket.end(prng.bytes(16 + random(400)));
        return socket;
      },
      () => tls(undefined, { maxVersion: 'TLSv1.2' }),
      () => tls(undefined, { ALPNProtocols: ['h2'] }),
      () => tls(undefined),
      () => tls(foreign),
      () => tls(expired),
    ];
    await attack(2_000, async (at) => {
      // Half of them do not need a whole handshake.
      await closed((kinds[at % 2 === 0 ? random(3) : random(kinds.length)] as () => Socket)());
      if (at % 50 === 0) await answers();
    });
    await until(() => server.refused === 2_000);
    const { counts } = server.refusals;
    expect([...counts.keys()]).to.include.members(['handshake', 'certificate', 'session']);
    expect(server.logged.length).to.be.at.most(3 * counts.size);
    expect(server.opened).to.equal(1);
    await answers();
  });

  it('ends handshakes that stall', async () => {
    await start(8_000);
    const hello = Buffer.from('16030100c8010000c40303', 'hex');
    await attack(32, async (at) => {
      const socket = connect(port, '127.0.0.1');
      if (at % 2 === 0) socket.write(hello);
      await closed(socket);
    });
    await until(() => server.refused === 32);
    expect(server.refusals.counts.get('timeout')).to.equal(32);
    await answers();
  });

  it('ends sessions of a member that does not say who it is, says half of it, or is of the future', async () => {
    await start(15_000);
    const credentials = await credentialsOf(authority, mallory);
    const hello = encodeFrame({ kind: 'hello', versionMin: 3, versionMax: 3, ...mallory });
    const future = encodeFrame({ kind: 'hello', versionMin: 4, versionMax: 9, ...mallory });
    const said = [undefined, hello.subarray(0, 3), hello.subarray(0, 20), future];
    await attack(8, async (at) => {
      const socket = tls(credentials);
      const bytes = said[at % said.length];
      if (bytes !== undefined) socket.write(bytes);
      await closed(socket);
    });
    await until(() => server.refused === 8);
    expect(server.refusals.counts.get('session')).to.equal(8);
    const reasons = server.ended.map(({ message }) => message);
    expect(
      reasons.filter((text) => /did not say who it is within 15000 ms/.test(text)),
    ).to.have.length(6);
    expect(reasons.filter((text) => /speaks versions 4 to 9/.test(text))).to.have.length(2);
    const logged = JSON.stringify(server.logged);
    expect(logged).to.match(/did not say who it is|speaks versions 4 to 9/);
    await answers();
  });

  it('closes the connection of a member that sends after its session has ended', async () => {
    await start();
    // It ends its side of the connection never.
    const socket = tls(await credentialsOf(authority, mallory), { allowHalfOpen: true });
    const end = closed(socket);
    await once(socket, 'secureConnect');
    const sender = setInterval(() => socket.write(Buffer.alloc(1_000, 255)), 50);
    await end;
    clearInterval(sender);
    expect(server.ended[0]?.message).to.match(/announces a frame of/);
    await answers();
  });

  it('ends the session of a member that misbehaves, after 18,000 frames', async () => {
    await start();
    const prng = new Prng(17);
    const random = (bound: number): number => prng.below(bound);
    const credentials = await credentialsOf(authority, mallory);
    const greeting = encodeFrame({
      kind: 'hello',
      versionMin: 3,
      versionMax: 3,
      ...mallory,
    });
    const payload = new Uint8Array(64);
    const request = (id: number): Uint8Array =>
      encodeFrame({
        kind: 'request',
        id,
        type: 1,
        priority: 'bulk',
        deadlineMs: 1_000,
        payload,
      });
    /** A whole frame that is read and answered or ignored. */
    const taken = (id: number): Uint8Array => {
      const kinds = ['cancel', 'end'] as const;
      if (random(2) === 0) return request(id);
      return encodeFrame({ kind: kinds[random(2)] ?? 'end', id });
    };
    const bad = (): Uint8Array => {
      const frame = Uint8Array.from(request(random(1_000)));
      const view = new DataView(frame.buffer);
      const kind = random(4);
      if (kind === 0) view.setUint32(0, frame.byteLength - 4 - 1 - random(60), true);
      else if (kind === 1) view.setUint32(16, 0x80_00_00_00 + random(1_000), true);
      else if (kind === 2) view.setUint32(0, 0x40_00_00_00 + random(1_000), true);
      else frame[4] = 15 + random(240);
      const at = 40 + random(frame.byteLength - 40);
      frame[at] = (frame[at] ?? 0) ^ (1 << random(8));
      return frame;
    };
    await attack(600, async (at) => {
      const socket = tls(credentials);
      const end = closed(socket);
      const frames = Array.from({ length: 29 }, (_, id) => taken(id + 1));
      socket.write(Buffer.concat([greeting, ...frames, bad(), Buffer.alloc(16)]));
      await end;
      if (at % 50 === 0) await answers();
    });
    await until(() => server.ended.length === 600);
    expect(server.opened).to.equal(601);
    expect(server.refused).to.equal(0);
    for (const reason of server.ended) expect(reason.name, reason.message).to.equal('FrameError');
    await answers();
  });
});
