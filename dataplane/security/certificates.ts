import {
  createHash,
  createPublicKey,
  webcrypto,
  X509Certificate as NodeCertificate,
} from 'node:crypto';
// @peculiar/x509 finds its parts through a container that needs this first.
import 'reflect-metadata';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { CertificateRefusedError, RequestRefusedError } from './errors.ts';
import { formatAdmin, formatIdentity, parseAdmin, parseIdentity } from './node-identity.ts';
import type { AdminIdentity, NodeIdentity } from './node-identity.ts';

/**
 * Certificates of nodes: X.509, ECDSA P-256, one identity in each. A node makes its key and sends a request
 * (PKCS #10); the private key never leaves it. Guarded invariant: what is signed names the identity that
 * the authority was given, never one that the request asks for.
 */
cryptoProvider.set(webcrypto);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** Clocks of two nodes may differ: a certificate is valid a little before it is made. */
export const clockSkewMs = 5 * 60_000;
/** Of a PEM text, before it is parsed. */
export const pemCharactersMax = 16_384;

export interface KeyAndRequest {
  /** PKCS #8, PEM. */
  readonly privateKey: string;
  /** PKCS #10, PEM. */
  readonly request: string;
}

export interface AuthorityFiles {
  /** PKCS #8, PEM. */
  readonly privateKey: string;
  readonly certificate: string;
}

const pem = (label: string, der: ArrayBuffer): string => {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
};

const exportKey = async (key: webcrypto.CryptoKey): Promise<string> =>
  pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', key));

const derOf = (text: string): Buffer<ArrayBuffer> =>
  Buffer.from(text.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');

const importKey = (text: string): Promise<webcrypto.CryptoKey> =>
  webcrypto.subtle.importKey('pkcs8', derOf(text), algorithm, false, ['sign']);

async function importPair(text: string): Promise<webcrypto.CryptoKeyPair> {
  const spki = Buffer.from(createPublicKey(text).export({ type: 'spki', format: 'der' }));
  const [publicKey, privateKey] = await Promise.all([
    webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']),
    webcrypto.subtle.importKey('pkcs8', derOf(text), algorithm, true, ['sign']),
  ]);
  return { publicKey, privateKey };
}

const randomSerial = (): string => {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  // Positive, and never shorter than it looks.
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(bytes).toString('hex');
};

export interface RequestOptions {
  /** PKCS #8, PEM: of a key that is there. */
  readonly privateKey?: string;
  /** To be named in the request, which an authority in Kubernetes wants. */
  readonly identity?: NodeIdentity;
}

/** A request for a certificate, with a new key or with one that is there. */
export async function createRequest({
  privateKey,
  identity,
}: RequestOptions = {}): Promise<KeyAndRequest> {
  const keys = await (privateKey === undefined
    ? webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    : importPair(privateKey));
  const request = await Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: algorithm,
    extensions:
      identity === undefined
        ? []
        : [new SubjectAlternativeNameExtension([{ type: 'url', value: formatIdentity(identity) }])],
  });
  return { privateKey: await exportKey(keys.privateKey), request: request.toString('pem') };
}

/** A new authority of a cluster, valid for `lifetimeMs` from `now` (milliseconds since 1970). */
export async function createAuthority(
  clusterId: string,
  now: number,
  lifetimeMs: number,
): Promise<AuthorityFiles> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name: [{ O: ['PhotonDB'], CN: [`photondb ${clusterId}`] }],
    notBefore: new Date(now - clockSkewMs),
    notAfter: new Date(now + lifetimeMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      // Tells two authorities of one cluster apart: they have the same name while one replaces the other.
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { privateKey: await exportKey(keys.privateKey), certificate: certificate.toString('pem') };
}

/** What a joining node pins: `sha256:` and the hash of the authority's public key, as kubeadm has it. */
export const authorityHash = (certificate: string): string => `sha256:${keyHashOf(certificate)}`;

async function readRequest(text: string): Promise<Pkcs10CertificateRequest> {
  if (text.length > pemCharactersMax) {
    throw new RequestRefusedError(
      `The certificate request has ${text.length} characters; at most ${pemCharactersMax} are read.`,
    );
  }
  try {
    const request = new Pkcs10CertificateRequest(text);
    const key = request.publicKey.algorithm as { name: string; namedCurve?: string };
    const isSound = key.name === algorithm.name && key.namedCurve === algorithm.namedCurve;
    if (isSound && (await request.verify())) return request;
  } catch (error) {
    throw new RequestRefusedError('The certificate request cannot be read.', { cause: error });
  }
  throw new RequestRefusedError(
    'The certificate request is not signed by its own key, or the key is not ECDSA P-256.',
  );
}

interface Validity {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly lifetimeMs: number;
}

export interface Issue extends Validity {
  readonly identity: NodeIdentity;
  /** What the node may do in the cluster; none in certificates of earlier releases. */
  readonly roles?: readonly string[];
}

/** Signs a request for `identity`, whatever else the request asks for; PEM. */
export const issueCertificate = (
  authority: AuthorityFiles,
  request: string,
  { identity, roles = [], ...validity }: Issue,
): Promise<string> =>
  issue(authority, request, {
    ...validity,
    commonName: identity.nodeId,
    units: roles,
    uri: formatIdentity(identity),
    usages: [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth],
  });

/** Signs a request for an administrator of the cluster, who is a client of the admin API; PEM. */
export const issueAdminCertificate = (
  authority: AuthorityFiles,
  request: string,
  { identity, ...validity }: Validity & { readonly identity: AdminIdentity },
): Promise<string> =>
  issue(authority, request, {
    ...validity,
    commonName: identity.admin,
    units: [],
    uri: formatAdmin(identity),
    usages: [ExtendedKeyUsage.clientAuth],
  });

