/** What the status says of certificates: who signs them, and which of them come near their end. Pure. */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { Reason } from '../api/conditions.ts';
import { reasons } from '../api/conditions.ts';
import type { NodeView } from '../api/node-view.ts';

export type CertificatesStatus = NonNullable<NonNullable<PhotonCluster['status']>['certificates']>;

/** The authorities of a cluster, as its Secret has them. */
export interface AuthorityFacts {
  readonly phase: 'Stable' | 'Distributing' | 'Renewing';
  /** What a replacement waits for. */
  readonly message?: string;
  readonly rotation?: string;
  readonly authorities: readonly {
    readonly hash: string;
    readonly use: 'Signing' | 'Trusted';
    /** When it expires, in RFC 3339. */
    readonly notAfter: string;
    /** Until then; negative afterwards. */
    readonly leftMs: number;
  }[];
}

/** An authority that expires sooner has to be replaced by the user. */
const authorityWarningMs = 90 * 86_400_000;

/** Nodes renew at half of the lifetime: at this share of it they have failed for a long time. */
const expiringShare = 0.25;

const messageLengthMax = 1024;

function earliestExpiry(nodes: readonly NodeView[]): string | undefined {
  const certificates = nodes.flatMap(({ report }) => report?.certificate ?? []);
  return certificates.toSorted((a, b) => a.leftMs - b.leftMs)[0]?.notAfter;
}

/** Without facts the Secret cannot be read: what was known of it stays. */
export function certificatesStatus(
  facts: AuthorityFacts | undefined,
  nodes: readonly NodeView[],
  before: CertificatesStatus | undefined,
): CertificatesStatus | undefined {
  const first = earliestExpiry(nodes);
  const expiry = first === undefined ? {} : { earliestExpiry: first };
  if (facts === undefined) {
    if (before === undefined) return undefined;
    const { earliestExpiry: _, ...rest } = before;
    return { ...rest, ...expiry };
  }
  const { phase, message, rotation, authorities } = facts;
  return {
    phase,
    ...(message === undefined ? {} : { message: message.slice(0, messageLengthMax) }),
    authorities: authorities.map(({ hash, use, notAfter }) => ({ hash, use, notAfter })),
    ...(rotation === undefined ? {} : { rotation }),
    ...expiry,
  };
}

interface Verdict {
  readonly status: 'True' | 'False';
  readonly reason: Reason;
  readonly message: string;
}

function expiring({ name, report }: NodeView): string | undefined {
  const { certificate } = report ?? {};
  if (certificate === undefined) return undefined;
  const { notAfter, lifetimeMs, leftMs, message } = certificate;
  if (leftMs > lifetimeMs * expiringShare) return undefined;
  const end = leftMs > 0 ? 'expires at' : 'has expired at';
  const why = message === undefined ? '' : `: ${message}`;
  return `the certificate of ${name} ${end} ${notAfter} and is not renewed${why}`;
}

export function certificatesVerdict(
  facts: AuthorityFacts | undefined,
  nodes: readonly NodeView[],
): Verdict {
  const expired = nodes.flatMap((node) => expiring(node) ?? []);
  if (expired.length > 0) {
    return { status: 'True', reason: reasons.certificateExpiring, message: expired.join('; ') };
  }
  const ending = facts?.authorities.find(
    ({ use, leftMs }) => use === 'Signing' && leftMs < authorityWarningMs,
  );
  if (ending !== undefined) {
    const message = `the certificate authority expires at ${ending.notAfter}: replace it by the annotation photondb.io/rotate-authority`;
    return { status: 'True', reason: reasons.authorityExpiring, message };
  }
  const count = nodes.filter(({ report }) => report?.certificate !== undefined).length;
  const first = earliestExpiry(nodes);
  const message =
    first === undefined
      ? 'no node reports a certificate'
      : `${count} certificates are valid; the first expires at ${first}, unless it is renewed`;
  return { status: 'False', reason: reasons.certificatesValid, message };
}
