import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import type { SecureContextOptions, Server, TLSSocket } from 'node:tls';
import type { Clock } from '../common/clock.ts';
import { PhotonError } from '../common/errors.ts';
import { encodeFrame } from '../wire/frame.ts';
import { ConnectionsError, SessionRefusedError } from './errors.ts';
import { pemOf, serveJoin } from './join-exchange.ts';
import type { JoinHandler } from './join-exchange.ts';
import { applicationProtocols } from './protocols.ts';
import { Session } from './session.ts';
import type { CertifiedPeer, Incoming, Pipe, SessionOptions } from './session.ts';

/**
 * Sessions over mutual TLS 1.3. A peer is whoever its certificate proves; names and addresses prove nothing.
 * A certificate is verified here and not by the TLS library, so that both sides learn the reason of a
 * refusal. Guarded invariant: no byte of a peer is read before its certificate has been verified; who has
 * none yet can say one thing only, its wish to join.
 */
export interface Credentials {
  /** PEM. */
  readonly privateKey: string;
  readonly certificate: string;
  /** Several while one authority replaces another. */
  readonly authorities: readonly string[];
}

export interface TransportOptions extends Omit<
  SessionOptions,
  'expected' | 'pipe' | 'ended' | 'handle' | 'noticed'
> {
  /** The identity that a certificate (PEM) proves; rejects with the reason when it proves none. */
  identify(certificate: string): Promise<CertifiedPeer>;
  readonly handle: (incoming: Incoming, session: Session) => Promise<Uint8Array>;
  noticed?(session: Session, type: number, payload: Uint8Array): void;
  /** Connections that are accepted at a time, with those that have not proven anything yet. */
  readonly connectionsMax: number;
  /** A session stands; `isDialed`: by this side. */
  opened(session: Session, peer: CertifiedPeer, isDialed: boolean): void;
  ended(session: Session, reason: Error): void;
  /** Somebody was refused before there was a session. */
  readonly refused: (address: string, reason: Error) => void;
  /** Answers a node that has no certificate yet. */
  readonly join?: JoinHandler;
}

const tlsOf = ({ privateKey, certificate, authorities }: Credentials): SecureContextOptions => ({
  key: privateKey,
  cert: certificate,
  ca: [...authorities],
  minVersion: 'TLSv1.3',
});

/** The certificate with its authority, which a node that joins pins by its hash. */
const serverTlsOf = (credentials: Credentials): SecureContextOptions => ({
  ...tlsOf(credentials),
  cert: [credentials.certificate, ...credentials.authorities].join('\n'),
});

/**
 * A connection that carries nothing is probed by the system after this time. The failure detector is faster; this
 * finds connections that a firewall has forgotten, and costs each pair of nodes two packets and their answers.
 */
const keepAliveMs = 300_000;

/** A connection is destroyed this long after its end, whatever the peer still sends. */
const lingerMs = 1_000;

const addressOf = ({ remoteAddress, remotePort }: TLSSocket): string =>
  `${remoteAddress ?? ''}:${remotePort ?? 0}`;

class SocketPipe implements Pipe {
  readonly #socket: TLSSocket;
  readonly #clock: Clock;
  #isCorked = false;

  constructor(socket: TLSSocket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
  }

  /** What is written during one turn of the event loop is encrypted and sent together. */
  write(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket.destroyed) return true;
    if (!this.#isCorked) void this.#cork();
    return socket.write(bytes);
  }

  async #cork(): Promise<void> {
    this.#isCorked = true;
    this.#socket.cork();
    await this.#clock.yield();
    this.#isCorked = false;
    this.#socket.uncork();
  }

  close(): void {
    // What was written goes out first, so that the peer learns the reason; then the socket is destroyed.
    this.#socket.end();
    const linger = this.#clock.timer(lingerMs, () => this.#socket.destroy());
    this.#socket.once('close', () => linger.cancel());
  }
}

export class TlsTransport {
  readonly #options: TransportOptions;
  readonly #sockets = new Set<TLSSocket>();
  #credentials: Credentials;
  #server: Server | undefined;

  constructor(options: TransportOptions, credentials: Credentials) {
    this.#options = options;
    this.#credentials = credentials;
  }

  /** Connections from now on use these; those that stand are not touched. */
  renew(credentials: Credentials): void {
    this.#credentials = credentials;
    this.#server?.setSecureContext(serverTlsOf(credentials));
  }

