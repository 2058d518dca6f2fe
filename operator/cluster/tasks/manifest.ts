/** What the schema cannot check: the free parts of the manifest against what the operator owns. */
import { reasons } from '../../api/conditions.ts';
import { configComplaints } from '../../resources/node-config.ts';
import { overlayComplaints } from '../../resources/overlay.ts';
import type { Context, TaskResult } from '../task.ts';
import { complete } from '../task.ts';

export async function checkManifest({ cluster }: Context): Promise<TaskResult> {
  const complaints = [
    ...configComplaints(cluster),
    ...cluster.spec.pools.flatMap((pool) => overlayComplaints(pool)),
  ];
  if (complaints.length === 0) return complete;
  return { type: 'fail', reason: reasons.invalidSpec, message: complaints.join('; ') };
}
