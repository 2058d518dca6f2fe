/**
 * Drains a node before its pod is replaced: clients and other nodes are notified before the process ends. A node
 * that does not answer is replaced without; it drains on SIGTERM.
 */
import type { NodeView } from '../../api/node-view.ts';
import { keyOf } from '../../controller/object.ts';
import { AdminApiError } from '../../photon/admin-client.ts';
import type { RunningPod } from '../informer-set.ts';
import type { AdministeredNode } from '../node-admin.ts';
import { observeNodes } from '../observe-nodes.ts';
import type { Context } from '../task.ts';
import { eventOf } from '../task.ts';
import type { TaskResult } from '../task-result.ts';
import { complete } from '../task-result.ts';

/** A drained node stops being ready; after this time the pod is replaced in any case. */
const drainMs = 10_000;

/** How soon to look again. */
const lookMs = 1_000;

function podOf({ cluster, tools }: Context, name: string): RunningPod | undefined {
  return tools.informers.pods.get(keyOf({ namespace: cluster.metadata.namespace ?? '', name }));
}

async function begin(context: Context, node: AdministeredNode): Promise<TaskResult> {
  const { cluster, key, tools, signal } = context;
  const { name } = node.view;
  tools.drains.begin(key, {
    node: name,
    uid: node.pod.metadata.uid ?? '',
    sinceMs: tools.clock.now(),
  });
  try {
    await tools.nodeAdmin.setDraining(cluster, node, true, signal);
  } catch (error) {
    if (!(error instanceof AdminApiError)) throw error;
    const note = `pod ${name} is replaced without draining its node: ${error.message}`;
    const event = { type: 'Warning', reason: 'DrainFailed', action: 'Drain', note } as const;
    tools.emit(eventOf(context, event));
    return complete;
  }
  const note = `draining node ${name} before its pod is replaced`;
  tools.emit(eventOf(context, { type: 'Normal', reason: 'Draining', action: 'Drain', note }));
  return { type: 'retry', message: note, afterMs: lookMs };
}

/** Complete when the pod may be deleted. A node that does not serve needs no drain. */
export async function drainNode(context: Context, view: NodeView): Promise<TaskResult> {
  const { key, tools } = context;
  const pod = podOf(context, view.name);
  if (view.pod?.isReady !== true || pod === undefined) return complete;
  if (!tools.nodeAdmin.reaches({ view, pod })) return complete;
  const drain = tools.drains.of(key).find(({ uid }) => uid === pod.metadata.uid);
  if (drain === undefined) return begin(context, { view, pod });
  if (tools.clock.now() - drain.sinceMs > drainMs) return complete;
  const message = `draining node ${view.name} before its pod is replaced`;
  return { type: 'retry', message, afterMs: lookMs };
}

/** Nodes whose pods are not replaced after all serve again. */
export async function endDrains(context: Context, except: NodeView | undefined): Promise<void> {
  const { cluster, key, tools, signal } = context;
  const drains = tools.drains.of(key).filter(({ node }) => node !== except?.name);
  if (drains.length === 0) return;
  const views = observeNodes(context);
  for (const { node, uid } of drains) {
    const pod = podOf(context, node);
    const view = views.find(({ name }) => name === node);
    const isThere = pod?.metadata.uid === uid && pod.metadata.deletionTimestamp === undefined;
    if (isThere && view !== undefined) {
      try {
        await tools.nodeAdmin.setDraining(cluster, { view, pod }, false, signal);
      } catch (error) {
        if (!(error instanceof AdminApiError)) throw error;
        // The next reconcile tries again.
        continue;
      }
    }
    tools.drains.end(key, uid);
  }
}
