/** Carries out the roller's decisions, on caches that show what was done before. */
import { reasons } from '../../api/conditions.ts';
import { keyOf } from '../../controller/object.ts';
import { resources } from '../../kube/object.ts';
import { revisionAnnotation } from '../../resources/labels.ts';
import { zonesOf } from '../../resources/layout.ts';
import { statefulSetName } from '../../resources/names.ts';
import type { NodeView } from '../../api/node-view.ts';
import { decideRollout } from '../../rollout/rollout.ts';
import { observeNodes } from '../observe-nodes.ts';
import type { Context, TaskResult } from '../task.ts';
import { complete, eventOf, wantedTemplate } from '../task.ts';
import type { StatefulSet } from '../world.ts';

/**
 * Whether the controller of a StatefulSet knows the wanted template. The observed generation may lie
 * above the actual one: when a StatefulSet is made anew while its controller writes the status of
 * the former one, that status lands on the new object and stays.
 */
function hasTakenUp(set: StatefulSet | undefined, revision: string | undefined): boolean {
  const seen = set?.spec?.template?.metadata?.annotations?.[revisionAnnotation];
  const { generation = 1 } = set?.metadata ?? {};
  return seen === revision && (set?.status?.observedGeneration ?? 0) >= generation;
}

/** A pod deleted before its StatefulSet's controller knows the new template comes back as it was. */
function unseenTemplate(context: Context): string | undefined {
  const { cluster, tools } = context;
  const namespace = cluster.metadata.namespace ?? '';
  for (const pool of cluster.spec.pools) {
    for (const zone of zonesOf(cluster, pool)) {
      const name = statefulSetName(zone.name);
      const set = tools.world.statefulSets.get(keyOf({ namespace, name }));
      if (!hasTakenUp(set, wantedTemplate(context, pool, zone)?.revision)) {
        return `StatefulSet ${name} is taking up its new template`;
      }
    }
  }
  return undefined;
}

async function replace(context: Context, node: NodeView, note: string): Promise<void> {
  const { cluster, key, tools, signal } = context;
  const at = { namespace: cluster.metadata.namespace ?? '', name: node.name };
  const uid = node.pod?.uid ?? '';
  await tools.client.remove(resources.pods, at, { uid, signal });
  tools.expectations.deleted(key, 'Pod', { metadata: { ...at, uid } }, tools.clock.now());
  tools.emit(
    eventOf(context, { type: 'Normal', reason: 'ReplacingPod', action: 'DeletePod', note }),
  );
}

export async function replaceOutdatedPods(context: Context): Promise<TaskResult> {
  const { key, tools } = context;
  const { world, expectations, clock } = tools;
  const lookup = (kind: string, name: string): ReturnType<typeof world.find> =>
    world.find(kind, name);
  const [outstanding] = expectations.outstanding(key, lookup, clock.now());
  const unseen = outstanding ?? unseenTemplate(context);
  if (unseen !== undefined) return { type: 'wait', message: unseen };
  const decision = decideRollout(observeNodes(context));
  switch (decision.type) {
    case 'settled':
      return complete;
    case 'replace':
      await replace(context, decision.node, decision.message);
      return { type: 'wait', message: decision.message };
    case 'wait':
      return { type: 'wait', message: decision.message };
    case 'stopped':
      return { type: 'fail', reason: reasons.rolloutStopped, message: decision.message };
  }
}
