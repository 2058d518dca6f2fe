/** Signing requests as nodes make them, and as they should not be. */
import { createPrivateKey, webcrypto } from 'node:crypto';
import type { Extension } from '@peculiar/x509';
import {
  BasicConstraintsExtension,
  ChallengePasswordAttribute,
  Pkcs10CertificateRequestGenerator,
  PublicKey,
  SubjectAlternativeNameExtension,
} from '@peculiar/x509';
import type { Authority, AuthorityPair, Validity } from '../authority.ts';
import { keyAlgorithm } from '../authority.ts';
import type { NodeIdentity } from '../node-identity.ts';
import { formatIdentity } from '../node-identity.ts';

export const someIdentity: NodeIdentity = {
  clusterId: '11111111-2222-4333-8444-555555555555',
  nodeId: 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee',
};

interface Wish {
  readonly algorithm?: webcrypto.EcKeyGenParams | webcrypto.RsaHashedKeyGenParams;
  readonly subject?: string;
  readonly extensions?: readonly Extension[];
  readonly hasPassword?: boolean;
}

type NameKind = 'url' | 'dns' | 'ip' | 'email';

export const named = (...names: readonly (readonly [NameKind, string])[]): Extension =>
  new SubjectAlternativeNameExtension(names.map(([type, value]) => ({ type, value })));

export const asAuthority = (): Extension => new BasicConstraintsExtension(true, 1, true);

export async function requestWith({
  algorithm = keyAlgorithm,
  subject,
  extensions = [named(['url', formatIdentity(someIdentity)])],
  hasPassword = false,
}: Wish = {}): Promise<string> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await Pkcs10CertificateRequestGenerator.create({
    ...(subject === undefined ? {} : { name: subject }),
    keys,
    signingAlgorithm: { ...algorithm, hash: 'SHA-256' },
    extensions: [...extensions],
    attributes: hasPassword ? [new ChallengePasswordAttribute('secret')] : [],
  });
  return request.toString('pem');
}

export const requestFor = (identity: NodeIdentity): Promise<string> =>
  requestWith({ extensions: [named(['url', formatIdentity(identity)])] });

/** A key and a certificate as a node has them. */
export async function nodeCredentials(
  authority: Authority,
  identity: NodeIdentity,
  validity: Validity,
): Promise<AuthorityPair> {
  const keys = await webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
  const publicKey = await PublicKey.create(keys.publicKey);
  const certificate = await authority.issueForNode(
    publicKey,
    { identity, roles: ['data'] },
    validity,
  );
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return {
    certificate,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}
