/**
 * The conditions of a cluster, from what its reconcile came to and from its nodes. A condition's
 * transition time changes only with its status. Pure.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { ConditionType, Reason } from '../api/conditions.ts';
import { reasons } from '../api/conditions.ts';
import type { NodeView } from '../api/node-view.ts';

export type Condition = NonNullable<NonNullable<PhotonCluster['status']>['conditions']>[number];

/** What a reconcile came to. */
export type Outcome =
  | { readonly type: 'complete' }
  /** Something has to happen first; the cluster comes again when it has. */
  | { readonly type: 'wait'; readonly message: string }
  /** The user, or somebody else, has to change something. */
  | { readonly type: 'fail'; readonly reason: Reason; readonly message: string };

type Verdict = Pick<Condition, 'status' | 'message'> & { readonly reason: Reason };

/** The limit of the schema. */
const messageLengthMax = 4096;

function isTrue(is: boolean): 'True' | 'False' {
  return is ? 'True' : 'False';
}

function ready(outcome: Outcome, nodes: readonly NodeView[]): Verdict {
  if (outcome.type === 'complete') {
    const message = `${nodes.length} of ${nodes.length} nodes serve as the manifest says`;
    return { status: 'True', reason: reasons.fulfilled, message };
  }
  const reason = outcome.type === 'fail' ? outcome.reason : reasons.progressing;
  return { status: 'False', reason, message: outcome.message };
}

function available(nodes: readonly NodeView[]): Verdict {
  const serving = nodes.filter(({ pod, roles }) => pod?.isReady === true && roles.includes('data'));
  if (serving.length > 0) {
    const message = `${serving.length} nodes with data are ready`;
    return { status: 'True', reason: reasons.serving, message };
  }
  const troubles = nodes.flatMap(({ name, pod }) =>
    pod?.trouble ? [`${name}: ${pod.trouble}`] : [],
  );
  const message = ['no node with data is ready', ...troubles].join('; ');
  return { status: 'False', reason: reasons.noNodeReady, message };
}

function degraded(nodes: readonly NodeView[]): Verdict {
  const unknown = nodes.filter(({ isHeard }) => !isHeard);
  if (unknown.length > 0) {
    const names = unknown.map(({ name }) => name).join(', ');
    const message = `not heard of for three refreshes: ${names}`;
    return { status: 'True', reason: reasons.nodesUnknown, message };
  }
  const sick = nodes.flatMap(({ name, report }) => {
    if (report?.isLogCorrupt === true) return [`${name}: the log is corrupt`];
    return report?.health === 'Degraded' ? [`${name}: ${report.message ?? 'degraded'}`] : [];
  });
  if (sick.length > 0) {
    return { status: 'True', reason: reasons.nodesUnhealthy, message: sick.join('; ') };
  }
  return { status: 'False', reason: reasons.nodesReady, message: 'no node reports trouble' };
}

function verdicts(outcome: Outcome, nodes: readonly NodeView[]): Record<ConditionType, Verdict> {
  const isWorking = outcome.type === 'wait';
  const isStuck = outcome.type === 'fail';
  const fulfilled = { reason: reasons.fulfilled, message: 'nothing to do' };
  const progressing = { reason: reasons.progressing, message: isWorking ? outcome.message : '' };
  return {
    Ready: ready(outcome, nodes),
    Available: available(nodes),
    Reconciling: {
      status: isTrue(isWorking),
      ...(isWorking ? progressing : fulfilled),
    },
    Stalled: {
      status: isTrue(isStuck),
      ...(isStuck
        ? { reason: outcome.reason, message: outcome.message }
        : { reason: reasons.progressing, message: 'nothing is in the way' }),
    },
    Degraded: degraded(nodes),
  };
}

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
  outcome: Outcome,
  nodes: readonly NodeView[],
  moment: Moment,
  before: readonly Condition[],
): Condition[] {
  return Object.entries(verdicts(outcome, nodes)).map(([type, verdict]) =>
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
