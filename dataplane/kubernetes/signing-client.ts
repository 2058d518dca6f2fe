import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { CertificateUnavailableError } from './errors.ts';

/**
 * Asks the operator for a certificate. The token is sent only to a server that presents a certificate of
 * an authority which this node may trust, under the name of this cluster.
 */
export interface SigningClientOptions {
  /** Holds what the operator mounts; read again at each request, since all of it may change. */
  readonly directory: string;
  /** Authorities that the node may trust, PEM. */
  readonly authorities: readonly string[];
  /** PKCS #10, PEM. */
  readonly request: string;
  readonly signal: AbortSignal;
}

const timeoutMs = 15_000;
/** A certificate with all authorities has a few thousand. */
const answerCharactersMax = 65_536;
const refusalCharactersMax = 500;

/** The certificates of a bundle, in their order. */
export function certificatesIn(bundle: string): readonly string[] {
  const found = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return found.map((text) => `${text}\n`);
}

async function mounted(directory: string, file: string): Promise<string> {
  try {
    return (await readFile(`${directory}/${file}`, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new CertificateUnavailableError(
      'not_mounted',
      `The operator has not mounted ${file} yet, which this node needs to ask for a certificate.`,
    );
  }
}

interface Answer {
  readonly certificate?: unknown;
  readonly error?: { readonly code?: unknown; readonly message?: unknown };
}

function parsed(text: string): Answer {
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === 'object' && answer !== null ? answer : {};
  } catch {
    return {};
  }
}

function refusalOf(status: number, { error }: Answer): CertificateUnavailableError {
  const { code, message } = error ?? {};
  const words = typeof message === 'string' ? message.slice(0, refusalCharactersMax) : '';
  return new CertificateUnavailableError(
    typeof code === 'string' ? code : 'refused',
    `The operator refuses a certificate (${status}): ${words || 'it does not say why'}.`,
  );
}

/** The certificate, PEM. */
export async function requestCertificate(options: SigningClientOptions): Promise<string> {
  const { directory, authorities, signal } = options;
  const [endpoint = '', servername = '', token = ''] = await Promise.all(
    ['certificate-endpoint', 'certificate-server-name', 'certificate-token'].map((file) =>
      mounted(directory, file),
    ),
  );
  const agent = new Agent({
    connect: { ca: [...authorities], servername, timeout: timeoutMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: answerCharactersMax,
  });
  try {
    const { statusCode, body } = await request(`${endpoint}/v1/certificates`, {
      dispatcher: agent,
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ request: options.request }),
      signal,
    });
    const answer = parsed(await body.text());
    if (statusCode !== 200) throw refusalOf(statusCode, answer);
    if (typeof answer.certificate === 'string') return answer.certificate;
    throw new CertificateUnavailableError(
      'malformed',
      'The operator answers without a certificate.',
    );
  } catch (error) {
    if (error instanceof CertificateUnavailableError || signal.aborted) throw error;
    throw new CertificateUnavailableError(
      'unreachable',
      `The operator cannot be reached at ${endpoint}: ${(error as Error).message}.`,
      { cause: error },
    );
  } finally {
    await agent.destroy();
  }
}
