/**
 * Orders about nodes: what people ask for on a PhotonNode, and which nodes are to be removed because their data was
 * given up. Pure.
 */
import type { OrderType, SignedOrder } from './order.ts';
import { orderTypes, reasonOf } from './order.ts';
import { isUuid } from './node-identity.ts';
import { orderAnnotation, orderReasonAnnotation } from '../resources/labels.ts';

/** What the annotations of a PhotonNode ask for; undefined without any. */
export type Wish =
  | { readonly type: 'order'; readonly order: OrderType; readonly reason: string }
  | { readonly type: 'refused'; readonly message: string };

export function wishOf(
  name: string,
  annotations: Readonly<Record<string, string>> = {},
): Wish | undefined {
  const value = annotations[orderAnnotation];
  if (value === undefined) return undefined;
  const reason = reasonOf(annotations[orderReasonAnnotation]);
  if (value === 'quarantine' || value === 'release') {
    return { type: 'order', order: value, reason };
  }
  const asked = `${orderAnnotation}=${value.slice(0, 64)} on PhotonNode ${name}`;
  const message =
    value === 'remove'
      ? `${asked} is refused: a node of the manifest is not removed. To give up the data of a node that is lost, name its identity in photondb.io/accept-data-loss on the PhotonCluster: it is removed when its successor is a member`
      : `${asked} is refused: it is none of "quarantine" and "release"`;
  return { type: 'refused', message };
}

/** What members of a cluster know, as one of them answers. */
interface KnownOrder {
  readonly type: OrderType;
  readonly nodeId: string;
  readonly at: number;
}

export interface KnownMember {
  readonly id: string;
  readonly name: string;
  readonly status: string;
}

export interface Known {
  readonly orders: readonly KnownOrder[];
  readonly members: readonly KnownMember[];
}

/** Of a node whose data was given up. */
export type Removal =
  | { readonly type: 'done' }
  /** It may come back, or its successor is not a member yet. */
  | { readonly type: 'wait' }
  | { readonly type: 'remove'; readonly reason: string };

const isGone = ({ status }: KnownMember): boolean => status === 'dead' || status === 'left';

/**
 * Guarded invariant: a node is removed only while it does not answer and another one with its name does. Where no
 * member remembers it, all nodes of the manifest (`names`) must be there.
 */
export function removalOf(
  lost: string,
  names: readonly string[],
  { orders, members }: Known,
): Removal {
  // A person may have named anything.
  if (!isUuid(lost)) return { type: 'done' };
  if (orders.some(({ type, nodeId }) => type === 'remove' && nodeId === lost)) {
    return { type: 'done' };
  }
  const former = members.find(({ id }) => id === lost);
  if (former !== undefined && !isGone(former)) return { type: 'wait' };
  const successorOf = (name: string): KnownMember | undefined =>
    members.find((member) => member.name === name && member.status === 'alive');
  const awaited = former === undefined ? names : [former.name];
  const successors = awaited.map(successorOf);
  if (successors.length === 0 || successors.includes(undefined)) return { type: 'wait' };
  const [successor] = successors;
  const after =
    former === undefined ? '' : `, and node ${former.name} has begun again as ${successor?.id}`;
  return { type: 'remove', reason: reasonOf(`it lost its data${after}`) };
}

/** Later than the order that stands, however clocks differ. */
export const orderTime = (nowMs: number, nodeId: string, { orders }: Known): number =>
  Math.max(nowMs, ...orders.flatMap((order) => (order.nodeId === nodeId ? [order.at + 1] : [])));

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

const listIn = (answer: unknown, field: string): readonly Readonly<Record<string, unknown>>[] => {
  const list = isRecord(answer) ? answer[field] : undefined;
  return Array.isArray(list) ? list.filter(isRecord) : [];
};

/** With their signatures, from an answer of the admin API of a node. */
export const signedOrdersFrom = (answer: unknown): readonly SignedOrder[] =>
  listIn(answer, 'orders').flatMap(({ type, clusterId, nodeId, at, reason, signature }) => {
    const found = orderTypes.find((each) => each === type);
    const isOrder =
      found !== undefined &&
      typeof clusterId === 'string' &&
      typeof nodeId === 'string' &&
      typeof at === 'number' &&
      typeof reason === 'string' &&
      typeof signature === 'string';
    return isOrder ? [{ type: found, clusterId, nodeId, at, reason, signature }] : [];
  });

/** From the answers of the admin API of a node; what is not as it should be is left out. */
export function knownFrom(orders: unknown, members: unknown): Known {
  return {
    orders: listIn(orders, 'orders').flatMap(({ type, nodeId, at }) => {
      const found = orderTypes.find((each) => each === type);
      const isOrder = found !== undefined && typeof nodeId === 'string' && typeof at === 'number';
      return isOrder ? [{ type: found, nodeId, at }] : [];
    }),
    members: listIn(members, 'members').flatMap(({ id, name, status }) =>
      typeof id === 'string' && typeof name === 'string' && typeof status === 'string'
        ? [{ id, name, status }]
        : [],
    ),
  };
}
