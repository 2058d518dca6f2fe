/** Nodes keep their identity: one that returns without its data does not become ready automatically. */
import { reasons } from '../../api/conditions.ts';
import { acceptedLosses, dataLoss } from '../../rollout/identity.ts';
import { observeNodes } from '../observe-nodes.ts';
import type { Context } from '../task.ts';
import type { TaskResult } from '../task-result.ts';
import { eventOf } from '../task.ts';
import { complete } from '../task-result.ts';

export async function guardIdentities(context: Context): Promise<TaskResult> {
  const { cluster } = context;
  const accepted = new Set(acceptedLosses(cluster));
  // The status remembers them until it is written next: so this is said once.
  for (const { name, id } of cluster.status?.members ?? []) {
    if (!accepted.has(id)) continue;
    const note = `node ${name} begins without the data that it had as ${id}, as was asked for`;
    const event = { type: 'Warning', reason: 'DataLossAccepted', action: 'Forget', note } as const;
    context.tools.emit(eventOf(context, event));
  }
  const losses = observeNodes(context).flatMap((node) => dataLoss(cluster, node) ?? []);
  if (losses.length === 0) return complete;
  return { type: 'fail', reason: reasons.dataMissing, message: losses.join('; ') };
}
