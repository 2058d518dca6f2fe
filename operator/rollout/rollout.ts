/**
 * Which pod to replace next. One at a time, and the next only when every other node serves and all replicas are where
 * they are to be: so a revision that does not start takes away one node and no more. Pure.
 */
import type { Reason } from '../api/conditions.ts';
import { reasons } from '../api/conditions.ts';
import type { NodeView } from '../api/node-view.ts';
import { isCurrent, isOutdated, replicaTrouble } from '../api/node-view.ts';

export type RolloutDecision =
  /** Every wanted node serves the wanted revision. */
  | { readonly type: 'settled' }
  | { readonly type: 'replace'; readonly node: NodeView; readonly message: string }
  | { readonly type: 'wait'; readonly node: NodeView; readonly message: string }
  /** A node of the desired revision does not serve, and is not expected to without manual action. */
  | {
      readonly type: 'stopped';
      readonly node: NodeView;
      readonly reason: Reason;
      readonly message: string;
    };

/** A pod that does not serve after this time is not expected to. */
const patienceMs = 10 * 60_000;

/** Why a node is neither outdated nor current. */
function lackOf(node: NodeView): string {
  const { name, pod, report, isHeard, wantedRevision, trouble } = node;
  if (pod === undefined) return `pod ${name} is not there yet`;
  if (pod.isTerminating) return `pod ${name} is stopping`;
  if (!pod.isReady) {
    // A starting node reports its progress.
    const own = report?.revision === pod.revision ? report?.message : undefined;
    const detail = trouble?.message ?? own;
    return `pod ${name} is not ready${detail === undefined ? '' : `: ${detail}`}`;
  }
  if (report === undefined) return `node ${name} has not reported yet`;
  if (!isHeard) return `node ${name} has not reported for three heartbeat periods`;
  if (report.revision !== wantedRevision)
    return `node ${name} has not reported its new revision yet`;
  const detail = report.message ? `: ${report.message}` : '';
  return `node ${name} reports ${report.health ?? 'nothing'}${detail}`;
}

/** A pod that does not serve is replaced first, so that a repair reaches it; then the last pod of the pool. */
function nextOf(outdated: readonly NodeView[]): NodeView | undefined {
  return outdated.find(({ pod }) => pod?.isReady !== true) ?? outdated.at(-1);
}

/** Why the rollout does not continue: a pod that does not become ready concerns the rollout, other faults the node. */
function stopReasonOf({ pod, report, isHeard, trouble }: NodeView): Reason {
  if (trouble !== undefined) return trouble.reason;
  if (pod?.isReady !== true) return reasons.rolloutStopped;
  if (!isHeard) return reasons.nodesUnknown;
  return report?.health === 'Degraded' ? reasons.nodesUnhealthy : reasons.rolloutStopped;
}

function reasonOf({ pod, wantedRevision, wantedRestart }: NodeView): string {
  if (pod?.revision === wantedRevision) return `a restart was asked for at ${wantedRestart}`;
  const from = pod?.revision ?? 'an unknown revision';
  return `it runs ${from}, wanted is ${wantedRevision}`;
}

function replicasOf(
  nodes: readonly NodeView[],
): { readonly node: NodeView; readonly message: string } | undefined {
  for (const node of nodes) {
    const trouble = replicaTrouble(node);
    if (trouble !== undefined)
      return { node, message: `${node.name}: ${trouble.message ?? trouble.state}` };
  }
  return undefined;
}

export function decideRollout(nodes: readonly NodeView[]): RolloutDecision {
  const outdated = nodes.filter(isOutdated);
  const unsettled = nodes.find((node) => !isOutdated(node) && !isCurrent(node));
  if (unsettled !== undefined) {
    const { pod } = unsettled;
    const isOverdue =
      pod !== undefined &&
      !pod.isTerminating &&
      pod.unchangedMs > patienceMs &&
      replicaTrouble(unsettled) === undefined;
    const lack = lackOf(unsettled);
    const rest = outdated.length > 0 ? `; ${outdated.length} more to replace` : '';
    if (!isOverdue) return { type: 'wait', node: unsettled, message: `${lack}${rest}` };
    const reason = stopReasonOf(unsettled);
    const about = reason === reasons.rolloutStopped ? 'the rollout has stopped: ' : '';
    return { type: 'stopped', node: unsettled, reason, message: `${about}${lack}${rest}` };
  }
  const next = nextOf(outdated);
  if (next === undefined) return { type: 'settled' };
  // Leaders report the replicas of others, and may be outdated themselves. A pod that serves nobody can be replaced.
  const waiting = next.pod?.isReady === true ? replicasOf(nodes) : undefined;
  if (waiting !== undefined) {
    const message = `waiting for the replicas of tables: ${waiting.message}; ${outdated.length} more to replace`;
    return { type: 'wait', node: waiting.node, message };
  }
  return { type: 'replace', node: next, message: `replacing pod ${next.name}: ${reasonOf(next)}` };
}
