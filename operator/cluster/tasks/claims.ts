/**
 * The volume claims of the nodes. The StatefulSet makes those that are missing, and takes those that
 * somebody made before under the expected name, such as from a snapshot: these are adopted by our
 * labels, or refused with a sentence before a pod starts on them.
 */
import type { NodeView } from '../../api/node-view.ts';
import { reasons } from '../../api/conditions.ts';
import { keyOf } from '../../controller/object.ts';
import { resources } from '../../kube/object.ts';
import { clusterLabel, clusterLabels, zoneSelector } from '../../resources/labels.ts';
import type { WantedNode } from '../../resources/layout.ts';
import { wantedNodes } from '../../resources/layout.ts';
import { claimName } from '../../resources/names.ts';
import { claimRefusal, lossAtStop } from '../../rollout/claims.ts';
import { combined } from '../steps.ts';
import type { Context } from '../task.ts';
import type { TaskResult } from '../task-result.ts';
import { eventOf } from '../task.ts';
import { complete } from '../task-result.ts';
import { unusedClaims } from '../unused-claims.ts';
import type { VolumeClaim } from '../informer-set.ts';

/** The caches contain only objects with our label: another claim of that name may exist. */
export async function findClaim(
  { cluster, tools, signal }: Context,
  node: string,
): Promise<VolumeClaim | undefined> {
  const at = { namespace: cluster.metadata.namespace ?? '', name: claimName(node) };
  const cached = tools.informers.volumeClaims.get(keyOf(at));
  return cached ?? tools.client.find<VolumeClaim>(resources.persistentVolumeClaims, at, { signal });
}

async function adopt(context: Context, node: WantedNode, claim: VolumeClaim): Promise<void> {
  const { cluster, tools, signal } = context;
  const { name: clusterName } = cluster.metadata;
  const { pool, zone } = node;
  const labels = {
    ...clusterLabels(clusterName),
    ...zoneSelector(clusterName, pool.name, zone.name.zoneIndex),
  };
  const patch = { metadata: { uid: claim.metadata.uid, labels } };
  await tools.client.mergePatch(resources.persistentVolumeClaims, claim.metadata, patch, {
    signal,
  });
  const note = `volume claim ${claim.metadata.name} was there already: node ${node.name} uses its data`;
  const event = { type: 'Normal', reason: 'ClaimAdopted', action: 'LabelClaim', note } as const;
  tools.emit(eventOf(context, event));
}

async function adoptClaim(context: Context, node: WantedNode): Promise<TaskResult> {
  const claim = await findClaim(context, node.name);
  if (claim === undefined) return complete;
  const cluster = context.cluster.metadata.name;
  const refusal = claimRefusal(claim, node.pool, { cluster, clusterLabel });
  if (refusal !== undefined) {
    return { type: 'fail', reason: reasons.claimRefused, message: refusal };
  }
  const isLabelled = claim.metadata.labels?.[clusterLabel] === cluster;
  if (!isLabelled && claim.metadata.deletionTimestamp === undefined) {
    await adopt(context, node, claim);
  }
  return complete;
}

export async function adoptClaims(context: Context): Promise<TaskResult> {
  const results: TaskResult[] = [];
  for (const node of wantedNodes(context.cluster)) results.push(await adoptClaim(context, node));
  return combined(results);
}

/** Says so while the data of a node would not outlive its pod, before anybody stops the pod. */
export async function guardClaims(context: Context): Promise<TaskResult> {
  const { cluster, tools } = context;
  const namespace = cluster.metadata.namespace ?? '';
  const troubles: string[] = [];
  for (const { name } of wantedNodes(cluster)) {
    const pod = tools.informers.pods.get(keyOf({ namespace, name }));
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
    const trouble = lossAtStop(claimName(name), await findClaim(context, name));
    if (trouble !== undefined) troubles.push(`${trouble}; pod ${name} is not replaced meanwhile`);
  }
  if (troubles.length === 0) return complete;
  return { type: 'fail', reason: reasons.volumeAtRisk, message: troubles.join('; ') };
}

/** By the caches: an eviction that comes before they show it cannot be prevented anyway. */
export function hasClaimThatLeaves({ cluster, tools }: Context): boolean {
  const namespace = cluster.metadata.namespace ?? '';
  return wantedNodes(cluster).some(({ name }) => {
    const claim = tools.informers.volumeClaims.get(keyOf({ namespace, name: claimName(name) }));
    return claim !== undefined && lossAtStop(claimName(name), claim) !== undefined;
  });
}

/** Asked of the API server, not of a cache: the answer decides over the data. */
export async function lossAtReplacement(
  { cluster, tools, signal }: Context,
  node: NodeView,
): Promise<string | undefined> {
  const at = { namespace: cluster.metadata.namespace ?? '', name: claimName(node.name) };
  const claim = await tools.client.find<VolumeClaim>(resources.persistentVolumeClaims, at, {
    signal,
  });
  return lossAtStop(at.name, claim);
}

/** Says once of each claim that no node uses it: it is kept, and it costs. */
export async function reportUnusedClaims(context: Context): Promise<TaskResult> {
  const known = context.cluster.status?.unusedClaims ?? [];
  for (const name of unusedClaims(context)) {
    if (known.includes(name)) continue;
    const note = `no node uses volume claim ${name}: it is kept; delete it when its data is not needed`;
    const event = { type: 'Warning', reason: 'UnusedClaim', action: 'KeepClaim', note } as const;
    context.tools.emit(eventOf(context, event));
  }
  return complete;
}
