import { isUuid } from '../common/uuid.ts';

/**
 * What a node believes of another one (SWIM: Das, Gupta, Motivala 2002, section 4). Guarded invariant: for
 * one incarnation a status only rises (alive, suspect, dead, left); a higher incarnation, which only the
 * member itself can announce, begins again at alive.
 */
export type NodeId = string;

export type Status = 'alive' | 'suspect' | 'dead' | 'left';

export interface Member {
  readonly id: NodeId;
  /** Where its gossip is received: `host:port`. */
  readonly address: string;
  readonly incarnation: number;
  readonly status: Status;
}

/** News of a member, as it travels. `accuser`: who suspects it or declared it dead. */
export interface Update extends Member {
  readonly accuser: NodeId | undefined;
}

const rank: Readonly<Record<Status, number>> = { alive: 0, suspect: 1, dead: 2, left: 3 };

/** Whether `update` says more than what is known. */
export function supersedes(update: Member, known: Member): boolean {
  if (update.incarnation !== known.incarnation) return update.incarnation > known.incarnation;
  return rank[update.status] > rank[known.status];
}

/** It takes part: it may be probed, and gets news. */
export const isPresent = ({ status }: Member): boolean =>
  status === 'alive' || status === 'suspect';

const idBytes = (id: NodeId): number => (isUuid(id) ? 17 : 1 + id.length);

/** Bytes of an update on the wire, at most: bounds what fits into a datagram. */
export const updateBytes = ({ id, address, accuser }: Update): number =>
  11 + idBytes(id) + address.length + idBytes(accuser ?? '');
