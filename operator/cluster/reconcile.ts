/**
 * One reconcile of one cluster: an ordered list of tasks. Each looks at the world as it is, so a
 * reconcile that was cut off anywhere is simply begun again; the first task that is not complete
 * ends it, and the status tells what it waits for.
 */
import { reasons } from '../api/conditions.ts';
import type { ReconcileResult } from '../controller/controller.ts';
import { isKubeError } from '../kube/errors.ts';
import type { Outcome } from '../status/conditions.ts';
import { observeNodes } from './observe-nodes.ts';
import type { StatusWriter } from './status-writer.ts';
import type { Context, Task, TaskResult, Tools } from './task.ts';
import { complete } from './task.ts';
import { clearUp } from './tasks/clear-up.ts';
import { checkManifest } from './tasks/manifest.ts';
import { declareNodes, grantAccess, openServices, writeConfiguration } from './tasks/objects.ts';
import { providePassword } from './tasks/password.ts';
import { labelPods, runPods } from './tasks/pods.ts';
import { replaceOutdatedPods } from './tasks/rollout.ts';
import { growVolumes } from './tasks/volumes.ts';

const tasks: readonly Task[] = [
  checkManifest,
  providePassword,
  grantAccess,
  declareNodes,
  writeConfiguration,
  openServices,
  runPods,
  labelPods,
  replaceOutdatedPods,
  growVolumes,
  clearUp,
];

/**
 * How often a cluster is looked at although nothing has changed: for silent nodes, and for Secrets,
 * which are not watched.
 */
const lookAgainMs = 30_000;

/** Refusals of the API server are the user's to resolve, and are asked for again all the same. */
async function carryOut(task: Task, context: Context): Promise<TaskResult> {
  try {
    return await task(context);
  } catch (error) {
    if (!isKubeError(error, 'kube.invalid', 'kube.forbidden', 'kube.bad_request')) throw error;
    const message = `the API server refuses: ${error.message}`;
    return { type: 'fail', reason: reasons.refused, message };
  }
}

async function carryOutAll(context: Context): Promise<TaskResult> {
  for (const task of tasks) {
    const result = await carryOut(task, context);
    if (result.type !== 'complete') return result;
  }
  return complete;
}

function outcomeOf(result: TaskResult): Outcome {
  return result.type === 'retry' ? { type: 'wait', message: result.message } : result;
}

/** Drops what was remembered of a cluster that is gone. */
function forget(tools: Tools, writer: StatusWriter, key: string, uid: string | undefined): void {
  tools.expectations.forget(key);
  if (uid === undefined) return;
  tools.applier.forget(uid);
  writer.forget(uid);
}

/** A function that brings the cluster of a key nearer to its manifest. */
export function reconciler(
  tools: Tools,
  writer: StatusWriter,
): (key: string, signal: AbortSignal) => Promise<ReconcileResult> {
  const uids = new Map<string, string>();
  return async (key, signal) => {
    const cluster = tools.world.clusters.get(key);
    const { uid = '', deletionTimestamp } = cluster?.metadata ?? {};
    const known = uids.get(key);
    if (known !== undefined && known !== uid) forget(tools, writer, key, known);
    // What a deleted cluster owned is collected by Kubernetes.
    if (cluster === undefined || deletionTimestamp !== undefined) {
      uids.delete(key);
      forget(tools, writer, key, known);
      return { type: 'done' };
    }
    uids.set(key, uid);
    const context: Context = { key, cluster, tools, signal };
    await writer.claim(context);
    const result = await carryOutAll(context);
    await writer.conclude(context, outcomeOf(result), observeNodes(context));
    return { type: 'after', delayMs: result.type === 'retry' ? result.afterMs : lookAgainMs };
  };
}
