/**
 * What an administrator orders about one node, as the nodes of a cluster verify it: signed by the authority of the
 * cluster. The format is a contract with the data plane. Pure.
 */
export const orderTypes = Object.freeze(['remove', 'quarantine', 'release'] as const);
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
