import type { Status } from '../gossip/member.ts';
import type { Role } from './peer-requests.ts';
import type { QuarantineCause } from './quarantine-causes.ts';

/** What the failure detector says; a member that is present may be quarantined. */
type MemberStatus = Status | 'quarantined';

/** What a node knows of a member: what the failure detector says, and what the member says of itself. */
export interface MemberView {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly status: MemberStatus;
  /** Why it is in this status; a sentence for people. */
  readonly reason: string;
  /** Since when it is, by this node's clock; milliseconds since 1970. */
  readonly since: number;
  readonly incarnation: number;
  readonly roles: readonly Role[];
  readonly version: string;
  /** Where drivers connect to it; empty when they cannot. */
  readonly driver: string;
  /** Where its admin API listens; empty before it does. */
  readonly admin: string;
  readonly isSelf: boolean;
  /** A session with it stands. */
  readonly isConnected: boolean;
  /** Holds the authority of the cluster. */
  readonly isAuthority: boolean;
  readonly isDraining: boolean;
  /** Why others are to lead in its place; empty when nothing is wrong. */
  readonly ailment: string;
  /** Why it is quarantined; empty when it is not. */
  readonly causes: readonly QuarantineCause[];
  /** Milliseconds since 1970; undefined while unknown. */
  readonly certificateExpiresAt: number | undefined;
  /** The version and digest of its gossip keys. */
  readonly ring: string;
  /** Versions that it reads: between nodes, and of the log. */
  readonly speaks: string;
  /** `ok`, or why its storage is not well; empty on a node without data. */
  readonly storage: string;
  readonly load: MemberLoad | undefined;
}

/** What a node says of its load from time to time. */
export interface MemberLoad {
  readonly queriesPerSecond: number;
  readonly latencyP99Ms: number;
  readonly memoryBytes: number;
  readonly diskFreeBytes: number;
}

/** Undefined for what is not a load: the node that says it may be of another release, or taken over. */
export function loadIn(text: string): MemberLoad | undefined {
  let parsed: Partial<Record<keyof MemberLoad, unknown>> | null;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { queriesPerSecond, latencyP99Ms, memoryBytes, diskFreeBytes } = parsed ?? {};
  const figures = [queriesPerSecond, latencyP99Ms, memoryBytes, diskFreeBytes];
  if (!figures.every((figure) => Number.isFinite(figure) && Number(figure) >= 0)) return undefined;
  return { queriesPerSecond, latencyP99Ms, memoryBytes, diskFreeBytes } as MemberLoad;
}

/** What a node says of itself, by key, in its gossiped state. */
export const stateKeys = {
  name: 'name',
  roles: 'roles',
  version: 'version',
  driver: 'driver',
  statement: 'statement',
  authority: 'authority',
  ring: 'ring',
  admin: 'admin',
  speaks: 'speaks',
  storage: 'storage',
  load: 'load',
  draining: 'draining',
  ailment: 'ailment',
  /** Of what it accuses other nodes. */
  accusations: 'accusations',
  /** It has quarantined itself. */
  quarantine: 'quarantine',
  /** The digest of the orders of administrators that it knows. */
  orders: 'orders',
  /** On the node that holds the authority: what the cluster trusts, once the first authority was replaced. */
  trust: 'trust',
  /** The version of what it trusts. */
  trusted: 'trusted',
} as const;
