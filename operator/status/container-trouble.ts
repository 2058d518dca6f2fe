/** Why a container of a pod does not run, from what the kubelet reports of it. Pure. */
import { reasons } from '../api/conditions.ts';
import type { Trouble } from '../api/node-view.ts';
import type { Container, ContainerStatus, ElapsedMs, Pod, Terminated } from './observed.ts';
import { lastWords, shortened } from './sentence.ts';

/** States of a container that is on its way. */
const ordinary: readonly string[] = ['ContainerCreating', 'PodInitializing'];

/** An error that is there after this time is not the hiccup of a registry. */
const settledMs = 20_000;

/** A container that runs for less than this after failures has not recovered yet. */
const recoveredMs = 30_000;

/** So many restarts in a row are no accident. */
const restartsMany = 3;

const imageReasons: Readonly<Record<string, string>> = {
  ErrImagePull: 'cannot be pulled',
  ImagePullBackOff: 'cannot be pulled',
  InvalidImageName: 'has an invalid name',
  ErrImageNeverPull: 'is not on the machine, and spec.image.pullPolicy is Never',
  ImageInspectError: 'cannot be inspected',
  RegistryUnavailable: 'cannot be pulled',
};

interface ContainerFacts {
  readonly status: ContainerStatus;
  readonly spec?: Container | undefined;
  readonly pod: string;
  readonly pool: string;
  /** The name of the database's container: its resources are the pool's. */
  readonly mainName: string;
  /** Since the readiness of the pod changed last. */
  readonly unreadyMs: number;
  /** What the kubelet's events say of a failed pull: more than the state does. */
  readonly pullNote?: string | undefined;
  readonly elapsedMs: ElapsedMs;
}

function times(count: number): string {
  return count === 1 ? '1 restart' : `${count} restarts`;
}

function imageTrouble({ status, spec, unreadyMs, pullNote }: ContainerFacts): Trouble | undefined {
  const { reason = '', message = '' } = status.state?.waiting ?? {};
  const what = Object.hasOwn(imageReasons, reason) ? imageReasons[reason] : undefined;
  if (what === undefined) return undefined;
  const isPull = what === 'cannot be pulled';
  // While it waits for the next attempt, older kubelets leave out why the last one failed.
  const isBare = !message.includes(': ') && pullNote !== undefined;
  const detail = shortened(isPull && isBare ? pullNote : message);
  return {
    reason: reasons.imageUnavailable,
    message: `image ${spec?.image ?? `of container ${status.name}`} ${what} (${reason})${detail === '' ? '' : `: ${detail}`}; correct spec.image, or make the image available`,
    isCertain: !isPull || unreadyMs > settledMs,
  };
}

function limitOf({ spec }: ContainerFacts): string {
  const limit = spec?.resources?.limits?.['memory'];
  return limit === undefined ? 'no limit of its own' : `a limit of ${limit}`;
}

function isOutOfMemory(terminated: Terminated | undefined): boolean {
  return terminated?.reason === 'OOMKilled';
}

/** How a container ended, and what to do about it. */
function endOf(facts: ContainerFacts, end: Terminated): Pick<Trouble, 'reason' | 'message'> {
  const { status, pod, pool, mainName } = facts;
  const restarts = times(status.restartCount ?? 0);
  if (isOutOfMemory(end)) {
    const remedy =
      status.name === mainName
        ? `raise resources.limits.memory of pool ${pool}`
        : 'raise its limit in the template of the pool';
    return {
      reason: reasons.outOfMemory,
      message: `container ${status.name} was killed because it ran out of memory (OOMKilled, ${limitOf(facts)}, ${restarts}): ${remedy}`,
    };
  }
  const says = lastWords(end.message ?? '');
  const why = end.reason === undefined || end.reason === 'Error' ? '' : `, ${end.reason}`;
  return {
    reason: reasons.crashLoop,
    message: `container ${status.name} ended with exit code ${end.exitCode ?? 'unknown'} (${restarts}${why})${says === undefined ? '' : `: ${says}`}; "kubectl logs ${pod} --container ${status.name} --previous" shows its log`,
  };
}

function isRunningAgain({ status, elapsedMs }: ContainerFacts): boolean {
  const { startedAt } = status.state?.running ?? {};
  return startedAt !== undefined && elapsedMs(startedAt) < recoveredMs;
}

function crashTrouble(facts: ContainerFacts): Trouble | undefined {
  const { state, lastState, restartCount = 0 } = facts.status;
  // A container that ended well is an init container that is done.
  if (state?.terminated?.exitCode === 0) return undefined;
  const end = state?.terminated ?? lastState?.terminated;
  if (end === undefined) return undefined;
  if (state?.waiting?.reason === 'CrashLoopBackOff' || state?.terminated !== undefined) {
    return { ...endOf(facts, end), isCertain: restartCount > 0 };
  }
  if (!isRunningAgain(facts)) return undefined;
  return { ...endOf(facts, end), isCertain: restartCount >= restartsMany };
}

function creationTrouble({ status, unreadyMs }: ContainerFacts): Trouble | undefined {
  const { reason, message = '' } = status.state?.waiting ?? {};
  if (reason === undefined || ordinary.includes(reason)) return undefined;
  const detail = message === '' ? '' : `: ${shortened(message)}`;
  return {
    reason: reasons.containerFailed,
    message: `container ${status.name} cannot be created (${reason})${detail}`,
    isCertain: unreadyMs > settledMs,
  };
}

function containerTrouble(facts: ContainerFacts): Trouble | undefined {
  return imageTrouble(facts) ?? crashTrouble(facts) ?? creationTrouble(facts);
}

export interface Containers {
  readonly pod: Pod;
  readonly pool: string;
  readonly mainName: string;
  readonly unreadyMs: number;
  readonly pullNote?: string | undefined;
  readonly elapsedMs: ElapsedMs;
}

function factsOf(containers: Containers): readonly ContainerFacts[] {
  const { pod, ...rest } = containers;
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  const specs = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  return [...initContainerStatuses, ...containerStatuses].map((status) => ({
    ...rest,
    status,
    pod: pod.metadata.name,
    spec: specs.find(({ name }) => name === status.name),
  }));
}

/** The first container in trouble, in the order in which they start. */
export function troubleOfContainers(containers: Containers): Trouble | undefined {
  for (const facts of factsOf(containers)) {
    const trouble = containerTrouble(facts);
    if (trouble !== undefined) return trouble;
  }
  return undefined;
}

/** The last time that a container was out of memory, of a pod that serves again. */
export function memoryIncident(containers: Containers): string | undefined {
  for (const facts of factsOf(containers)) {
    const end = facts.status.lastState?.terminated;
    if (end === undefined || !isOutOfMemory(end)) continue;
    const at = end.finishedAt === undefined ? '' : `${end.finishedAt}: `;
    return `${at}${endOf(facts, end).message}`;
  }
  return undefined;
}
