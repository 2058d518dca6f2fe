/** Asks the signing endpoint as a node does: over TLS, by the server name of its cluster. */
import { request } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly code?: string;
  readonly message?: string;
  readonly certificate?: string;
}

export interface Ask {
  readonly port: number;
  readonly serverName: string;
  /** The authorities that the client trusts. */
  readonly ca: string;
  readonly token?: string;
  readonly body?: string;
  readonly method?: string;
  readonly path?: string;
}

const clientTimeoutMs = 20_000;

export const bodyOf = (signingRequest: string): string =>
  JSON.stringify({ request: signingRequest });

function parsed(text: string): object {
  try {
    const answer = JSON.parse(text) as { readonly error?: object };
    return answer.error ?? answer;
  } catch {
    return { message: text };
  }
}

export function ask({ port, serverName, ca, token, body, ...rest }: Ask): Promise<Answer> {
  const { method = 'POST', path = '/v1/certificates' } = rest;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        servername: serverName,
        ca,
        method,
        path,
        agent: false,
        timeout: clientTimeoutMs,
        headers: {
          'content-type': 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
      },
      (incoming) => {
        let text = '';
        incoming.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        incoming.once('error', reject).once('end', () => {
          const { statusCode = 0, headers } = incoming;
          resolve({ status: statusCode, headers, ...parsed(text) });
        });
      },
    );
    outgoing.once('error', reject).once('timeout', () => {
      outgoing.destroy(new Error('the endpoint does not answer'));
    });
    outgoing.end(body);
  });
}
