/**
 * The authorities of one cluster, as its Secret keeps them: the one that signs, the one that takes
 * its place, and those that are only trusted until no certificate rests on them.
 */
import type { AuthorityPair } from './authority.ts';
import { authorityFault, authorityHash } from './authority.ts';

export interface AuthoritySet {
  readonly signing: {
    readonly certificate: string;
    /** Absent when it was lost: nothing is signed until the next authority takes over. */
    readonly privateKey?: string;
  };
  /** Trusted before it signs. */
  readonly next?: AuthorityPair;
  /** Certificates of authorities that are trusted, and do not sign any more. */
  readonly former: readonly string[];
  /** The value of the annotation that was carried out last. */
  readonly rotation?: string;
}

export const rotationAnnotation = 'photondb.io/rotate-authority';

/** The keys of the Secret. */
const keys = Object.freeze({
  signingCertificate: 'signing.crt',
  signingKey: 'signing.key',
  nextCertificate: 'next.crt',
  nextKey: 'next.key',
  former: 'former.crt',
});

export interface StoredSecret {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  /** In base64. */
  readonly data?: Readonly<Record<string, string>>;
}

/** The certificates of a bundle, in their order. */
export function certificatesIn(bundle: string): readonly string[] {
  const found = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return found.map((text) => `${text}\n`);
}

export type StoredAuthority =
  | { readonly type: 'set'; readonly set: AuthoritySet }
  /** What is wrong with the Secret; it never quotes a key. */
  | { readonly type: 'fault'; readonly fault: string };

export function readAuthoritySet({ metadata, data = {} }: StoredSecret): StoredAuthority {
  const text = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString('utf8');
  const [certificate] = certificatesIn(text(keys.signingCertificate));
  if (certificate === undefined) {
    return { type: 'fault', fault: `it has no certificate under ${keys.signingCertificate}` };
  }
  const privateKey = text(keys.signingKey);
  const [nextCertificate] = certificatesIn(text(keys.nextCertificate));
  const next =
    nextCertificate === undefined
      ? undefined
      : { certificate: nextCertificate, privateKey: text(keys.nextKey) };
  const former = certificatesIn(text(keys.former));
  const pairs = [
    ...(privateKey === '' ? [] : [{ certificate, privateKey }]),
    ...(next === undefined ? [] : [next]),
  ];
  const fault = pairs.map(authorityFault).find((words) => words !== undefined);
  if (fault !== undefined) return { type: 'fault', fault };
  if (pairs.length === 0) {
    return { type: 'fault', fault: `it has no private key under ${keys.signingKey}` };
  }
  const rotation = metadata.annotations?.[rotationAnnotation];
  return {
    type: 'set',
    set: {
      signing: { certificate, ...(privateKey === '' ? {} : { privateKey }) },
      ...(next === undefined ? {} : { next }),
      former,
      ...(rotation === undefined ? {} : { rotation }),
    },
  };
}

/** What the Secret is to hold; null takes a key away. */
export function secretContents({ signing, next, former, rotation }: AuthoritySet): {
  readonly annotations: Readonly<Record<string, string | null>>;
  readonly data: Readonly<Record<string, string | null>>;
} {
  const value = (text: string | undefined): string | null =>
    text === undefined || text === '' ? null : Buffer.from(text).toString('base64');
  return {
    annotations: { [rotationAnnotation]: rotation ?? null },
    data: {
      [keys.signingCertificate]: value(signing.certificate),
      [keys.signingKey]: value(signing.privateKey),
      [keys.nextCertificate]: value(next?.certificate),
      [keys.nextKey]: value(next?.privateKey),
      [keys.former]: value(former.join('')),
    },
  };
}

/** Every certificate that nodes trust, the one that signs first. */
export function trustedCertificates({ signing, next, former }: AuthoritySet): readonly string[] {
  return [signing.certificate, ...(next === undefined ? [] : [next.certificate]), ...former];
}

export function trustedHashes(set: AuthoritySet): readonly string[] {
  return trustedCertificates(set).map(authorityHash);
}
