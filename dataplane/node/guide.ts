/** The text for a user who has started a node by hand: where it listens, and how to connect. */
export interface GuideFacts {
  readonly version: string;
  /** HOST:PORT, as the ready line has them. */
  readonly driver: string;
  readonly web: string;
  readonly dataDirectory: string;
  readonly hasPassword: boolean;
}

/** Every address of the machine: this one is surely among them. */
const anyAddress = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['[::]', '[::1]'],
]);

function split(address: string): { readonly host: string; readonly port: string } {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon);
  return { host: anyAddress.get(host) ?? host, port: address.slice(colon + 1) };
}

export function guideText({
  version,
  driver,
  web,
  dataDirectory,
  hasPassword,
}: GuideFacts): string {
  const { host: bracketed, port } = split(driver);
  const host = bracketed.replace(/^\[(.*)\]$/, '$1');
  const page = split(web);
  const options = hasPassword ? ", password: '...'" : '';
  const more = hasPassword ? ', password="..."' : '';
  return `
PhotonDB ${version} serves the data in ${dataDirectory}

  JavaScript   npm install rethinkdb
               const connection = await r.connect({ host: '${host}', port: ${port}${options} });
  Python       pip install rethinkdb
               connection = r.connect(host="${host}", port=${port}${more})
  Admin page   http://${page.host}:${page.port}/_admin

The user is admin${hasPassword ? ', the password that of --admin-password-file' : ', without a password'}. Ctrl-C stops the node; the data stays.
`;
}
