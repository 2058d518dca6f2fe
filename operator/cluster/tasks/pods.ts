/** The pods: a StatefulSet for each pool and zone, and the role labels of each pod. */
import { keyOf } from '../../controller/object.ts';
import { isKubeError } from '../../kube/errors.ts';
import { resources } from '../../kube/object.ts';
import { roleLabelPatch } from '../../resources/labels.ts';
import { wantedNodes, zonesOf } from '../../resources/layout.ts';
import type { Zone } from '../../resources/layout.ts';
import type { Pool } from '../../resources/manifest.ts';
import { nodeName, statefulSetName } from '../../resources/names.ts';
import { statefulSet } from '../../resources/stateful-set.ts';
import { mayStart } from '../../rollout/formation.ts';
import { podsOf } from '../../rollout/growth.ts';
import { observeFormation, observeNodes } from '../observe-nodes.ts';
import type { Context } from '../task.ts';
import type { TaskResult } from '../task-result.ts';
import { applyAll, wantedTemplate } from '../task.ts';
import { complete } from '../task-result.ts';
import type { StatefulSet } from '../informer-set.ts';

export function claimSizeOf(set: StatefulSet | undefined): string | undefined {
  return set?.spec?.volumeClaimTemplates?.[0]?.spec?.resources?.requests?.['storage'];
}

/** Of the StatefulSet of a zone. */
function podsNow(context: Context, pool: Pool, { name, replicas }: Zone): number {
  if (!pool.roles.includes('data')) return replicas;
  const namespace = context.cluster.metadata.namespace ?? '';
  const set = context.tools.informers.statefulSets.get(
    keyOf({ namespace, name: statefulSetName(name) }),
  );
  const first = observeNodes(context).find((node) => node.name === nodeName(name, 0));
  return podsOf({ current: set?.spec?.replicas, wanted: replicas, first });
}

/** Names of nodes that get a pod when the first one is prepared for them. */
export function heldBack(context: Context): ReadonlySet<string> {
  const names = wantedNodes(context.cluster).flatMap(({ name, pool, zone }) => {
    const ordinals = Array.from({ length: podsNow(context, pool, zone) }, (_, at) => at);
    return ordinals.some((at) => nodeName(zone.name, at) === name) ? [] : [name];
  });
  return new Set(names);
}

/** A StatefulSet that there is stays as it is wanted; a new one waits until its nodes may start. */
export async function runPods(context: Context): Promise<TaskResult> {
  const { cluster, tools } = context;
  const namespace = cluster.metadata.namespace ?? '';
  const formation = observeFormation(context);
  const wanted = cluster.spec.pools.flatMap((pool) =>
    zonesOf(cluster, pool).flatMap((zone) => {
      const key = keyOf({ namespace, name: statefulSetName(zone.name) });
      const found = tools.informers.statefulSets.get(key);
      const first = mayStart(formation, nodeName(zone.name, 0));
      if (found === undefined && !first) return [];
      const template = wantedTemplate(context, pool, zone);
      const replicas = podsNow(context, pool, zone);
      const at = { cluster, pool, zone: { ...zone, replicas } };
      const manifest = statefulSet(at, template, claimSizeOf(found));
      return [[resources.statefulSets, manifest] as const];
    }),
  );
  return applyAll(context, wanted);
}

/** Roles are labels of the pods, so that they can change without a new pod. */
export async function labelPods({ cluster, tools, signal }: Context): Promise<TaskResult> {
  const namespace = cluster.metadata.namespace ?? '';
  for (const node of wantedNodes(cluster)) {
    const pod = tools.informers.pods.get(keyOf({ namespace, name: node.name }));
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
    const labels = roleLabelPatch(pod.metadata.labels ?? {}, node.pool.roles);
    if (labels === undefined) continue;
    // Only for the observed pod: its successor has its own labels.
    const patch = { metadata: { uid: pod.metadata.uid, labels } };
    try {
      await tools.client.mergePatch(resources.pods, pod.metadata, patch, { signal });
    } catch (error) {
      // The pod has gone meanwhile; its successor brings the cluster back.
      if (!isKubeError(error, 'kube.not_found', 'kube.conflict')) throw error;
    }
  }
  return complete;
}
