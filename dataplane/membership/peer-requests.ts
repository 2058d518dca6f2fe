import type { Priority } from '../wire/frame.ts';

/**
 * The requests between nodes, and which roles may send each of them. Guarded invariant: what is not in this
 * table is refused, and so is a node whose roles are not known yet, whatever it asks except its introduction.
 */
export const roles = ['data', 'coordinator', 'consensus', 'observer'] as const;
export type Role = (typeof roles)[number];

/** Those that take part in decisions about the cluster; observers read. */
const deciding: readonly Role[] = ['data', 'coordinator', 'consensus'];

interface PeerRequest {
  readonly number: number;
  readonly roles: readonly Role[];
  readonly priority: Priority;
  readonly deadlineMs: number;
}

/** Those that may hold replicas of shards, or of the metadata. */
const replicating: readonly Role[] = ['data', 'consensus'];

/**
 * A shard may take long for what it does: the end of the query, of the connection or of the node ends a request before
 * its deadline.
 */
const shardMs = 120_000;

export const peerRequests = {
  /** Who the node is beyond its certificate: name, roles, address, key statement. */
  introduce: { number: 1, roles, priority: 'consensus', deadlineMs: 5_000 },
  /** A message of the membership protocol that is too large for a datagram. */
  gossip: { number: 2, roles, priority: 'interactive', deadlineMs: 10_000 },
  /** Answered at once: whether the process at the other end of a connection lives. */
  echo: { number: 3, roles, priority: 'consensus', deadlineMs: 1_000 },
  /** The gossip keys of the cluster. */
  readRing: { number: 4, roles, priority: 'interactive', deadlineMs: 5_000 },
  /** A step of the rotation of the gossip keys. */
  writeRing: { number: 5, roles: deciding, priority: 'interactive', deadlineMs: 5_000 },
  /** A certificate for the identity that the connection proves; answered by the authority. */
  renewCertificate: { number: 6, roles, priority: 'interactive', deadlineMs: 10_000 },
  /** The request of a node that joins, passed on to the authority. */
  admit: { number: 7, roles: deciding, priority: 'interactive', deadlineMs: 10_000 },
  /** A token for a node that joins, made by the authority. */
  createToken: { number: 8, roles: deciding, priority: 'interactive', deadlineMs: 5_000 },
  /** A read of a shard. */
  readTable: { number: 9, roles, priority: 'interactive', deadlineMs: shardMs },
  /** Edits of a shard, and what makes them durable. */
  editTable: { number: 10, roles: deciding, priority: 'interactive', deadlineMs: shardMs },
  /** A change of databases, tables, indexes or users. */
  changeCatalog: { number: 11, roles: deciding, priority: 'interactive', deadlineMs: shardMs },
  /** Databases, tables, indexes and users: answered when they differ from what the node knows, or after a while. */
  watchCatalog: { number: 12, roles, priority: 'interactive', deadlineMs: 30_000 },
  /** What does not fit into a notice of the same name. */
  raft: { number: 13, roles: replicating, priority: 'bulk', deadlineMs: shardMs },
  /** The orders of administrators that the node knows; each is signed by the authority. */
  readOrders: { number: 14, roles, priority: 'interactive', deadlineMs: 5_000 },
  /** A part of the state of a group, for a member that is behind its log. */
  snapshot: { number: 15, roles: replicating, priority: 'bulk', deadlineMs: 30_000 },
  /** A change of the metadata that a node needs for its own work. */
  changeMetadata: { number: 16, roles: replicating, priority: 'interactive', deadlineMs: 30_000 },
  /** How the replicas of the shards are that the node leads. */
  readReplicas: { number: 17, roles, priority: 'interactive', deadlineMs: 5_000 },
  /** A certificate for the node ID under which a node begins again that lost its data; answered by the authority. */
  succeed: { number: 18, roles, priority: 'interactive', deadlineMs: 10_000 },
  /** Whether the others have all data of the node that asks; answered by the leader of the metadata. */
  readNeed: { number: 19, roles: replicating, priority: 'interactive', deadlineMs: 10_000 },
} as const satisfies Readonly<Record<string, PeerRequest>>;

export type PeerRequestName = keyof typeof peerRequests;

const names = new Map<number, PeerRequestName>(
  Object.entries(peerRequests).map(([name, { number }]) => [number, name as PeerRequestName]),
);

export const requestNamed = (number: number): PeerRequestName | undefined => names.get(number);

/**
 * The roles that count: those that the certificate of the session names, as far as the node has them at present. A
 * certificate of an earlier release names none; until it has expired the node's own word counts.
 */
export const certifiedRoles = (
  certified: readonly string[] | undefined,
  said: readonly Role[],
): readonly Role[] => said.filter((role) => certified?.includes(role) ?? true);

/** A quarantined node takes no part in decisions about the cluster. */
export const isDecision = (name: PeerRequestName): boolean => peerRequests[name].roles === deciding;

/** Why a node may not send a request; undefined when it may. `roles`: none before it has introduced itself. */
export function roleRefusal(
  name: PeerRequestName,
  own: readonly Role[] | undefined,
): string | undefined {
  if (name === 'introduce') return undefined;
  if (own === undefined) return `The node has not introduced itself before its request "${name}".`;
  const allowed: readonly Role[] = peerRequests[name].roles;
  // What every role may, a node may without one: its next certificate comes by such a request.
  if (allowed.length === roles.length) return undefined;
  if (own.some((role) => allowed.includes(role))) return undefined;
  return `A node with the certified roles ${own.join(', ') || '(none)'} may not send the request "${name}"; ${allowed.join(', ')} may.`;
}

/** What a node says without waiting for an answer. It may be lost. */
export const peerNotices = {
  /** Messages of Raft groups. */
  raft: { number: 1, roles: replicating },
} as const satisfies Readonly<
  Record<string, { readonly number: number; readonly roles: readonly Role[] }>
>;

export type PeerNoticeName = keyof typeof peerNotices;

const noticeNames = new Map<number, PeerNoticeName>(
  Object.entries(peerNotices).map(([name, { number }]) => [number, name as PeerNoticeName]),
);

export const noticeNamed = (number: number): PeerNoticeName | undefined => noticeNames.get(number);

/** Whether a node may say that. `roles`: none before it has introduced itself. */
export function mayNotify(name: PeerNoticeName, own: readonly Role[] | undefined): boolean {
  const allowed: readonly Role[] = peerNotices[name].roles;
  return own?.some((role) => allowed.includes(role)) ?? false;
}
