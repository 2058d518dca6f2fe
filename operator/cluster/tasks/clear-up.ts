/**
 * What no pod uses any more: configurations, trials, and the objects of nodes and pools that the
 * manifest no longer names. It comes last: until then a pod may still need one.
 */
import { keyOf } from '../../controller/object.ts';
import type { KubeObject, Resource } from '../../kube/object.ts';
import { resources } from '../../kube/object.ts';
import { wantedNodes, zonesOf } from '../../resources/layout.ts';
import { authorityConfigMapName, poolObjectName, statefulSetName } from '../../resources/names.ts';
import { configMap } from '../../resources/node-config.ts';
import { isOwned } from '../applier.ts';
import type { Context } from '../task.ts';
import type { TaskResult } from '../task-result.ts';
import { complete } from '../task-result.ts';
import { removeTrials } from './image-trial.ts';

async function removeAllBut(
  { cluster, tools, signal }: Context,
  resource: Resource,
  objects: readonly KubeObject[],
  isUsed: (name: string) => boolean,
): Promise<void> {
  for (const object of objects) {
    const { metadata } = object;
    const isLeaving = metadata.deletionTimestamp !== undefined;
    if (isLeaving || isUsed(metadata.name) || !isOwned(object, cluster)) continue;
    const precondition = metadata.uid === undefined ? {} : { uid: metadata.uid };
    await tools.client.remove(resource, metadata, { ...precondition, signal });
  }
}

export async function clearUp(context: Context): Promise<TaskResult> {
  const { cluster, tools } = context;
  const { informers, hash } = tools;
  await removeTrials(context);
  const pods = informers.pods.ofCluster(cluster);
  const configurations = new Set([
    configMap(cluster, hash).metadata.name,
    authorityConfigMapName(cluster.metadata.name),
    ...pods.flatMap(({ spec }) => spec?.volumes?.map((volume) => volume.configMap?.name) ?? []),
  ]);
  await removeAllBut(
    context,
    resources.configMaps,
    informers.configMaps.ofCluster(cluster),
    (name) => configurations.has(name),
  );
  await clearUpPools(context);
  return complete;
}

/** The pods of a StatefulSet go with it; a node's object goes when its pod has gone. */
async function clearUpPools(context: Context): Promise<void> {
  const { cluster, tools } = context;
  const { name: clusterName, namespace = '' } = cluster.metadata;
  const { informers } = tools;
  const { pools } = cluster.spec;
  const sets = new Set(
    pools.flatMap((pool) => zonesOf(cluster, pool).map(({ name }) => statefulSetName(name))),
  );
  await removeAllBut(
    context,
    resources.statefulSets,
    informers.statefulSets.ofCluster(cluster),
    (name) => sets.has(name),
  );
  const poolNames = new Set(pools.map(({ name }) => poolObjectName(clusterName, name)));
  await removeAllBut(context, resources.photonPools, informers.pools.ofCluster(cluster), (name) =>
    poolNames.has(name),
  );
  const nodes = new Set(wantedNodes(cluster).map(({ name }) => name));
  await removeAllBut(
    context,
    resources.photonNodes,
    informers.nodes.ofCluster(cluster),
    (name) => nodes.has(name) || informers.pods.get(keyOf({ namespace, name })) !== undefined,
  );
}
