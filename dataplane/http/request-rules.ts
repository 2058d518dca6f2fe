import type {
  IncomingMessage,
  OutgoingHttpHeaders,
  RequestListener,
  ServerResponse,
} from 'node:http';
import { isIP } from 'node:net';

/**
 * What holds for every request of both HTTP ports, whatever it asks for: it reads, it has no body, and
 * it names a host that this node is known by. Every answer tells browsers to keep it for themselves.
 */
export type HostNames =
  /** Whoever reaches the port may call it what he likes: a password guards it, or a network. */
  | 'any'
  /** Names beside `localhost` and addresses. */
  | readonly string[];

/** No page may frame an answer, run code from elsewhere, or keep a copy. */
const answerHeaders: OutgoingHttpHeaders = {
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

/** The name of a Host header, without port, brackets and the dot at its end; undefined for what is none. */
function nameIn(header: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::\d*)?$/i.exec(header) ?? [];
  return (bracketed ?? plain)?.toLowerCase().replace(/\.$/, '');
}

/**
 * A page from elsewhere can make a browser ask a name of its own that leads here (DNS rebinding), and
 * read the answer; it cannot do that with an address, nor with `localhost`.
 */
export function isHostAllowed(header: string | undefined, names: HostNames): boolean {
  // HTTP/1.0 may leave it out, and no browser speaks that.
  if (names === 'any' || header === undefined) return true;
  const name = nameIn(header);
  if (name === undefined) return false;
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true;
  return names.some((each) => each.toLowerCase() === name);
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0;

function refuse(
  response: ServerResponse,
  status: number,
  { error, ...headers }: { readonly error: string; readonly Allow?: string },
): void {
  const body = JSON.stringify({ error });
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', ...headers });
  response.end(body);
}

/** `answer` for requests that keep the rules. */
export function withRules(answer: RequestListener, hosts: HostNames): RequestListener {
  return (request, response) => {
    for (const [name, value] of Object.entries(answerHeaders))
      response.setHeader(name, value ?? '');
    const body = hasBody(request);
    // Nothing of it is read: what follows on the connection is no request.
    if (body) response.setHeader('Connection', 'close');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return refuse(response, 405, { error: 'only GET and HEAD', Allow: 'GET, HEAD' });
    }
    if (body) return refuse(response, 413, { error: 'a request has no body here' });
    if (!isHostAllowed(request.headers.host, hosts)) {
      const error = `this node does not answer as ${request.headers.host}: ask for its address or for localhost, or name that host with --web-hosts`;
      return refuse(response, 421, { error });
    }
    return answer(request, response);
  };
}
