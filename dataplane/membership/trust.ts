import { sign, verify, X509Certificate } from 'node:crypto';
import { pemCharactersMax } from '../security/certificates.ts';
import { codec, list, text, uuid } from './messages.ts';

/**
 * Which authorities the nodes of a cluster trust, signed by the one that signs at present. Members pass it on in
 * their gossiped state, and each verifies it with what it trusts already: no member can add an authority.
 */
export interface Trust {
  readonly clusterId: string;
  /** Raised by each step of a replacement; a lower one is never taken back. */
  readonly version: number;
  /** PEM, the one that signs first. */
  readonly authorities: readonly string[];
}

interface SignedTrust extends Trust {
  /** By the key of an authority (ECDSA, SHA-256), base64. */
  readonly signature: string;
}

/** The one that signs, the one that takes its place, and those that it has replaced. */
export const authoritiesMax = 8;

export const trustVersion = {
  type: 'integer',
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
} as const;

const trustCodec = codec<SignedTrust>('trusted authorities', {
  clusterId: uuid,
  version: trustVersion,
  authorities: { ...list(text(pemCharactersMax), authoritiesMax), minItems: 1 },
  signature: text(256),
});

/** Nothing else that the key of an authority signs begins like this. */
const signedBytes = ({ clusterId, version, authorities }: Trust): Buffer =>
  Buffer.from(`photondb trust 1\n${JSON.stringify([clusterId, version, authorities])}`);

/** As text, for the gossiped state. `privateKey`: of the authority that signs, PEM. */
export function signTrust(trust: Trust, privateKey: string): string {
  const signature = sign('sha256', signedBytes(trust), privateKey).toString('base64');
  return Buffer.from(trustCodec.encode({ ...trust, signature })).toString();
}

/** Throws a MessageRefusedError when it cannot be read. */
export const readTrust = (said: string): SignedTrust => trustCodec.decode(Buffer.from(said));

/** `authorities`: PEM; those that are trusted now. */
export function isTrustSigned(trust: SignedTrust, authorities: readonly string[]): boolean {
  const signature = Buffer.from(trust.signature, 'base64');
  return authorities.some((authority) =>
    verify('sha256', signedBytes(trust), new X509Certificate(authority).publicKey, signature),
  );
}
