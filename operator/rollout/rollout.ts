/**
 * Which pod to replace next. One at a time, and the next only when every other node serves: so a
 * revision that does not start takes away one node and no more. Pure.
 */
import type { NodeView } from '../api/node-view.ts';
import { isCurrent, isOutdated } from '../api/node-view.ts';

export type RolloutDecision =
  /** Every wanted node serves the wanted revision. */
  | { readonly type: 'settled' }
  | { readonly type: 'replace'; readonly node: NodeView; readonly message: string }
  | { readonly type: 'wait'; readonly node: NodeView; readonly message: string }
  /** A pod of the wanted revision does not come up; only a change of the manifest helps. */
  | { readonly type: 'stopped'; readonly node: NodeView; readonly message: string };

/** A pod that is not serving after this time is not expected to, whatever it still tries. */
const patienceMs = 10 * 60_000;

/** What a node that is neither outdated nor current still lacks. */
function lackOf(node: NodeView): string {
  const { name, pod, report, isHeard, wantedRevision, trouble } = node;
  if (pod === undefined) return `pod ${name} is not there yet`;
  if (pod.isTerminating) return `pod ${name} is stopping`;
  if (!pod.isReady) return `pod ${name} is not ready${trouble ? `: ${trouble.message}` : ''}`;
  if (report === undefined) return `node ${name} has not reported yet`;
  if (!isHeard) return `node ${name} has not been heard of for three refreshes`;
  if (report.revision !== wantedRevision)
    return `node ${name} has not reported its new revision yet`;
  const detail = report.message ? `: ${report.message}` : '';
  return `node ${name} reports ${report.health ?? 'nothing'}${detail}`;
}

/** A pod that serves nobody goes first, so that a repair reaches it; then the last of the pool. */
function nextOf(outdated: readonly NodeView[]): NodeView | undefined {
  return outdated.find(({ pod }) => pod?.isReady !== true) ?? outdated.at(-1);
}

function reasonOf({ pod, wantedRevision, wantedRestart }: NodeView): string {
  if (pod?.revision === wantedRevision) return `a restart was asked for at ${wantedRestart}`;
  const from = pod?.revision ?? 'an unknown revision';
  return `it runs ${from}, wanted is ${wantedRevision}`;
}

export function decideRollout(nodes: readonly NodeView[]): RolloutDecision {
  const outdated = nodes.filter(isOutdated);
  const unsettled = nodes.find((node) => !isOutdated(node) && !isCurrent(node));
  if (unsettled !== undefined) {
    const { pod } = unsettled;
    const isOverdue = pod !== undefined && !pod.isTerminating && pod.unchangedMs > patienceMs;
    const lack = lackOf(unsettled);
    const rest = outdated.length > 0 ? `; ${outdated.length} more to replace` : '';
    return isOverdue
      ? { type: 'stopped', node: unsettled, message: `the rollout has stopped: ${lack}${rest}` }
      : { type: 'wait', node: unsettled, message: `${lack}${rest}` };
  }
  const next = nextOf(outdated);
  if (next === undefined) return { type: 'settled' };
  return { type: 'replace', node: next, message: `replacing pod ${next.name}: ${reasonOf(next)}` };
}
