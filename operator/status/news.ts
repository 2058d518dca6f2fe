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
};

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
  // The status keeps what was told already, over restarts of the operator.
  const known = conditionOf(before, 'Degraded')?.message ?? '';
  const reason: Reason = reasons.outOfMemory;
  const incidents = nodes.flatMap(({ name, pod }): News[] =>
    pod?.incident === undefined || known.includes(pod.incident)
      ? []
      : [{ type: 'Warning', reason, note: `${name}: ${pod.incident}` }],
  );
  return [...changes, ...incidents];
}