interface Names extends Validity {
  readonly commonName: string;
  /** Organizational units of the subject: the roles of a node, as Kubernetes has groups in the organization. */
  readonly units: readonly string[];
  readonly uri: string;
  readonly usages: readonly ExtendedKeyUsage[];
}

async function issue(
  authority: AuthorityFiles,
  requestText: string,
  { commonName, units, uri, usages, now, lifetimeMs }: Names,
): Promise<string> {
  const request = await readRequest(requestText);
  const issuer = new X509Certificate(authority.certificate);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: [{ O: ['PhotonDB'] }, ...units.map((unit) => ({ OU: [unit] })), { CN: [commonName] }],
    issuer: issuer.subject,
    notBefore: new Date(now - clockSkewMs),
    // No certificate outlives the one that proves it.
    notAfter: new Date(Math.min(now + lifetimeMs, issuer.notAfter.getTime())),
    signingAlgorithm: algorithm,
    publicKey: request.publicKey,
    signingKey: await importKey(authority.privateKey),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      new ExtendedKeyUsageExtension([...usages]),
      new SubjectAlternativeNameExtension([{ type: 'url', value: uri }], true),
    ],
  });
  return certificate.toString('pem');
}

export interface VerifiedCertificate {
  readonly identity: NodeIdentity;
  /** Undefined in a certificate of an earlier release, which names none. */
  readonly roles: readonly string[] | undefined;
  readonly notBefore: number;
  readonly notAfter: number;
}

/**
 * The identity that a certificate proves at `now` to a party that trusts `authorities` (several while one
 * replaces another). Throws with the reason when it proves none.
 */
export async function verifyCertificate(
  text: string,
  authorities: readonly string[],
  now: number,
): Promise<VerifiedCertificate> {
  const certificate = await trusted(text, authorities, now);
  return {
    identity: identityOf(certificate),
    roles: rolesOf(certificate),
    ...validityOf(certificate),
  };
}

/** The administrator that a certificate proves. */
export async function verifyAdminCertificate(
  text: string,
  authorities: readonly string[],
  now: number,
): Promise<AdminIdentity> {
  const admin = parseAdmin(uriOf(await trusted(text, authorities, now)) ?? '');
  if (admin !== undefined) return admin;
  throw new CertificateRefusedError(
    'The certificate names no administrator: its subject alternative name is not one photondb://CLUSTER/admin/NAME URI.',
  );
}

/** The roles that a certificate of this node itself names; nothing of it is verified. */
export const rolesOfText = (text: string): readonly string[] | undefined =>
  rolesOf(readCertificate(text));

function rolesOf({ subjectName }: X509Certificate): readonly string[] | undefined {
  const units = subjectName.getField('OU');
  return units.length === 0 ? undefined : units;
}

/** When a certificate is valid; nothing else of it is verified. */
export const validityOfText = (text: string): { notBefore: number; notAfter: number } =>
  validityOf(readCertificate(text));

const validityOf = ({ notBefore, notAfter }: X509Certificate) => ({
  notBefore: notBefore.getTime(),
  notAfter: notAfter.getTime(),
});

/** The hash of the public key that a certificate certifies. */
export const keyHashOf = (certificate: string): string =>
  createHash('sha256')
    .update(Buffer.from(readCertificate(certificate).publicKey.rawData))
    .digest('hex');

async function trusted(
  text: string,
  authorities: readonly string[],
  now: number,
): Promise<X509Certificate> {
  const certificate = readCertificate(text);
  const { notBefore, notAfter } = validityOf(certificate);
  if (now < notBefore || now > notAfter) {
    throw new CertificateRefusedError(
      `The certificate is valid from ${certificate.notBefore.toISOString()} to ${certificate.notAfter.toISOString()}, and now is ${new Date(now).toISOString()}. Renew it, or set the clock right.`,
    );
  }
  if (await isSignedByOne(certificate, authorities, now)) return certificate;
  throw new CertificateRefusedError(
    'The certificate is not signed by an authority of this cluster. The node belongs to another cluster, or the authority was replaced while it was away.',
  );
}

/** The one of `authorities` (PEM) that signed a certificate; undefined when none of them did. */
export function authorityOf(text: string, authorities: readonly string[]): string | undefined {
  const certificate = new NodeCertificate(text);
  return authorities.find((authority) => {
    const issuer = new NodeCertificate(authority);
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  });
}

function readCertificate(text: string): X509Certificate {
  if (text.length <= pemCharactersMax) {
    try {
      return new X509Certificate(text);
    } catch (error) {
      throw new CertificateRefusedError('The certificate cannot be read.', { cause: error });
    }
  }
  throw new CertificateRefusedError(`A certificate has at most ${pemCharactersMax} characters.`);
}

async function isSignedByOne(
  certificate: X509Certificate,
  authorities: readonly string[],
  now: number,
): Promise<boolean> {
  for (const text of authorities) {
    const authority = new X509Certificate(text);
    const isValid = now <= authority.notAfter.getTime();
    const isIssuer = certificate.issuer === authority.subject;
    if (!isValid || !isIssuer) continue;
    if (await certificate.verify({ publicKey: authority.publicKey, signatureOnly: true })) {
      return true;
    }
  }
  return false;
}

function uriOf(certificate: X509Certificate): string | undefined {
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.items ?? [];
  const [name] = names;
  return names.length === 1 && name?.type === 'url' ? name.value : undefined;
}

function identityOf(certificate: X509Certificate): NodeIdentity {
  const identity = parseIdentity(uriOf(certificate) ?? '');
  if (identity !== undefined) return identity;
  throw new CertificateRefusedError(
    'The certificate names no node: its subject alternative name is not one photondb:// URI.',
  );
}
