/**
 * Volumes grow in three steps, each of which may be the last before a restart of the operator: the
 * claims ask for more, whatever state the nodes are in (a full disk is one of them); the
 * StatefulSet, whose claim templates cannot change, is deleted without its pods; it is made again
 * with the new size, and takes the pods back.
 */
import { reasons } from '../../api/conditions.ts';
import { keyOf } from '../../controller/object.ts';
import { isKubeError } from '../../kube/errors.ts';
import { resources } from '../../kube/object.ts';
import type { Zone } from '../../resources/layout.ts';
import { wantedNodes, zonesOf } from '../../resources/layout.ts';
import type { Pool } from '../../resources/manifest.ts';
import { statefulSetName } from '../../resources/names.ts';
import { isMore } from '../../resources/quantity.ts';
import { combined } from '../steps.ts';
import type { Context } from '../task.ts';
import type { TaskResult } from '../task-result.ts';
import { eventOf } from '../task.ts';
import { complete } from '../task-result.ts';
import type { VolumeClaim } from '../informer-set.ts';
import { findClaim } from './claims.ts';
import { claimSizeOf } from './pods.ts';

/** Kubernetes tried, and the storage said no: another try cannot succeed either. */
function infeasible({ status, metadata }: VolumeClaim, size: string): TaskResult {
  const state = status?.allocatedResourceStatuses?.['storage'] ?? '';
  if (!state.endsWith('Infeasible')) return complete;
  const message = `volume claim ${metadata.name} cannot grow to ${size}: the storage refuses it (${state}); see the events of the claim`;
  return { type: 'fail', reason: reasons.refused, message };
}

async function growClaim(context: Context, claim: VolumeClaim, size: string): Promise<TaskResult> {
  const { client } = context.tools;
  const { signal } = context;
  const { name, uid } = claim.metadata;
  const asked = claim.spec?.resources?.requests?.['storage'] ?? '0';
  if (!isMore(size, asked)) return infeasible(claim, size);
  const patch = { metadata: { uid }, spec: { resources: { requests: { storage: size } } } };
  try {
    await client.mergePatch(resources.persistentVolumeClaims, claim.metadata, patch, { signal });
    const note = `volume claim ${name} asks for ${size}`;
    const event = { type: 'Normal', reason: 'GrowingVolume', action: 'PatchClaim', note } as const;
    context.tools.emit(eventOf(context, event));
    return complete;
  } catch (error) {
    if (!isKubeError(error, 'kube.forbidden', 'kube.invalid')) throw error;
    const message = `volume claim ${name} cannot grow to ${size}: ${error.message}`;
    return { type: 'fail', reason: reasons.refused, message };
  }
}

export async function growClaims(context: Context): Promise<TaskResult> {
  const results: TaskResult[] = [];
  for (const { name, pool } of wantedNodes(context.cluster)) {
    const claim = await findClaim(context, name);
    // One that is being deleted keeps its size: guardClaims says what to do.
    if (claim === undefined || claim.metadata.deletionTimestamp !== undefined) continue;
    results.push(await growClaim(context, claim, pool.storage.size));
  }
  return combined(results);
}

async function renewZone(context: Context, pool: Pool, zone: Zone): Promise<TaskResult> {
  const { cluster, tools, signal } = context;
  const { size } = pool.storage;
  const at = { namespace: cluster.metadata.namespace ?? '', name: statefulSetName(zone.name) };
  const set = tools.informers.statefulSets.get(keyOf(at));
  const actual = claimSizeOf(set);
  if (set === undefined || actual === undefined || !isMore(size, actual)) return complete;
  const { uid = '' } = set.metadata;
  await tools.client.remove(resources.statefulSets, at, {
    uid,
    propagationPolicy: 'Orphan',
    signal,
  });
  return { type: 'wait', message: `StatefulSet ${at.name} is recreated for volumes of ${size}` };
}

export async function renewClaimTemplates(context: Context): Promise<TaskResult> {
  const { cluster } = context;
  for (const pool of cluster.spec.pools) {
    for (const zone of zonesOf(cluster, pool)) {
      const result = await renewZone(context, pool, zone);
      if (result.type !== 'complete') return result;
    }
  }
  return complete;
}
