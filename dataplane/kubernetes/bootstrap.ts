import { backoffMs } from '../common/backoff.ts';
import type { Chance } from '../common/chance.ts';
import type { Clock } from '../common/clock.ts';
import { CertificateUnavailableError } from './errors.ts';
import type { OwnNode } from './own-node.ts';
import { requestCertificate } from './signing-client.ts';
import type { TrustSources } from './trust.ts';
import { trustedAuthorities } from './trust.ts';

/**
 * A certificate from the operator, for a node whose identity is on the medium. Guarded invariant: the
 * identity is reported before a certificate is asked for, since the operator signs nothing that the pod
 * has not reported itself.
 */
export interface BootstrapOptions {
  readonly node: Pick<OwnNode, 'read' | 'report'>;
  readonly directory: string;
  readonly hashOf: TrustSources['hashOf'];
  readonly identity: { readonly clusterId: string; readonly nodeId: string };
  /** PKCS #10, PEM, with the identity in it. */
  readonly request: string;
  /** Rejects a certificate that does not prove the identity. */
  readonly check: (signed: SignedCertificate) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface SignedCertificate {
  readonly certificate: string;
  /** Whom the node may trust, PEM; the one that signs is the first. */
  readonly authorities: readonly string[];
}

/** One attempt. */
export async function askForCertificate(options: BootstrapOptions): Promise<SignedCertificate> {
  const { node, directory, hashOf, request, signal } = options;
  const authorities = await trustedAuthorities({ directory, hashOf, read: () => node.read() });
  if (authorities.length === 0) {
    throw new CertificateUnavailableError(
      'no_authority',
      'The operator has not told this node yet which certificate authority it may trust.',
    );
  }
  const certificate = await requestCertificate({ directory, authorities, request, signal });
  const signed = { certificate, authorities };
  await options.check(signed);
  return signed;
}

export interface ObtainOptions extends BootstrapOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly chance: Pick<Chance, 'next'>;
  /** Says why there is no certificate yet, after each attempt. */
  readonly waiting: (message: string) => void;
}

/** The operator records a reported identity within a second or two. */
const retry = { initialMs: 500, maximumMs: 15_000 } as const;

/** Tries until there is a certificate; rejects when it is aborted. */
export async function obtainCertificate(options: ObtainOptions): Promise<SignedCertificate> {
  const { node, identity, clock, chance, waiting, signal } = options;
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      await node.report({ id: identity.nodeId, clusterId: identity.clusterId });
      return await askForCertificate(options);
    } catch (error) {
      signal.throwIfAborted();
      waiting((error as Error).message);
    }
    await clock.sleep(backoffMs(retry, attempt, chance.next()), signal);
  }
}
