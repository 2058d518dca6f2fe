/**
 * Who may lead, decided on a lease. Another holder's lease counts as expired when this process
 * has seen no change in it for its whole duration, by its own clock: the times written in it come
 * from clocks that may be wrong, and are only shown to people. Pure.
 */
import { microTime } from './micro-time.ts';

export interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/** A lease as the server has it. */
export interface Lease {
  readonly resourceVersion: string;
  readonly spec: LeaseSpec;
}

/** The last change that this process has seen, and when. */
export interface ObservedLease {
  readonly resourceVersion: string;
  readonly atMs: number;
}

export type LeaseDecision =
  /** Write this; at the resourceVersion read, or as a new lease. */
  | { readonly type: 'write'; readonly spec: LeaseSpec }
  | { readonly type: 'wait'; readonly holder: string };

export interface Candidate {
  readonly identity: string;
  readonly leaseDurationMs: number;
  readonly nowMs: number;
  readonly wallMs: number;
}

export function observeLease(
  lease: Lease | undefined,
  last: ObservedLease | undefined,
  nowMs: number,
): ObservedLease | undefined {
  if (lease === undefined) return undefined;
  if (last?.resourceVersion === lease.resourceVersion) return last;
  return { resourceVersion: lease.resourceVersion, atMs: nowMs };
}

/** To take or renew the lease, or to wait for its holder. */
export function decideLease(
  lease: Lease | undefined,
  observed: ObservedLease | undefined,
  candidate: Candidate,
): LeaseDecision {
  const { identity, leaseDurationMs, nowMs, wallMs } = candidate;
  const previous = lease?.spec ?? {};
  const holder = previous.holderIdentity ?? '';
  const heldMs = (previous.leaseDurationSeconds ?? 0) * 1000;
  const isHeld = holder !== '' && observed !== undefined && nowMs - observed.atMs < heldMs;
  if (isHeld && holder !== identity) return { type: 'wait', holder };
  const isRenewal = holder === identity;
  const time = microTime(wallMs);
  const transitions = previous.leaseTransitions ?? 0;
  return {
    type: 'write',
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000),
      acquireTime: isRenewal ? (previous.acquireTime ?? time) : time,
      renewTime: time,
      leaseTransitions: isRenewal || lease === undefined ? transitions : transitions + 1,
    },
  };
}

/** A lease that its holder releases: available to the next candidate. */
export function releasedLease(previous: LeaseSpec, wallMs: number): LeaseSpec {
  const time = microTime(wallMs);
  return {
    holderIdentity: '',
    leaseDurationSeconds: 1,
    acquireTime: time,
    renewTime: time,
    leaseTransitions: previous.leaseTransitions ?? 0,
  };
}
