import { createRequest, issueCertificate } from '../../security/certificates.ts';
import type { AuthorityFiles } from '../../security/certificates.ts';
import type { Peer } from '../session.ts';
import type { Credentials } from '../tls-transport.ts';

export const day = 86_400_000;

/** Of a node that `authority` has certified from now on, for `lifetimeMs`; it trusts that authority alone. */
export async function credentialsOf(
  authority: AuthorityFiles,
  identity: Peer,
  lifetimeMs = day,
): Promise<Credentials> {
  const { privateKey, request } = await createRequest();
  const issue = { identity, now: Date.now(), lifetimeMs };
  const certificate = await issueCertificate(authority, request, issue);
  return { privateKey, certificate, authorities: [authority.certificate] };
}
