import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { PhotonError } from '../common/errors.ts';

/** A port that cannot be used; the sentence says which and why. */
class ListenError extends PhotonError {
  override readonly code = 'node.listen';
}

/** Where to listen; `option` is that of the port. */
interface Place {
  readonly host: string;
  readonly port: number;
  readonly what: string;
  readonly option: 'driver-port' | 'cluster-port' | 'http-port' | 'web-port' | 'admin-port';
}

const sentences: Readonly<Record<string, (option: string) => string>> = {
  EADDRINUSE: (option) =>
    `another process listens there: stop it, or choose another port with --${option} (0 takes a free one)`,
  EACCES: (option) => `this user may not listen there: choose a port above 1023 with --${option}`,
  EADDRNOTAVAIL: () => 'this machine has no such address: choose another with --bind',
  ENOTFOUND: () => 'this name leads to no address: choose another with --bind',
};

/** Says which port cannot be used, why, and what to do. */
export function listenErrorOf(error: unknown, at: Place): ListenError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new ListenError(
    `The port ${at.port} for ${at.what} at ${at.host} cannot be used: ${sentences[code]?.(at.option) ?? message}.`,
  );
}

export async function listen(server: Server | HttpServer, at: Place): Promise<string> {
  const attempt = async (host: string): Promise<void> => {
    server.listen({ host, port: at.port });
    await once(server, 'listening');
  };
  try {
    await attempt(at.host).catch((error: NodeJS.ErrnoException) => {
      // A machine without IPv6 listens at every address of IPv4.
      if (at.host !== '::' || error.code !== 'EAFNOSUPPORT') throw error;
      return attempt('0.0.0.0');
    });
  } catch (error) {
    throw listenErrorOf(error, at);
  }
  // From now on it is about a client that could not be accepted: without a listener it would end the process.
  server.on('error', () => undefined);
  const { address, port, family } = server.address() as AddressInfo;
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}
