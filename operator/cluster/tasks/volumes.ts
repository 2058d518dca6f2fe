/**
 * Volumes grow in three steps, each of which may be the last before a restart of the operator: the
 * claims ask for more; the StatefulSet, whose claim templates cannot change, is deleted without
 * its pods; it is made anew with the new size, and takes the pods back.
 */
import { reasons } from '../../api/conditions.ts';
import { keyOf } from '../../controller/object.ts';
import { isKubeError } from '../../kube/errors.ts';
import { resources } from '../../kube/object.ts';
import { zoneIndexLabel, poolLabel } from '../../resources/labels.ts';
import type { Zone } from '../../resources/layout.ts';
import { zonesOf } from '../../resources/layout.ts';
import type { Pool } from '../../resources/manifest.ts';
import { statefulSetName } from '../../resources/names.ts';
import { isMore } from '../../resources/quantity.ts';
import type { Context, TaskResult } from '../task.ts';
import { complete, eventOf } from '../task.ts';
import type { VolumeClaim } from '../world.ts';
import { claimSizeOf } from './pods.ts';

function claimsOf({ cluster, tools }: Context, pool: Pool, zone: Zone): readonly VolumeClaim[] {
  return tools.world.volumeClaims.ofCluster(cluster).filter(({ metadata }) => {
    const labels = metadata.labels ?? {};
    return (
      labels[poolLabel] === pool.name && labels[zoneIndexLabel] === String(zone.name.zoneIndex)
    );
  });
}

async function growClaim(context: Context, claim: VolumeClaim, size: string): Promise<TaskResult> {
  const { client } = context.tools;
  const { signal } = context;
  const { name } = claim.metadata;
  const patch = { spec: { resources: { requests: { storage: size } } } };
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

async function growZone(context: Context, pool: Pool, zone: Zone): Promise<TaskResult> {
  const { cluster, tools, signal } = context;
  const { size } = pool.storage;
  const at = { namespace: cluster.metadata.namespace ?? '', name: statefulSetName(zone.name) };
  const set = tools.world.statefulSets.get(keyOf(at));
  const actual = claimSizeOf(set);
  if (set === undefined || actual === undefined || !isMore(size, actual)) return complete;
  for (const claim of claimsOf(context, pool, zone)) {
    const asked = claim.spec?.resources?.requests?.['storage'] ?? '0';
    const result = isMore(size, asked) ? await growClaim(context, claim, size) : complete;
    if (result.type !== 'complete') return result;
  }
  const uid = set.metadata.uid ?? '';
  await tools.client.remove(resources.statefulSets, at, {
    uid,
    propagationPolicy: 'Orphan',
    signal,
  });
  return { type: 'wait', message: `StatefulSet ${at.name} is made anew for volumes of ${size}` };
}

export async function growVolumes(context: Context): Promise<TaskResult> {
  const { cluster } = context;
  for (const pool of cluster.spec.pools) {
    for (const zone of zonesOf(cluster, pool)) {
      const result = await growZone(context, pool, zone);
      if (result.type !== 'complete') return result;
    }
  }
  return complete;
}
