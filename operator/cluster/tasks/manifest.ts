/** What the schema cannot check: the free part of the manifest against what the operator owns. */
import { reasons } from '../../api/conditions.ts';
import { zonesOf } from '../../resources/layout.ts';
import type { Pool } from '../../resources/manifest.ts';
import { overlayComplaints } from '../../resources/overlay.ts';
import { podTemplate } from '../../resources/pod-template.ts';
import { privilegeComplaints } from '../../resources/privileges.ts';
import type { Context } from '../task.ts';
import type { TaskResult } from '../task-result.ts';
import { complete } from '../task-result.ts';

/** The secrets of a cluster do not matter to what its template asks for. */
const noFacts = Object.freeze({ configMapName: '', passwordSecret: '' });

function complaintsOf({ cluster, tools }: Context, pool: Pool): readonly string[] {
  const complaints = overlayComplaints(pool);
  const [zone] = zonesOf(cluster, pool);
  if (complaints.length > 0 || zone === undefined) return complaints;
  const { template } = podTemplate({ cluster, pool, zone }, noFacts, tools.hash);
  return privilegeComplaints(pool.name, template, tools.allowedPrivileges);
}

export async function checkManifest(context: Context): Promise<TaskResult> {
  const complaints = context.cluster.spec.pools.flatMap((pool) => complaintsOf(context, pool));
  if (complaints.length === 0) return complete;
  return { type: 'fail', reason: reasons.invalidSpec, message: complaints.join('; ') };
}
