/**
 * Tests the images of a new revision next to the serving pod, before that pod is replaced. The
 * trial is an object of the cluster: who dies in the middle finds it again.
 */
import type { NodeView } from '../../api/node-view.ts';
import { reasons } from '../../api/conditions.ts';
import { keyOf } from '../../controller/object.ts';
import { isKubeError } from '../../kube/errors.ts';
import { resources } from '../../kube/object.ts';
import type { TrialPod } from '../../resources/image-trial.ts';
import {
  imageTrial,
  skipTrialAnnotation,
  trialAnnotation,
  trialLabel,
  untriedImages,
} from '../../resources/image-trial.ts';
import { wantedNodes } from '../../resources/layout.ts';
import { trialName } from '../../resources/names.ts';
import { nodeContainer } from '../../resources/overlay.ts';
import type { TrialVerdict } from '../../rollout/image-trial.ts';
import { trialVerdict } from '../../rollout/image-trial.ts';
import type { Context } from '../task.ts';
import type { TaskResult } from '../task-result.ts';
import { eventOf, wantedTemplate } from '../task.ts';
import { complete } from '../task-result.ts';
import type { RunningPod } from '../informer-set.ts';

/** After a trial that did not pass: what was in its way may have gone. */
const againMs = 5 * 60_000;

function podOf({ cluster, tools }: Context, name: string): RunningPod | undefined {
  return tools.informers.pods.get(keyOf({ namespace: cluster.metadata.namespace ?? '', name }));
}

/** The trial that is needed before this node may be replaced; undefined when none is. */
function wantedTrial(context: Context, { name }: NodeView): TrialPod | undefined {
  const { cluster, tools } = context;
  const wanted = wantedNodes(cluster).find((node) => node.name === name);
  const template =
    wanted === undefined ? undefined : wantedTemplate(context, wanted.pool, wanted.zone)?.template;
  const running = podOf(context, name);
  if (template === undefined || running === undefined) return undefined;
  const { containers = [], initContainers = [], nodeName } = running.spec ?? {};
  const present = [...initContainers, ...containers].map(({ image = '' }) => image);
  const images = untriedImages(template, new Set(present));
  const skipped = cluster.metadata.annotations?.[skipTrialAnnotation];
  if (images.size === 0 || (skipped !== undefined && images.has(skipped))) return undefined;
  return imageTrial({ cluster, node: name, template, images, machine: nodeName }, tools.hash);
}

/** What the user can do if no trial is possible. */
function wayOut(context: Context, trial: TrialPod): string {
  const { name, namespace = '' } = context.cluster.metadata;
  const [container] = trial.spec.containers;
  return `free resources for one more pod; or, to replace it without a trial: kubectl annotate photoncluster ${name} --namespace ${namespace} ${skipTrialAnnotation}=${container?.image ?? ''} --overwrite`;
}

async function begin(context: Context, trial: TrialPod, node: string): Promise<TaskResult> {
  const { tools, signal } = context;
  const images = trial.spec.containers.map(({ image }) => image).join(', ');
  try {
    await tools.client.create(resources.pods, trial, { signal });
  } catch (error) {
    // Made already, and not seen yet.
    if (isKubeError(error, 'kube.already_exists')) {
      return { type: 'retry', message: `image ${images} is being tried`, afterMs: 1_000 };
    }
    if (!isKubeError(error, 'kube.forbidden', 'kube.invalid')) throw error;
    const message = `pod ${node} is not replaced, since image ${images} cannot be tested next to it: ${error.message}; ${wayOut(context, trial)}`;
    return { type: 'fail', reason: reasons.refused, message };
  }
  const note = `trying image ${images} before pod ${node} is replaced`;
  const event = { type: 'Normal', reason: 'TryingImage', action: 'CreatePod', note } as const;
  tools.emit(eventOf(context, event));
  return { type: 'wait', message: note };
}

async function remove(context: Context, trial: RunningPod): Promise<void> {
  const { name, namespace = '', uid = '' } = trial.metadata;
  const { tools, signal } = context;
  await tools.client.remove(resources.pods, { namespace, name }, { uid, signal });
}

function isOver(context: Context, { metadata }: RunningPod): boolean {
  const since = Date.parse(metadata.creationTimestamp ?? '');
  return context.tools.clock.wallMs() - since > againMs;
}

/** A trial of something else, or one that is to be tried again. */
function isObsolete(context: Context, trial: RunningPod, wanted: TrialPod): boolean {
  const mark = trial.metadata.annotations?.[trialAnnotation];
  if (mark !== wanted.metadata.annotations?.[trialAnnotation]) return true;
  const { type } = verdictOf(context, trial);
  return (type === 'unfit' || type === 'rejected') && isOver(context, trial);
}

function verdictOf({ cluster }: Context, trial: RunningPod): TrialVerdict {
  return trialVerdict(trial, { database: nodeContainer, version: cluster.spec.version });
}

/** What the trial means for the pod that serves. */
function resultOf(context: Context, verdict: TrialVerdict, wanted: TrialPod): TaskResult {
  const { imageUnavailable, rolloutStopped } = reasons;
  if (verdict.type === 'passed') return complete;
  const { message } = verdict;
  switch (verdict.type) {
    case 'running':
      return { type: 'wait', message };
    case 'unavailable':
      return { type: 'fail', reason: imageUnavailable, message: `${keptAsItIs}: ${message}` };
    case 'unfit':
      return { type: 'fail', reason: rolloutStopped, message: `${keptAsItIs}: ${message}` };
    case 'rejected': {
      const words = `${keptAsItIs}: ${message}; ${wayOut(context, wanted)}`;
      return { type: 'fail', reason: rolloutStopped, message: words };
    }
  }
}

const keptAsItIs = 'the pod that serves is not replaced';

/** Complete when the node may be replaced. A node that does not serve has nothing to lose. */
export async function tryImages(context: Context, node: NodeView): Promise<TaskResult> {
  const wanted = node.pod?.isReady === true ? wantedTrial(context, node) : undefined;
  if (wanted === undefined) return complete;
  const trial = podOf(context, trialName(node.name));
  if (trial === undefined) return begin(context, wanted, node.name);
  const isLeaving = trial.metadata.deletionTimestamp !== undefined;
  if (!isLeaving && !isObsolete(context, trial, wanted)) {
    return resultOf(context, verdictOf(context, trial), wanted);
  }
  if (!isLeaving) await remove(context, trial);
  return { type: 'wait', message: `a former trial for pod ${node.name} is being removed` };
}

/** Obsolete trials. */
export async function removeTrials(context: Context): Promise<void> {
  const { cluster, tools } = context;
  for (const pod of tools.informers.pods.ofCluster(cluster)) {
    const { labels = {}, deletionTimestamp } = pod.metadata;
    const isTrial = Object.entries(trialLabel).every(([key, value]) => labels[key] === value);
    if (isTrial && deletionTimestamp === undefined) await remove(context, pod);
  }
}
