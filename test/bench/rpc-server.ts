import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { stdin } from 'node:process';
import { transportOf } from './rpc-peers.ts';
import type { RpcIdentity } from './rpc-peers.ts';

/** Answers each request with its payload, by sessions between nodes and by HTTP/2, both over mutual TLS. */
let text = '';
while (!text.endsWith('\n')) {
  const [chunk] = (await once(stdin, 'data')) as [Buffer];
  text += chunk.toString();
}
const identity = JSON.parse(text) as RpcIdentity;
const { privateKey, certificate, authorities } = identity.credentials;
const transport = transportOf(identity);
const { port: session } = await transport.listen('127.0.0.1', 0);

const server = createSecureServer({
  key: privateKey,
  cert: certificate,
  ca: [...authorities],
  minVersion: 'TLSv1.3',
  requestCert: true,
  rejectUnauthorized: true,
});
server.on('stream', (stream: ServerHttp2Stream) => {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('end', () => {
    stream.respond({ ':status': 200 });
    stream.end(Buffer.concat(chunks));
  });
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port: http2 } = server.address() as AddressInfo;
console.log(JSON.stringify({ session, http2 }));
stdin.on('end', () => process.exit()).resume();