  /** Answers the address that it listens on. */
  async listen(host: string, port: number): Promise<AddressInfo> {
    const { handshakeMs, connectionsMax } = this.#options;
    const server = createServer({
      ...serverTlsOf(this.#credentials),
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: [applicationProtocols.session, applicationProtocols.join],
      handshakeTimeout: handshakeMs,
    });
    this.#server = server;
    server.maxConnections = connectionsMax;
    server.on('secureConnection', (socket) => {
      if (socket.alpnProtocol === applicationProtocols.join) this.#join(socket);
      else void this.#accept(socket, { isDialed: false, wanted: undefined });
    });
    server.on('tlsClientError', (error, socket) => {
      const address = socket.remoteAddress ?? '';
      // Node leaves the connection open when a handshake times out.
      socket.destroy();
      this.#options.refused(address, error);
    });
    server.on('drop', (dropped) =>
      this.#options.refused(
        dropped?.remoteAddress ?? '',
        new ConnectionsError(`The node accepts at most ${connectionsMax} connections of nodes.`),
      ),
    );
    server.listen(port, host);
    await once(server, 'listening');
    return server.address() as AddressInfo;
  }

  /** Resolves when the session stands; rejects with the reason when it does not. */
  async dial(host: string, port: number, nodeId: string | undefined): Promise<Session> {
    const socket = connect({
      ...tlsOf(this.#credentials),
      host,
      port,
      ALPNProtocols: [applicationProtocols.session],
      rejectUnauthorized: false,
      // The certificate names a node, not an address.
      checkServerIdentity: () => undefined,
    });
    const timeout = AbortSignal.timeout(this.#options.handshakeMs);
    try {
      await once(socket, 'secureConnect', { signal: timeout });
    } catch (error) {
      socket.destroy();
      throw new SessionRefusedError(
        `No TLS connection to ${host}:${port}: ${(error as Error).message}`,
        { cause: error },
      );
    }
    const session = await this.#accept(socket, { isDialed: true, wanted: nodeId });
    if (session instanceof Session) return session;
    throw session;
  }

  #join(socket: TLSSocket): void {
    this.#keep(socket);
    const { handshakeMs, join, refused, clock } = this.#options;
    if (join === undefined) return void socket.destroy();
    serveJoin(socket, { handle: join, timeoutMs: handshakeMs, refused, clock });
  }

  #keep(socket: TLSSocket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.setNoDelay(true);
  }

  async #accept(
    socket: TLSSocket,
    { isDialed, wanted }: { readonly isDialed: boolean; readonly wanted: string | undefined },
  ): Promise<Session | Error> {
    this.#keep(socket);
    const address = addressOf(socket);
    try {
      const peer = await this.#identify(socket, address);
      if (wanted !== undefined && peer.nodeId !== wanted) {
        throw new SessionRefusedError(
          `${address} is node ${peer.nodeId}, and node ${wanted} was expected there.`,
        );
      }
      return this.#open(socket, peer, isDialed);
    } catch (error) {
      const reason = error as Error;
      const code = reason instanceof PhotonError ? reason.code : 'net.refused';
      socket.write(encodeFrame({ kind: 'bye', code, message: reason.message }));
      new SocketPipe(socket, this.#options.clock).close();
      this.#options.refused(address, reason);
      return reason;
    }
  }

  async #identify(socket: TLSSocket, address: string): Promise<CertifiedPeer> {
    const { raw } = socket.getPeerCertificate();
    if (raw === undefined) throw new SessionRefusedError(`${address} has no certificate.`);
    const peer = await this.#options.identify(pemOf(raw));
    // The library's own verdict is wanted as well.
    if (socket.authorized) return peer;
    throw new SessionRefusedError(
      `The certificate of ${address} is not accepted: ${String(socket.authorizationError)}.`,
    );
  }

  #open(socket: TLSSocket, peer: CertifiedPeer, isDialed: boolean): Session {
    const address = addressOf(socket);
    const session: Session = new Session({
      ...this.#options,
      expected: peer,
      pipe: new SocketPipe(socket, this.#options.clock),
      handle: (incoming) => this.#options.handle(incoming, session),
      noticed: (type, payload) => this.#options.noticed?.(session, type, payload),
      ended: (reason) => {
        // Whoever dialed learns it from its first request.
        if (!isDialed && !session.hasGreeted) this.#options.refused(address, reason);
        this.#options.ended(session, reason);
      },
    });
    socket.setKeepAlive(true, keepAliveMs);
    socket.on('drain', () => session.drained());
    socket.on('close', () => session.lost());
    this.#options.opened(session, peer, isDialed);
    socket.on('data', (chunk: Buffer) => session.received(chunk));
    if (socket.destroyed) session.lost();
    return session;
  }

  async close(): Promise<void> {
    const server = this.#server;
    const closed = server === undefined ? undefined : once(server, 'close');
    server?.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
