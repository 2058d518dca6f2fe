/** One node founds the cluster, and the others start when its identity is recorded. */
import { reasons } from '../../api/conditions.ts';
import { wantedNodes } from '../../resources/layout.ts';
import { mayStart } from '../../rollout/formation.ts';
import { observeFormation } from '../observe-nodes.ts';
import type { Context } from '../task.ts';
import type { TaskResult } from '../task-result.ts';
import { eventOf } from '../task.ts';
import { complete } from '../task-result.ts';

/** Says once which cluster was founded, and stops at a node that belongs to another one. */
export async function guardFormation(context: Context): Promise<TaskResult> {
  const { cluster, tools } = context;
  const { recorded, reported, conflict } = observeFormation(context);
  const isFounded = recorded === undefined && reported !== undefined;
  if (isFounded && cluster.status?.clusterId !== reported) {
    const note = `cluster ${reported} is founded`;
    const event = { type: 'Normal', reason: 'Founded', action: 'RecordIdentity', note } as const;
    tools.emit(eventOf(context, event));
  }
  if (conflict === undefined) return complete;
  return { type: 'fail', reason: reasons.wrongCluster, message: conflict };
}

/** Nodes that have no pod yet because the cluster is not founded. */
export async function awaitFounding(context: Context): Promise<TaskResult> {
  const formation = observeFormation(context);
  const waiting = wantedNodes(context.cluster).filter(({ name }) => !mayStart(formation, name));
  if (waiting.length === 0) return complete;
  const founder = formation.founder ?? 'a node with the role data';
  const message = `${waiting.length} nodes start when ${founder} has founded the cluster`;
  return { type: 'wait', message };
}
