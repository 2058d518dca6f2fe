import { createHash, sign, verify, X509Certificate } from 'node:crypto';
import { codec, list, text, uuid } from './messages.ts';

/**
 * What an administrator orders about one node, signed by the authority of the cluster. Members pass orders on, and
 * verify each of them: neither a member nor a relay can make, change or replay one to another end.
 */
const orderTypes = ['remove', 'quarantine', 'release'] as const;

export interface Order {
  /** `remove`: the node never comes back; its certificate is revoked. */
  readonly type: (typeof orderTypes)[number];
  readonly clusterId: string;
  readonly nodeId: string;
  /** Milliseconds since 1970; of two orders about a node the later one stands. */
  readonly at: number;
  /** For people. */
  readonly reason: string;
}

export interface SignedOrder extends Order {
  /** By the key of an authority of the cluster (ECDSA, SHA-256), base64. */
  readonly signature: string;
}

const format = 1;
const reasonCharactersMax = 256;
/** Nodes with orders. Orders are kept for good: a removed node may come back at any time. */
export const ordersMax = 1_024;

const signedBytes = ({ type, clusterId, nodeId, at, reason }: Order): Buffer =>
  Buffer.from(`photondb order ${format}\n${JSON.stringify([type, clusterId, nodeId, at, reason])}`);

/** `privateKey`: of the authority, PEM. */
export const signOrder = (order: Order, privateKey: string): SignedOrder => ({
  ...order,
  signature: sign('sha256', signedBytes(order), privateKey).toString('base64'),
});

/** `authorities`: PEM; those that are trusted now. */
export function isSignedByAuthority(order: SignedOrder, authorities: readonly string[]): boolean {
  const signature = Buffer.from(order.signature, 'base64');
  return authorities.some((authority) =>
    verify('sha256', signedBytes(order), new X509Certificate(authority).publicKey, signature),
  );
}

/** JSON schema of one signed order, for messages and for the admin API. */
export const orderSchema = {
  type: 'object',
  required: ['type', 'clusterId', 'nodeId', 'at', 'reason', 'signature'],
  properties: {
    type: { enum: orderTypes },
    clusterId: uuid,
    nodeId: uuid,
    at: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    reason: text(reasonCharactersMax),
    signature: text(256),
  },
} as const;

export const ordersCodec = codec<{ readonly orders: readonly SignedOrder[] }>('orders', {
  orders: list(orderSchema, ordersMax),
});

const rank = (order: Order): number => (order.type === 'remove' ? 1 : 0);

/** Of two orders about one node the one that stands; every member decides the same. */
export function standingOf(one: SignedOrder, other: SignedOrder): SignedOrder {
  if (rank(one) !== rank(other)) return rank(one) > rank(other) ? one : other;
  if (one.at !== other.at) return one.at > other.at ? one : other;
  return one.signature >= other.signature ? one : other;
}

/** Names a set of orders: two members with the same digest know the same. */
export function digestOfOrders(orders: readonly SignedOrder[]): string {
  if (orders.length === 0) return '';
  const all = orders.map(({ signature }) => signature).sort();
  return `${orders.length}-${createHash('sha256').update(all.join()).digest('hex').slice(0, 16)}`;
}
