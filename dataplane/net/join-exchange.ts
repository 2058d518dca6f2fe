import { connect } from 'node:tls';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { once } from 'node:events';
import type { Clock } from '../common/clock.ts';
import { PhotonError } from '../common/errors.ts';
import { spawn } from '../common/spawn.ts';
import { encodeFrame, FrameReader } from '../wire/frame.ts';
import type { Frame } from '../wire/frame.ts';
import { ConnectionLostError, DeadlineError, PeerError, SessionRefusedError } from './errors.ts';
import { applicationProtocols } from './protocols.ts';

/**
 * The one exchange that needs no client certificate: a node that wants to join sends one request and gets
 * one answer. Guarded invariants: nothing but the reason of a refusal is sent before the caller has verified the
 * server's certificates; a connection holds at most one small request and ends after a fixed time.
 */
export type JoinHandler = (payload: Uint8Array, address: string) => Promise<Uint8Array>;

/** Of a request: a token, names and a certificate request. */
const joinBytesMax = 32_768;
/** Of what a stranger gives as its reason. */
const reasonCharactersMax = 300;
const requestId = 1;
const requestType = 0;

interface ServeOptions {
  readonly handle: JoinHandler;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly refused: (address: string, reason: Error) => void;
}

export function serveJoin(
  socket: TLSSocket,
  { handle, timeoutMs, clock, refused }: ServeOptions,
): void {
  const address = socket.remoteAddress ?? '';
  // In all, not between two bytes: a peer that sends slowly has no more time.
  const deadline = clock.timer(timeoutMs, () => socket.destroy());
  socket.once('close', () => deadline.cancel());
  spawn(
    async () => {
      const frame = await oneFrame(socket, joinBytesMax);
      if (frame.kind === 'bye') {
        const reason = frame.message.slice(0, reasonCharactersMax);
        throw new SessionRefusedError(`A node does not join through this one: ${reason}`);
      }
      if (frame.kind !== 'request')
        throw new SessionRefusedError('A request to join was expected.');
      const payload = await handle(frame.payload, address);
      socket.end(encodeFrame({ kind: 'response', id: frame.id, payload }));
    },
    (error) => {
      const reason = error as Error;
      const code = reason instanceof PhotonError ? reason.code : 'net.internal';
      socket.end(encodeFrame({ kind: 'failure', id: requestId, code, message: reason.message }));
      refused(address, reason);
    },
  );
}

/** The first frame of a connection. Data beyond it and frames above the limit are refused. */
async function oneFrame(socket: TLSSocket, bytesMax: number): Promise<Frame> {
  const reader = new FrameReader();
  let bytes = 0;
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    const received = chunk as Buffer;
    bytes += received.byteLength;
    if (bytes > bytesMax) {
      throw new SessionRefusedError(
        `A message to join or its answer has at most ${bytesMax} bytes.`,
      );
    }
    for (const frame of reader.push(received)) return frame;
  }
  throw new ConnectionLostError('The connection ended before the message was complete.');
}

export interface JoinExchange {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly payload: Uint8Array;
  /** Verifies what the server shows, its own certificate first (PEM); throws with the reason. */
  verify(certificates: readonly string[]): Promise<void>;
}

/** An answer has the certificate of the node and those of the authorities. */
const answerBytesMax = 262_144;
/** Certificates that a server may show. */
const chainMax = 8;

export async function exchangeJoin(exchange: JoinExchange): Promise<Uint8Array> {
  const { host, port, timeoutMs, payload } = exchange;
  const socket = connect({
    host,
    port,
    minVersion: 'TLSv1.3',
    ALPNProtocols: [applicationProtocols.join],
    // Nothing is trusted yet; `verify` decides by the hash that was pinned.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  try {
    await connected(socket, exchange);
    if (socket.alpnProtocol !== applicationProtocols.join) {
      throw new SessionRefusedError(`${host}:${port} is not the cluster port of a PhotonDB node.`);
    }
    await verified(socket, exchange);
    const deadlineMs = timeoutMs;
    const fields = {
      id: requestId,
      type: requestType,
      priority: 'interactive',
      deadlineMs,
    } as const;
    socket.write(encodeFrame({ kind: 'request', ...fields, payload }));
    const answer = await oneFrame(socket, answerBytesMax);
    if (answer.kind === 'response') return answer.payload.slice();
    if (answer.kind === 'failure') throw new PeerError(answer.code, answer.message);
    throw new SessionRefusedError(`${host}:${port} answered something else.`);
  } finally {
    socket.destroy();
  }
}

/** The server gets the reason why it is not asked: people look for it in its log, too. */
async function verified(socket: TLSSocket, exchange: JoinExchange): Promise<void> {
  try {
    await exchange.verify(chainOf(socket));
  } catch (error) {
    const { message } = error as Error;
    const closed = once(socket, 'close');
    socket.resume().end(encodeFrame({ kind: 'bye', code: 'net.session_refused', message }));
    await closed;
    throw error;
  }
}

async function connected(socket: TLSSocket, { host, port, timeoutMs }: JoinExchange) {
  try {
    // Also while it connects; each step has this time.
    socket.setTimeout(timeoutMs, () =>
      socket.destroy(new DeadlineError(`${host}:${port} did not answer within ${timeoutMs} ms.`)),
    );
    await once(socket, 'secureConnect');
    socket.on('error', () => undefined);
  } catch (error) {
    throw new SessionRefusedError(
      `No TLS connection to ${host}:${port}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

export const pemOf = (der: Buffer): string => {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
};

function chainOf(socket: TLSSocket): string[] {
  const chain: string[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.raw !== undefined && chain.length < chainMax) {
    chain.push(pemOf(next.raw));
    const issuer: DetailedPeerCertificate | undefined = next.issuerCertificate;
    if (issuer === next || issuer?.raw?.equals(next.raw)) break;
    next = issuer;
  }
  return chain;
}
