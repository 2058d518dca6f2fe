import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { fileURLToPath } from 'node:url';
import type { Peer, Session } from '../../dataplane/net/session.ts';
import { TlsTransport } from '../../dataplane/net/tls-transport.ts';
import type { Credentials } from '../../dataplane/net/tls-transport.ts';
import { machineChance } from '../../dataplane/node/chance.ts';
import { machineClock } from '../../dataplane/node/clock.ts';
import {
  createAuthority,
  createRequest,
  issueCertificate,
  verifyCertificate,
} from '../../dataplane/security/certificates.ts';

/** Requests between two processes: a session between nodes, and HTTP/2 of Node, both over mutual TLS 1.3. */
export interface RpcIdentity {
  readonly own: Peer;
  readonly credentials: Credentials;
}

export interface RpcPeer {
  readonly name: string;
  /** Resolves with the answer. */
  request(payload: Uint8Array): Promise<Uint8Array>;
}

const mib = 1_048_576;
const day = 86_400_000;
const requestType = 1;
const how = { priority: 'interactive', deadlineMs: 30_000 } as const;

export function transportOf({ own, credentials }: RpcIdentity): TlsTransport {
  return new TlsTransport(
    {
      own,
      clock: machineClock,
      queueBytesMax: { consensus: mib, interactive: 16 * mib, bulk: 16 * mib },
      incomingMax: 256,
      handshakeMs: 5_000,
      connectionsMax: 16,
      identify: async (certificate) =>
        (await verifyCertificate(certificate, credentials.authorities, Date.now())).identity,
      handle: async ({ payload }) => payload,
      opened: () => undefined,
      ended: () => undefined,
      refused: (_, { message }) => console.error(message),
    },
    credentials,
  );
}

export class RpcServer {
  readonly peers: readonly RpcPeer[];
  readonly #child: ChildProcess;
  readonly #transport: TlsTransport;
  readonly #http2: ClientHttp2Session;

  private constructor(child: ChildProcess, transport: TlsTransport, { session, http2 }: Clients) {
    this.#child = child;
    this.#transport = transport;
    this.#http2 = http2;
    this.peers = [
      { name: 'HTTP/2 of Node', request: (payload) => askHttp2(http2, payload) },
      { name: 'session', request: (payload) => session.request(requestType, payload, how) },
    ];
  }

  static async start(): Promise<RpcServer> {
    const clusterId = machineChance.uuid();
    const authority = await createAuthority(clusterId, Date.now(), day);
    const identity = async (): Promise<RpcIdentity> => {
      const own = { clusterId, nodeId: machineChance.uuid() };
      const { privateKey, request } = await createRequest();
      const issue = { identity: own, now: Date.now(), lifetimeMs: day };
      const certificate = await issueCertificate(authority, request, issue);
      return {
        own,
        credentials: { privateKey, certificate, authorities: [authority.certificate] },
      };
    };
    const program = fileURLToPath(new URL('./rpc-server.ts', import.meta.url));
    const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.write(`${JSON.stringify(await identity())}\n`);
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const ports = JSON.parse(line.toString()) as { session: number; http2: number };
    const client = await identity();
    const transport = transportOf(client);
    const session = await transport.dial('127.0.0.1', ports.session, undefined);
    const { privateKey: key, certificate: cert, authorities } = client.credentials;
    const http2 = connect(`https://127.0.0.1:${ports.http2}`, {
      key,
      cert,
      ca: [...authorities],
      minVersion: 'TLSv1.3',
      checkServerIdentity: () => undefined,
    });
    await once(http2, 'connect');
    return new RpcServer(child, transport, { session, http2 });
  }

  /** CPU time of both processes so far. */
  cpuMs(): number {
    const { user, system } = process.cpuUsage();
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    // In ticks of 10 ms, behind the name in brackets.
    const [utime = 0, stime = 0] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13)
      .map(Number);
    return (user + system) / 1_000 + (utime + stime) * 10;
  }

  async close(): Promise<void> {
    this.#http2.destroy();
    await this.#transport.close();
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }
}

interface Clients {
  readonly session: Session;
  readonly http2: ClientHttp2Session;
}

function askHttp2(client: ClientHttp2Session, payload: Uint8Array): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const stream = client.request({ ':method': 'POST', ':path': '/' });
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('end', () => resolve(Buffer.concat(chunks)));
  stream.on('error', reject);
  stream.end(payload);
  return promise;
}
