/** Configurations and trials that no pod uses any more. It comes last: until then a pod may still need one. */
import { resources } from '../../kube/object.ts';
import { configMap } from '../../resources/node-config.ts';
import { isOwned } from '../applier.ts';
import type { Context, TaskResult } from '../task.ts';
import { complete } from '../task.ts';
import { removeTrials } from './image-trial.ts';

export async function clearUp(context: Context): Promise<TaskResult> {
  const { cluster, tools, signal } = context;
  await removeTrials(context);
  const { world, client, hash } = tools;
  const used = new Set([
    configMap(cluster, hash).metadata.name,
    ...world.pods
      .ofCluster(cluster)
      .flatMap(({ spec }) => spec?.volumes?.map((volume) => volume.configMap?.name) ?? []),
  ]);
  for (const { metadata } of world.configMaps
    .ofCluster(cluster)
    .filter((object) => isOwned(object, cluster))) {
    if (used.has(metadata.name) || metadata.deletionTimestamp !== undefined) continue;
    const precondition = metadata.uid === undefined ? {} : { uid: metadata.uid };
    await client.remove(resources.configMaps, metadata, { ...precondition, signal });
  }
  return complete;
}
