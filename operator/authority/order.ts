import { createPublicKey, verify } from 'node:crypto';

/**
 * What an administrator orders about one node, as the nodes of a cluster verify it: signed by the authority of the
 * cluster. The format is a contract with the data plane. Pure.
 */
export const orderTypes = Object.freeze(['remove', 'quarantine', 'release'] as const);
/** PEM, each of one authority. */
export interface Signers {
  readonly signing: string;
  readonly trusted: readonly string[];
}

export type OrderType = (typeof orderTypes)[number];

export interface Order {
  readonly type: OrderType;
  readonly clusterId: string;
  readonly nodeId: string;
  /** Milliseconds since 1970; of two orders about a node the later one stands. */
  readonly at: number;
  /** For people. */
  readonly reason: string;
}

export interface SignedOrder extends Order {
  /** ECDSA with SHA-256, base64. */
  readonly signature: string;
}

const format = 1;
const reasonCharactersMax = 256;
const fallbackReason = 'no reason was given';

/** As long as nodes take it. */
export function reasonOf(text: string | undefined): string {
  const trimmed = (text ?? '').trim().slice(0, reasonCharactersMax);
  return trimmed === '' ? fallbackReason : trimmed;
}

export const signedText = ({ type, clusterId, nodeId, at, reason }: Order): string =>
  `photondb order ${format}\n${JSON.stringify([type, clusterId, nodeId, at, reason])}`;

const isSignedBy = (order: SignedOrder, certificate: string): boolean =>
  verify(
    'sha256',
    Buffer.from(signedText(order)),
    createPublicKey(certificate),
    Buffer.from(order.signature, 'base64'),
  );

/**
 * Orders of a former authority as the present one is to sign them: nodes that join later do not trust the former one.
 * What no trusted authority has signed is left out, whatever a member says. The later one of two orders stands.
 */
export const toSignAgain = (
  orders: readonly SignedOrder[],
  { signing, trusted }: Signers,
): readonly Omit<Order, 'clusterId'>[] =>
  orders
    .filter((order) => !isSignedBy(order, signing))
    .filter((order) => trusted.some((certificate) => isSignedBy(order, certificate)))
    .map(({ type, nodeId, at, reason }) => ({ type, nodeId, at: at + 1, reason }));
