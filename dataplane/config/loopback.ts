import { BlockList, isIP } from 'node:net';

/** Addresses that only this machine reaches; everything else needs a password. */
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** A name counts only when it is `localhost` itself: what another one leads to may change. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  if (version === 0) return host.toLowerCase() === 'localhost';
  // An address with a zone belongs to an interface.
  return !host.includes('%') && loopback.check(host, version === 4 ? 'ipv4' : 'ipv6');
}
