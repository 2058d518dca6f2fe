/**
 * Edge: the admin API of a node (docs/reference/admin-api.json), by mutual TLS. Guarded invariants: nothing is sent
 * before the node has proven the identity that it is asked as; every request ends in time, and no answer is
 * longer than the bound.
 */
import { request } from 'node:https';
import type { PeerCertificate } from 'node:tls';

/** A node, and where its admin API is. */
export interface AdminTarget {
  readonly host: string;
  readonly port: number;
  /** The subject alternative name of its certificate. */
  readonly identity: string;
}

/** PEM. */
export interface AdminCredentials {
  readonly privateKey: string;
  readonly certificate: string;
  /** All that are trusted. */
  readonly authorities: string;
}

export interface AdminRequest {
  readonly method: 'GET' | 'PUT' | 'POST';
  /** Behind `/admin/v1`. */
  readonly path: string;
  readonly body?: object;
}

/** The node was not reached, did not prove its identity, or refused. */
export class AdminApiError extends Error {
  override readonly name = 'AdminApiError';
  /** Of a refusal: the code that the node gives. */
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

/** A node may answer a drain when its running queries have ended, which it bounds by 10 s. */
const timeoutMs = 15_000;
const answerBytesMax = 1_048_576;
const basePath = '/admin/v1';

/** Undefined when the certificate is that of the node; the authority has been verified before. */
function identityFault(
  { subjectaltname = '' }: PeerCertificate,
  wanted: string,
): Error | undefined {
  if (subjectaltname === `URI:${wanted}`) return undefined;
  return new Error(`the certificate is of "${subjectaltname}", and not of ${wanted}`);
}

export function askNode(
  target: AdminTarget,
  { privateKey, certificate, authorities }: AdminCredentials,
  { method, path, body }: AdminRequest,
  signal: AbortSignal,
): Promise<unknown> {
  const { host, port, identity } = target;
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const fail = ({ message }: Error): void =>
    reject(new AdminApiError(`the admin API at ${host}:${port} cannot be reached: ${message}`));
  const asked = request(
    {
      host,
      port,
      method,
      path: `${basePath}${path}`,
      agent: false,
      key: privateKey,
      cert: certificate,
      ca: authorities,
      minVersion: 'TLSv1.3',
      // Nodes have identities in place of names.
      servername: '',
      checkServerIdentity: (_name, shown) => identityFault(shown, identity),
      headers: { 'content-type': 'application/json' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    },
    (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > answerBytesMax) response.destroy(new Error('the answer is too long'));
        else chunks.push(chunk);
      });
      response.on('error', fail);
      response.on('end', () => {
        try {
          resolve(answerIn(response.statusCode ?? 0, Buffer.concat(chunks).toString()));
        } catch (error) {
          reject(error);
        }
      });
    },
  );
  asked.on('error', fail);
  asked.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}

function answerIn(status: number, text: string): unknown {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new AdminApiError(`the admin API answers ${status} with no JSON`);
  }
  if (status === 200) return answer;
  const { code, message } = (answer ?? {}) as Record<string, unknown>;
  throw new AdminApiError(
    `the node refuses: ${typeof message === 'string' ? message : `status ${status}`}`,
    typeof code === 'string' ? code : undefined,
  );
}
