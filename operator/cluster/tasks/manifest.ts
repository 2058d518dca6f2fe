/** What the schema cannot check: the free part of the manifest against what the operator owns. */
import { reasons } from '../../api/conditions.ts';
import { overlayComplaints } from '../../resources/overlay.ts';
import type { Context, TaskResult } from '../task.ts';
import { complete } from '../task.ts';

export async function checkManifest({ cluster }: Context): Promise<TaskResult> {
  const complaints = cluster.spec.pools.flatMap((pool) => overlayComplaints(pool));
  if (complaints.length === 0) return complete;
  return { type: 'fail', reason: reasons.invalidSpec, message: complaints.join('; ') };
}
