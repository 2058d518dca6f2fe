import { lookup } from 'node:dns/promises';
import { BoundSocket, isIP } from 'node:net';
import type { Clock } from '../../common/clock.ts';
import { listenErrorOf } from '../listen.ts';

/**
 * The socket of the driver port, which the core binds and query workers listen on. It stays bound while a worker is
 * replaced, so that clients wait in its queue in place of being refused.
 */
export interface BoundPort {
  readonly socket: BoundSocket;
  readonly address: string;
  readonly port: number;
}

/** Workers of a core that was killed hold the port until they have ended, which takes a moment. */
const retryMs = 50;
const retriesMax = 40;

export async function bindPort(
  at: { readonly host: string; readonly port: number },
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
): Promise<BoundPort> {
  const place = { ...at, what: 'drivers', option: 'driver-port' } as const;
  const numeric = await addressOf(at.host).catch((error: unknown) => {
    throw listenErrorOf(error, place);
  });
  for (let retry = 0; ; retry += 1) {
    try {
      return bound(numeric, at.port);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // A machine without IPv6 listens at every address of IPv4.
      if (numeric === '::' && code === 'EAFNOSUPPORT') return bound('0.0.0.0', at.port);
      if (code !== 'EADDRINUSE' || retry === retriesMax) throw listenErrorOf(error, place);
    }
    await clock.sleep(retryMs, signal);
  }
}

const addressOf = async (host: string): Promise<string> =>
  isIP(host) === 0 ? (await lookup(host)).address : host;

function bound(host: string, port: number): BoundPort {
  const socket = new BoundSocket({ host, port });
  const { address, family, port: own } = socket.address();
  return {
    socket,
    port: own,
    address: family === 'IPv6' ? `[${address}]:${own}` : `${address}:${own}`,
  };
}
