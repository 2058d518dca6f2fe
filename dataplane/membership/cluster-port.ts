import type { HostPort } from '../common/address.ts';
import { DatagramSocket } from '../net/datagram-socket.ts';
import type { DatagramOptions } from '../net/datagram-socket.ts';
import { TlsTransport } from '../net/tls-transport.ts';
import type { Credentials, TransportOptions } from '../net/tls-transport.ts';

const mib = 1_048_576;
/** Of sessions with other nodes. */
export const sessionLimits = {
  queueBytesMax: { consensus: 4 * mib, interactive: 16 * mib, bulk: 16 * mib },
  incomingMax: 4_096,
  handshakeMs: 5_000,
  connectionsMax: 1_024,
} as const;

/** The port for other nodes: sessions by TCP and gossip by UDP, at one number. */
export interface ClusterPort {
  readonly transport: TlsTransport;
  readonly datagrams: DatagramSocket;
  readonly port: number;
}

export type DatagramTraffic = Pick<
  DatagramSocket,
  'sent' | 'sentBytes' | 'received' | 'receivedBytes' | 'lost'
>;

/** The system chooses a number for TCP, which may be in use for UDP. */
const attemptsMax = 16;

export async function openClusterPort(
  sessions: TransportOptions,
  credentials: Credentials,
  { datagrams: options, ...at }: HostPort & { readonly datagrams: DatagramOptions },
): Promise<ClusterPort> {
  for (let attempt = 1; ; attempt += 1) {
    const transport = new TlsTransport(sessions, credentials);
    const { port } = await transport.listen(at.host, at.port);
    const datagrams = new DatagramSocket(options);
    try {
      await datagrams.bind({ host: at.host, port });
      return { transport, datagrams, port };
    } catch (error) {
      await transport.close();
      if (at.port !== 0 || attempt >= attemptsMax) throw error;
    }
  }
}
