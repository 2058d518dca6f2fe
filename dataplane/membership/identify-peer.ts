import type { CertifiedPeer } from '../net/session.ts';
import { verifyCertificate } from '../security/certificates.ts';
import { NodeRemovedError } from './errors.ts';

interface Trust {
  /** PEM; those that are trusted now. */
  readonly authorities: readonly string[];
  readonly now: number;
  /** Why a node may never be a member again; undefined when it may. */
  readonly removalOf: (id: string) => string | undefined;
}

/** The identity and the roles that a certificate proves, unless it was revoked. */
export async function identifyPeer(
  certificate: string,
  { authorities, now, removalOf }: Trust,
): Promise<CertifiedPeer> {
  const { identity, roles } = await verifyCertificate(certificate, authorities, now);
  const removal = removalOf(identity.nodeId);
  if (removal !== undefined) throw new NodeRemovedError(removal);
  return { ...identity, roles };
}
