/** `host:port`, and `[host]:port` when the host is an IPv6 address. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export const formatAddress = ({ host, port }: HostPort): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

const pattern = /^(?:\[([0-9A-Fa-f:.]+(?:%[0-9A-Za-z._-]+)?)\]|([0-9A-Za-z._-]+)):([0-9]{1,5})$/;

/** Undefined for anything else, or a port that is none. */
export function parseAddress(text: string): HostPort | undefined {
  const [, inner, outer, digits = ''] = pattern.exec(text) ?? [];
  const host = inner ?? outer;
  const port = Number(digits);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}
