import type { Server } from 'node:net';
import type { NodeContext } from './context.ts';
import { listen } from './listen.ts';

/** Listens at a port of the configuration, and logs what happens at it; answers the address. */
export async function openPort(
  { config, portLog }: Pick<NodeContext, 'config' | 'portLog'>,
  server: Server,
  { option, what }: { readonly option: 'driver-port' | 'web-port'; readonly what: string },
): Promise<string> {
  const at = { host: config.bind, port: config[option], what, option };
  const address = await listen(server, at);
  portLog.follow(server, what);
  return address;
}
