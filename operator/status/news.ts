/** What people want to read in events: that a cluster is stuck, degraded or fulfilled, and why. Pure. */
import { reasons } from '../api/conditions.ts';
import type { Reason } from '../api/conditions.ts';
import type { NodeView } from '../api/node-view.ts';
import type { ClusterStatus } from './cluster-status.ts';
import type { Condition } from './conditions.ts';

export interface News {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
}

function conditionOf({ conditions }: ClusterStatus, wanted: string): Condition | undefined {
  return conditions?.find(({ type }) => type === wanted);
}

/** An abnormal state is news again with another message; how many nodes are ready is not. */
function isNews(was: Condition | undefined, is: Condition): boolean {
  if (was?.status !== 'True' || was.reason !== is.reason) return true;
  return is.type !== 'Ready' && was.message !== is.message;
}

const told: Readonly<Record<string, News['type']>> = {
  Ready: 'Normal',
  Stalled: 'Warning',
  Degraded: 'Warning',
  CertificatesExpiring: 'Warning',
};

/**
 * Trouble that may pass, and that is gone from the status when it has: the event stays. Machines that are
 * full are not among it, since every pod waits for one at first.
 */
const toldAtOnce: ReadonlySet<string> = new Set<Reason>([
  reasons.evicted,
  reasons.sandboxFailed,
  reasons.storageUnavailable,
  reasons.podRefused,
  reasons.outOfMemory,
  reasons.crashLoop,
  reasons.imageUnavailable,
  reasons.containerFailed,
]);

function passingTrouble(was: Condition | undefined, is: Condition | undefined): readonly News[] {
  if (is?.status !== 'False' || !toldAtOnce.has(is.reason) || was?.reason === is.reason) return [];
  return [{ type: 'Warning', reason: is.reason, note: is.message }];
}

export function newsOf(
  before: ClusterStatus,
  after: ClusterStatus,
  nodes: readonly NodeView[],
): readonly News[] {
  const changes = (after.conditions ?? []).flatMap((condition): News[] => {
    const type = told[condition.type];
    if (type === undefined || condition.status !== 'True') return [];
    if (!isNews(conditionOf(before, condition.type), condition)) return [];
    return [{ type, reason: condition.reason, note: condition.message }];
  });
  // The status records what was reported already, over restarts of the operator.
  const known = conditionOf(before, 'Degraded')?.message ?? '';
  const reason: Reason = reasons.outOfMemory;
  const incidents = nodes.flatMap(({ name, pod }): News[] =>
    pod?.incident === undefined || known.includes(pod.incident)
      ? []
      : [{ type: 'Warning', reason, note: `${name}: ${pod.incident}` }],
  );
  const isStuck = conditionOf(after, 'Stalled')?.status === 'True';
  const passing = isStuck
    ? []
    : passingTrouble(conditionOf(before, 'Ready'), conditionOf(after, 'Ready'));
  return [...changes, ...passing, ...incidents];
}
