import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';

/**
 * Stands between a client and the API server and writes down what is asked for, in the words of RBAC,
 * and what was forbidden. The caller's own token is passed on: the API server decides as always.
 */
export interface Access {
  readonly verb: string;
  readonly group: string;
  /** With its subresource: `pods/eviction`. */
  readonly resource: string;
}

export interface RecordingProxy {
  readonly url: string;
  /** Every kind of access so far, as `verb group/resource`, sorted. */
  used(): string[];
  /** What the API server answered with 403, with its reason. */
  forbidden(): string[];
  close(): Promise<void>;
}

/** A refusal longer than this is cut: it is only shown. */
const reasonCharactersMax = 2_000;

const writes: Readonly<Record<string, string>> = {
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
};

function verbOf(method: string, named: boolean, watching: boolean): string | undefined {
  if (method === 'GET') return named ? 'get' : watching ? 'watch' : 'list';
  if (method === 'DELETE') return named ? 'delete' : 'deletecollection';
  return writes[method];
}

/** What RBAC would call a request; undefined for paths that are no resources (`/version`). */
export function accessOf(method: string, url: string): Access | undefined {
  const { pathname, searchParams } = new URL(url, 'http://api');
  const match =
    /^\/(?:api|apis\/(?<group>[^/]+))\/[^/]+\/(?:namespaces\/[^/]+\/)?(?<plural>[^/]+)(?:\/(?<name>[^/]+)(?:\/(?<subresource>.+))?)?$/.exec(
      pathname,
    );
  const { group = '', plural = '', name, subresource } = match?.groups ?? {};
  const watching = ['1', 'true'].includes(searchParams.get('watch') ?? '');
  const verb = verbOf(method, name !== undefined, watching);
  if (match === null || verb === undefined) return undefined;
  return { verb, group, resource: subresource === undefined ? plural : `${plural}/${subresource}` };
}

export const accessText = ({ verb, group, resource }: Access): string =>
  `${verb} ${group === '' ? 'core' : group}/${resource}`;

/** A server-side apply makes what is not there: the API server then asks for `create` as well. */
function needed(access: Access, contentType = ''): Access[] {
  const applies = contentType.startsWith('application/apply-patch');
  const whole = !access.resource.includes('/');
  return applies && whole ? [access, { ...access, verb: 'create' }] : [access];
}

export async function startRecordingProxy(server: string, ca: string): Promise<RecordingProxy> {
  const used = new Set<string>();
  const forbidden: string[] = [];
  const agent = new Agent({ ca, keepAlive: true });

  const onRefusal = (answer: IncomingMessage, what: string): void => {
    let text = '';
    answer.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(0, reasonCharactersMax);
    });
    answer.on('end', () => forbidden.push(`${what}: ${text}`));
  };

  const handle = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const { method = 'GET', url = '/' } = incoming;
    const access = accessOf(method, url);
    const what = access === undefined ? `${method} ${url}` : accessText(access);
    for (const each of access === undefined ? [] : needed(access, incoming.headers['content-type']))
      used.add(accessText(each));
    const headers = { ...incoming.headers, host: new URL(server).host };
    const call = request(new URL(url, server), { method, headers, agent }, (answer) => {
      if (answer.statusCode === 403) onRefusal(answer, what);
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.flushHeaders();
      answer.pipe(outgoing);
      answer.on('error', () => outgoing.destroy());
    });
    call.on('error', () => outgoing.destroy());
    outgoing.on('close', () => call.destroy());
    incoming.pipe(call);
  };

  const proxy = createServer(handle);
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    used: () => [...used].sort(),
    forbidden: () => [...forbidden],
    async close() {
      proxy.closeAllConnections();
      proxy.close();
      await once(proxy, 'close');
      agent.destroy();
    },
  };
}
