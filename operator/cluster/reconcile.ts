/**
 * One reconcile of one cluster: an ordered list of tasks. Each starts from the observed state, so a
 * reconcile that was cut off anywhere is simply begun again. A task that is not complete holds back
 * those that depend on it, and the status reports what it waits for.
 */
import type { ReconcileResult } from '../controller/controller.ts';
import { Failures, outcomeOf } from './outcome.ts';
import type { StatusWriter } from './status-writer.ts';
import type { Step } from './steps.ts';
import { carryOutAll } from './steps.ts';
import type { Context, Task, Tools } from './task.ts';
import { distributeTrust, provideAuthority } from './tasks/authority.ts';
import { adoptClaims, guardClaims, reportUnusedClaims } from './tasks/claims.ts';
import { clearUp } from './tasks/clear-up.ts';
import { awaitFounding, guardFormation } from './tasks/formation.ts';
import { guardIdentities } from './tasks/identities.ts';
import { checkManifest } from './tasks/manifest.ts';
import {
  declareNodes,
  grantAccess,
  guardNetwork,
  limitDisruption,
  openClientService,
  openNodesService,
  writeConfiguration,
} from './tasks/objects.ts';
import { announcePassword, providePassword } from './tasks/password.ts';
import { carryOutOrders } from './tasks/orders.ts';
import { labelPods, runPods } from './tasks/pods.ts';
import { replaceOutdatedPods } from './tasks/rollout.ts';
import { growClaims, renewClaimTemplates } from './tasks/volumes.ts';

/** Without these a pod would fail to start, or start without protection. */
const beforePods: readonly Task[] = [
  checkManifest,
  providePassword,
  grantAccess,
  declareNodes,
  writeConfiguration,
  openNodesService,
  adoptClaims,
];

const steps: readonly Step[] = [
  { task: checkManifest },
  { task: providePassword },
  { task: provideAuthority },
  { task: distributeTrust, needs: [provideAuthority] },
  { task: grantAccess },
  { task: declareNodes },
  { task: writeConfiguration },
  { task: openNodesService },
  { task: openClientService },
  { task: limitDisruption },
  { task: guardNetwork },
  { task: adoptClaims },
  { task: guardClaims },
  { task: guardIdentities },
  { task: guardFormation },
  { task: growClaims },
  { task: reportUnusedClaims },
  { task: runPods, needs: beforePods },
  { task: labelPods },
  { task: carryOutOrders, needs: [provideAuthority] },
  { task: announcePassword, needs: [providePassword] },
  { task: replaceOutdatedPods, needs: [runPods] },
  { task: awaitFounding },
  { task: renewClaimTemplates, needs: [runPods, growClaims] },
  { task: clearUp, needs: [replaceOutdatedPods] },
];

/** How often an unchanged cluster is reconciled: to detect nodes that stopped reporting. */
const resyncPeriodMs = 30_000;

/** Drops what was remembered of a cluster that is gone. */
function forget(tools: Tools, writer: StatusWriter, key: string, uid: string | undefined): void {
  tools.expectations.forget(key);
  tools.poller.forget(key);
  tools.drains.forget(key);
  tools.removals.forget(key);
  tools.signings.forget(key);
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
  const failures = new Failures();
  return async (key, signal) => {
    const cluster = tools.informers.clusters.get(key);
    const { uid = '', deletionTimestamp } = cluster?.metadata ?? {};
    const known = uids.get(key);
    if (known !== undefined && known !== uid) forget(tools, writer, key, known);
    // What a deleted cluster owned is collected by Kubernetes.
    if (cluster === undefined || deletionTimestamp !== undefined) {
      uids.delete(key);
      failures.note(key, false, tools.clock.now());
      forget(tools, writer, key, known);
      return { type: 'done' };
    }
    uids.set(key, uid);
    const context: Context = { key, cluster, tools, signal };
    await writer.claim(context);
    const { result, error } = await carryOutAll(steps, context);
    const failingMs = failures.note(key, error !== undefined, tools.clock.now());
    const outcome = outcomeOf(result, error, failingMs);
    if (outcome !== undefined) await writer.conclude(context, outcome);
    if (error !== undefined) throw error;
    return { type: 'after', delayMs: result.type === 'retry' ? result.afterMs : resyncPeriodMs };
  };
}
