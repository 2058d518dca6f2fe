/**
 * The certificate authority of a cluster: X.509, ECDSA P-256. It signs certificates of nodes, each
 * with one identity, and the one that the signing endpoint itself shows. Guarded invariant: what is
 * signed names the identity that the caller has proven, never one that a request asks for.
 */
import { createHash, createPrivateKey, createPublicKey, sign, webcrypto } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
// @peculiar/x509 finds its parts through a container that needs this first.
import 'reflect-metadata';
import type { Extension, PublicKey } from '@peculiar/x509';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { AdminIdentity, NodeIdentity } from './node-identity.ts';
import { formatAdmin, formatIdentity } from './node-identity.ts';
import type { Order, SignedOrder } from './order.ts';
import { signedText } from './order.ts';

cryptoProvider.set(webcrypto);

export const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Clocks may differ: a certificate is valid a little before it is made. */
const clockSkewMs = 5 * 60_000;

export interface AuthorityPair {
  /** PEM. */
  readonly certificate: string;
  /** PKCS #8, PEM. */
  readonly privateKey: string;
}

/** A time of validity, in milliseconds since 1970. */
export interface Validity {
  readonly now: number;
  readonly lifetimeMs: number;
}

/** Ends with a line end, so that texts can be put together to a bundle. */
function pem(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function randomSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  // Positive, and never shorter than it looks.
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', key));
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);

/** A new authority. Its name differs from that of every other: two of them may be trusted at once. */
export async function createAuthority({ now, lifetimeMs }: Validity): Promise<AuthorityPair> {
  const keys = await newKeys();
  const serialNumber = randomSerial();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber,
    name: [{ O: ['PhotonDB'], CN: [`photondb authority ${serialNumber.slice(0, 16)}`] }],
    notBefore: new Date(now - clockSkewMs),
    notAfter: new Date(now + lifetimeMs),
    signingAlgorithm: keyAlgorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    certificate: pem('CERTIFICATE', certificate.rawData),
    privateKey: await exportKey(keys.privateKey),
  };
}

/** What a node pins: `sha256:` and the hash of the public key. */
export function authorityHash(certificate: string): string {
  const key = createPublicKey(certificate).export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

export function expiryOf(certificate: string): number {
  return new X509Certificate(certificate).notAfter.getTime();
}

/** Why a pair is no authority; undefined when it is one. */
export function authorityFault({ certificate, privateKey }: AuthorityPair): string | undefined {
  try {
    const known = new X509Certificate(certificate);
    if (known.getExtension(BasicConstraintsExtension)?.ca !== true) {
      return 'the certificate is not one of an authority';
    }
    const own = createPublicKey(createPrivateKey(privateKey)).export({
      type: 'spki',
      format: 'der',
    });
    const isPair = own.equals(Buffer.from(known.publicKey.rawData));
    return isPair ? undefined : 'the key does not belong to the certificate';
  } catch {
    // The error may quote the key.
    return 'the certificate or the key cannot be read';
  }
}

interface Subject {
  readonly name: string;
  readonly units?: readonly string[];
  readonly publicKey: PublicKey | webcrypto.CryptoKey;
  readonly extensions: readonly Extension[];
}

export class Authority {
  readonly certificate: string;
  readonly hash: string;
  readonly #issuer: X509Certificate;
  readonly #key: webcrypto.CryptoKey;
  /** The same, for signatures as nodes verify them. */
  readonly #keyObject: KeyObject;

  private constructor(certificate: string, key: webcrypto.CryptoKey, keyObject: KeyObject) {
    this.#keyObject = keyObject;
    this.certificate = certificate;
    this.hash = authorityHash(certificate);
    this.#issuer = new X509Certificate(certificate);
    this.#key = key;
  }

  static async open({ certificate, privateKey }: AuthorityPair): Promise<Authority> {
    const keyObject = createPrivateKey(privateKey);
    const der = keyObject.export({ type: 'pkcs8', format: 'der' });
    const key = await webcrypto.subtle.importKey('pkcs8', der, keyAlgorithm, false, ['sign']);
    return new Authority(certificate, key, keyObject);
  }

  /** For a node with this identity and these roles, which are organizational units of its subject; PEM. */
  async issueForNode(
    publicKey: PublicKey,
    { identity, roles }: { readonly identity: NodeIdentity; readonly roles: readonly string[] },
    validity: Validity,
  ): Promise<string> {
    const certificate = await this.#sign(
      {
        name: identity.nodeId,
        units: roles,
        publicKey,
        extensions: [
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
          new SubjectAlternativeNameExtension(
            [{ type: 'url', value: formatIdentity(identity) }],
            true,
          ),
        ],
      },
      validity,
    );
    return pem('CERTIFICATE', certificate.rawData);
  }

  signOrder(order: Order): SignedOrder {
    const signature = sign('sha256', Buffer.from(signedText(order)), this.#keyObject);
    return { ...order, signature: signature.toString('base64') };
  }

  /** A key and a certificate for a client of the admin API of the nodes of a cluster. */
  async issueForAdmin(admin: AdminIdentity, validity: Validity): Promise<AuthorityPair> {
    const keys = await newKeys();
    const uri = formatAdmin(admin);
    const certificate = await this.#sign(
      {
        name: admin.name,
        publicKey: keys.publicKey,
        extensions: [
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth]),
          new SubjectAlternativeNameExtension([{ type: 'url', value: uri }], true),
        ],
      },
      validity,
    );
    const privateKey = await exportKey(keys.privateKey);
    return { certificate: pem('CERTIFICATE', certificate.rawData), privateKey };
  }

  /** A key and a certificate for a server of this name; nodes do not take it for one of theirs. */
  async issueForServer(serverName: string, validity: Validity): Promise<AuthorityPair> {
    const keys = await newKeys();
    const certificate = await this.#sign(
      {
        name: 'photondb signing endpoint',
        publicKey: keys.publicKey,
        extensions: [
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
          new SubjectAlternativeNameExtension([{ type: 'dns', value: serverName }]),
        ],
      },
      validity,
    );
    const privateKey = await exportKey(keys.privateKey);
    return { certificate: pem('CERTIFICATE', certificate.rawData), privateKey };
  }

  async #sign(
    { name, units = [], publicKey, extensions }: Subject,
    { now, lifetimeMs }: Validity,
  ): Promise<X509Certificate> {
    return X509CertificateGenerator.create({
      serialNumber: randomSerial(),
      subject: [{ O: ['PhotonDB'] }, ...units.map((unit) => ({ OU: [unit] })), { CN: [name] }],
      issuer: this.#issuer.subject,
      notBefore: new Date(now - clockSkewMs),
      // No certificate outlives the one that proves it.
      notAfter: new Date(Math.min(now + lifetimeMs, this.#issuer.notAfter.getTime())),
      signingAlgorithm: keyAlgorithm,
      publicKey,
      signingKey: this.#key,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        await AuthorityKeyIdentifierExtension.create(this.#issuer.publicKey),
        ...extensions,
      ],
    });
  }
}
