import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { isIPv4, isIPv6 } from 'node:net';
import type { HostPort } from '../common/address.ts';

export interface DatagramOptions {
  /** Longer datagrams are not read at all. */
  readonly bytesMax: number;
  received(datagram: Uint8Array): void;
}

/** Datagrams that the system has not taken yet; more are lost. */
const pendingMax = 1_024;

/**
 * Datagrams at one port. What cannot be sent is lost, as a network loses it, and counted. Guarded invariant:
 * no failure of a single datagram ends the socket or the process.
 */
export class DatagramSocket {
  readonly #options: DatagramOptions;
  #socket: Socket | undefined;
  #pending = 0;
  #isIpv6 = false;
  /** Datagrams that were not sent. */
  lost = 0;
  sent = 0;
  sentBytes = 0;
  received = 0;
  receivedBytes = 0;

  constructor(options: DatagramOptions) {
    this.#options = options;
  }

  /** Rejects when the port is in use. */
  async bind({ host, port }: HostPort): Promise<AddressInfo> {
    this.#isIpv6 = isIPv6(host);
    const socket = createSocket({ type: this.#isIpv6 ? 'udp6' : 'udp4' });
    try {
      socket.bind({ address: host, port, exclusive: true });
      await once(socket, 'listening');
    } catch (error) {
      socket.close();
      throw error;
    }
    socket.on('error', () => (this.lost += 1));
    socket.on('message', (datagram) => {
      this.received += 1;
      this.receivedBytes += datagram.byteLength;
      this.#options.received(datagram);
    });
    this.#socket = socket;
    return socket.address();
  }

  send(datagram: Uint8Array, { host, port }: HostPort): void {
    const socket = this.#socket;
    if (socket === undefined || this.#pending >= pendingMax) {
      this.lost += 1;
      return;
    }
    this.#pending += 1;
    try {
      // A socket of IPv6 reaches addresses of IPv4 in this form.
      const to = this.#isIpv6 && isIPv4(host) ? `::ffff:${host}` : host;
      socket.send(datagram, port, to, (error) => this.#done(error, datagram));
    } catch (error) {
      this.#done(error as Error, datagram);
    }
  }

  #done(error: Error | null, datagram: Uint8Array): void {
    this.#pending -= 1;
    if (error === null) {
      this.sent += 1;
      this.sentBytes += datagram.byteLength;
    } else {
      this.lost += 1;
    }
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    const closed = once(socket, 'close');
    socket.close();
    await closed;
  }
}
