/** Carries out the roller's decisions, on caches that show what was done before. */
import { keyOf } from '../../controller/object.ts';
import type { KubeObject } from '../../kube/object.ts';
import { resources } from '../../kube/object.ts';
import {
  restartAnnotation,
  revisionAnnotation,
  selectorText,
  zoneSelector,
} from '../../resources/labels.ts';
import { wantedNodes } from '../../resources/layout.ts';
import { statefulSetName } from '../../resources/names.ts';
import type { NodeView } from '../../api/node-view.ts';
import type { TemplateRevision } from '../../rollout/known-template.ts';
import { knownAnnotations } from '../../rollout/known-template.ts';
import { decideRollout } from '../../rollout/rollout.ts';
import { mayStart } from '../../rollout/formation.ts';
import { observeFormation, observeNodes } from '../observe-nodes.ts';
import type { Context } from '../task.ts';
import type { TaskResult } from '../task-result.ts';
import { eventOf } from '../task.ts';
import { complete } from '../task-result.ts';
import { lossAtReplacement } from './claims.ts';
import { drainNode, endDrains } from './drain.ts';
import { tryImages } from './image-trial.ts';
import { heldBack } from './pods.ts';

/** How soon to ask again whether the controller of a StatefulSet knows its template. */
const takeUpMs = 500;

/** Why the successor of a pod would not be the wanted one; undefined when it would. */
async function unseenTemplate(context: Context, node: NodeView): Promise<string | undefined> {
  const { cluster, tools, signal } = context;
  const namespace = cluster.metadata.namespace ?? '';
  const wanted = wantedNodes(cluster).find(({ name }) => name === node.name);
  if (wanted === undefined) return undefined;
  const { pool, zone } = wanted;
  const name = statefulSetName(zone.name);
  const uid = tools.informers.statefulSets.get(keyOf({ namespace, name }))?.metadata.uid ?? '';
  const labels = zoneSelector(cluster.metadata.name, pool.name, zone.name.zoneIndex);
  const scope = { namespace, labelSelector: selectorText(labels) };
  const { items } = await tools.client.list<TemplateRevision & KubeObject>(
    resources.controllerRevisions,
    scope,
    { signal },
  );
  const known = knownAnnotations(items, uid) ?? {};
  const isRestartKnown =
    node.wantedRestart === undefined || known[restartAnnotation] === node.wantedRestart;
  return isRestartKnown && known[revisionAnnotation] === node.wantedRevision
    ? undefined
    : `StatefulSet ${name} is taking up its new template`;
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

/** Nothing is deleted that could not be recreated unchanged. */
async function replaceWithCare(
  context: Context,
  node: NodeView,
  message: string,
): Promise<TaskResult> {
  const loss = await lossAtReplacement(context, node);
  if (loss !== undefined) {
    return { type: 'wait', message: `pod ${node.name} is not replaced: ${loss}` };
  }
  const unseen = await unseenTemplate(context, node);
  if (unseen !== undefined) return { type: 'retry', message: unseen, afterMs: takeUpMs };
  const trial = await tryImages(context, node);
  if (trial.type !== 'complete') return trial;
  const drained = await drainNode(context, node);
  if (drained.type !== 'complete') return drained;
  await replace(context, node, message);
  return { type: 'wait', message };
}

export async function replaceOutdatedPods(context: Context): Promise<TaskResult> {
  const { key, tools } = context;
  const { informers, expectations, clock } = tools;
  const lookup = (kind: string, name: string): ReturnType<typeof informers.find> =>
    informers.find(kind, name);
  const [outstanding] = expectations.outstanding(key, lookup, clock.now());
  if (outstanding !== undefined) return { type: 'wait', message: outstanding };
  const formation = observeFormation(context);
  const held = heldBack(context);
  const started = observeNodes(context).filter(
    ({ name, pod }) => pod !== undefined || (mayStart(formation, name) && !held.has(name)),
  );
  const decision = decideRollout(started);
  await endDrains(context, decision.type === 'replace' ? decision.node : undefined);
  switch (decision.type) {
    case 'settled':
      if (held.size === 0) return complete;
      return { type: 'wait', message: `${held.size} nodes start when the first one is prepared` };
    case 'replace':
      return replaceWithCare(context, decision.node, decision.message);
    case 'wait':
      return { type: 'wait', message: decision.message };
    case 'stopped':
      return { type: 'fail', reason: decision.reason, message: decision.message };
  }
}
