/**
 * The conditions of a cluster, from the outcome of its reconcile and from its nodes. A condition's
 * transition time changes only with its status. Pure.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { ConditionType } from '../api/conditions.ts';
import { reasons } from '../api/conditions.ts';
import type { Observed, Verdict } from './verdicts.ts';
import { verdicts } from './verdicts.ts';

export type Condition = NonNullable<NonNullable<PhotonCluster['status']>['conditions']>[number];

/** The limit of the schema. */
const messageLengthMax = 4096;

/** When, and for which generation, the conditions are written. */
export interface Moment {
  readonly generation: number;
  /** RFC 3339. */
  readonly now: string;
}

function condition(
  type: ConditionType,
  verdict: Verdict,
  moment: Moment,
  before: readonly Condition[],
): Condition {
  const previous = before.find((each) => each.type === type);
  const isSame = previous?.status === verdict.status;
  return {
    type,
    status: verdict.status,
    reason: verdict.reason,
    message: verdict.message.slice(0, messageLengthMax),
    lastTransitionTime: isSame ? previous.lastTransitionTime : moment.now,
    observedGeneration: moment.generation,
  };
}

export function conditionsOf(
  observed: Observed,
  moment: Moment,
  before: readonly Condition[],
): Condition[] {
  return Object.entries(verdicts(observed)).map(([type, verdict]) =>
    condition(type as ConditionType, verdict, moment, before),
  );
}

/**
 * The first conditions of a generation: nothing is known yet but that there is work. Whoever waits
 * for Ready must not take the former generation's word for this one's. Whether the database serves,
 * and how well, the former nodes still tell.
 */
export function firstConditions(moment: Moment, before: readonly Condition[]): Condition[] {
  const message = `generation ${moment.generation} has been seen`;
  const reason = reasons.newGeneration;
  const first: Partial<Record<ConditionType, Verdict>> = {
    Ready: { status: 'Unknown', reason, message },
    Reconciling: { status: 'True', reason, message },
    Stalled: { status: 'False', reason, message },
  };
  const kept: Partial<Record<ConditionType, Verdict>> = {
    Available: { status: 'Unknown', reason, message },
    Degraded: { status: 'Unknown', reason, message },
    CertificatesExpiring: { status: 'Unknown', reason, message },
  };
  const fresh = Object.entries(first).map(([type, verdict]) =>
    condition(type as ConditionType, verdict, moment, before),
  );
  const others = Object.entries(kept).map(
    ([type, verdict]) =>
      before.find((each) => each.type === type) ??
      condition(type as ConditionType, verdict, moment, before),
  );
  return [...fresh, ...others];
}
