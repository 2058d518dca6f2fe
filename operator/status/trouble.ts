/**
 * Why a node has no ready pod: from its pod, its volume claim, and what other controllers say in
 * events. Kubernetes keeps some reasons in events alone. Pure.
 */
import { reasons } from '../api/conditions.ts';
import type { Reason } from '../api/conditions.ts';
import type { Trouble } from '../api/node-view.ts';
import { troubleOfContainers } from './container-trouble.ts';
import type { Containers } from './container-trouble.ts';
import type { Evidence, Pod, SeenEvent } from './observed.ts';
import { shortened } from './sentence.ts';

/** Older events are obsolete; controllers repeat current ones within this time. */
const eventAgeMaxMs = 20 * 60_000;

/** A pod that was evicted longer ago is not the reason why its successor does not run. */
const evictionAgeMaxMs = 5 * 60_000;

/** The first of those that are equally old. */
function newest(events: readonly SeenEvent[]): SeenEvent | undefined {
  return events.toSorted((a, b) => a.ageMs - b.ageMs)[0];
}

/** The newest event about the object that is there now, with one of these reasons. */
function newestOf(
  { events }: Evidence,
  kind: string,
  wanted: readonly string[],
): SeenEvent | undefined {
  const about = events.filter((event) => event.kind === kind && event.isCurrent);
  return newest(
    about.filter(({ reason, ageMs }) => wanted.includes(reason) && ageMs <= eventAgeMaxMs),
  );
}

function claimTrouble(evidence: Evidence): Trouble | undefined {
  const { claim } = evidence;
  if (claim === undefined) return undefined;
  const reason = reasons.storageUnavailable;
  if (claim.phase === 'Lost') {
    const message = `volume claim ${claim.name} has lost its volume: restore the volume, or restore the data from a backup`;
    return { reason, message, isCertain: true };
  }
  if (claim.phase !== 'Pending') return undefined;
  const event = newestOf(evidence, 'PersistentVolumeClaim', [
    'ProvisioningFailed',
    'FailedBinding',
  ]);
  if (event === undefined) return undefined;
  const remedy = event.note.includes('no storage class is set')
    ? 'set storage.className of the pool in a new cluster, or mark a StorageClass as default'
    : 'the StorageClass, its provisioner or its quota has to be fixed';
  const message = `volume claim ${claim.name} has no volume: ${shortened(event.note)}; ${remedy}`;
  // What the provisioner tries again may work; a class that does not exist is not tried.
  const isCertain = /not found|no storage class is set/.test(event.note);
  return { reason, message, isCertain };
}

/** A quota that is used up, or that asks for limits which the manifest does not set. */
export function namesQuota(message: string): boolean {
  return /exceeded quota|failed quota/.test(message);
}

function refusedPod(evidence: Evidence): Trouble | undefined {
  const event = newestOf(evidence, 'StatefulSet', ['FailedCreate']);
  const success = newestOf(evidence, 'StatefulSet', ['SuccessfulCreate']);
  if (event === undefined) return undefined;
  // It is over when a pod was created since, even when that pod is gone again.
  if (success !== undefined && success.ageMs < event.ageMs) return undefined;
  const isQuota = namesQuota(event.note);
  const remedy = isQuota
    ? '; raise the ResourceQuota, free what it counts, or set resources of the pool'
    : '';
  return {
    reason: isQuota ? reasons.quotaExceeded : reasons.podRefused,
    message: `the API server refuses the pod: ${shortened(event.note)}${remedy}`,
    isCertain: true,
  };
}

const evictions: readonly string[] = ['Evicted', 'Preempted', 'TaintManagerEviction'];

function eviction(evidence: Evidence): Trouble | undefined {
  // About a former pod of the name, too: the one that was removed is gone.
  const event = newest(
    evidence.events.filter(
      ({ kind, reason, ageMs }) =>
        kind === 'Pod' && evictions.includes(reason) && ageMs <= evictionAgeMaxMs,
    ),
  );
  if (event === undefined) return undefined;
  const message = `the pod was removed from its machine (${event.reason}): ${shortened(event.note)}`;
  return { reason: reasons.evicted, message, isCertain: false };
}

function failedPod({ status }: Pod): Trouble | undefined {
  if (status?.phase !== 'Failed') return undefined;
  const { reason: why = 'Failed', message = '' } = status;
  const reason = why === 'Evicted' ? reasons.evicted : reasons.podRefused;
  const detail = message === '' ? '' : `: ${shortened(message)}`;
  return {
    reason,
    message: `the machine does not run the pod (${why})${detail}`,
    isCertain: false,
  };
}

function unscheduled({ status }: Pod): Trouble | undefined {
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status !== 'False' || scheduled.message === undefined) return undefined;
  return {
    reason: reasons.unschedulable,
    message: `no machine takes the pod: ${shortened(scheduled.message)}`,
    isCertain: false,
  };
}

/** What the kubelet reports only in events, with the sentence and the reason for it. */
const kubeletEvents: readonly (readonly [event: string, reason: Reason, what: string])[] = [
  ['FailedCreatePodSandBox', reasons.sandboxFailed, 'cannot create the sandbox of the pod'],
  ['FailedMount', reasons.storageUnavailable, 'cannot mount a volume of the pod'],
  ['FailedMapVolume', reasons.storageUnavailable, 'cannot mount a volume of the pod'],
  ['FailedAttachVolume', reasons.storageUnavailable, 'waits for a volume that is not attached'],
  ['FailedPodSandBoxStatus', reasons.sandboxFailed, 'cannot look at the sandbox of the pod'],
];

function kubeletTrouble(pod: Pod, evidence: Evidence): Trouble | undefined {
  const names = kubeletEvents.map(([name]) => name);
  const event = newestOf(evidence, 'Pod', names);
  const known = kubeletEvents.find(([name]) => name === event?.reason);
  if (event === undefined || known === undefined) return undefined;
  const [name, reason, what] = known;
  const machine = pod.spec?.nodeName === undefined ? 'a machine' : `machine ${pod.spec.nodeName}`;
  const message = `${machine} ${what} (${name}): ${shortened(event.note)}`;
  return { reason, message, isCertain: false };
}

/** A probe that failed longer ago is no news. */
const probeAgeMaxMs = 60_000;

/** Containers that run, and do not serve: their machine is lost, or their process hangs. */
function silentTrouble(pod: Pod, evidence: Evidence): Trouble | undefined {
  const lost = newestOf(evidence, 'Pod', ['NodeNotReady']);
  if (lost !== undefined) {
    const machine = pod.spec?.nodeName ?? 'of the pod';
    const message = `machine ${machine} does not answer (NodeNotReady): bring it back, or delete it from Kubernetes so that the pod may move`;
    return { reason: reasons.nodesUnknown, message, isCertain: false };
  }
  const probe = newestOf(evidence, 'Pod', ['Unhealthy']);
  // A node that answers with an error reports what it lacks; a start takes time.
  const isHanging =
    probe !== undefined && probe.ageMs <= probeAgeMaxMs && !/^Startup|statuscode/.test(probe.note);
  if (!isHanging) return undefined;
  const message = `the process of the pod does not answer: ${shortened(probe.note)}`;
  return { reason: reasons.nodesUnhealthy, message, isCertain: false };
}

/** A failed pull in the words of the kubelet's event. */
function pullNote(evidence: Evidence): string | undefined {
  const event = newestOf(evidence, 'Pod', ['Failed']);
  return event?.note.startsWith('Failed to pull image') === true ? event.note : undefined;
}

export type PodFacts = Omit<Containers, 'pullNote'>;

/** Why the pod of a node is not ready; undefined while it only takes its time. */
export function troubleOfPod(facts: PodFacts, evidence: Evidence): Trouble | undefined {
  const { pod } = facts;
  const isStarted = (pod.status?.containerStatuses ?? []).some(
    ({ state }) => state?.running !== undefined,
  );
  return (
    failedPod(pod) ??
    (pod.spec?.nodeName === undefined ? claimTrouble(evidence) : undefined) ??
    unscheduled(pod) ??
    troubleOfContainers({ ...facts, pullNote: pullNote(evidence) }) ??
    (isStarted
      ? silentTrouble(pod, evidence)
      : (kubeletTrouble(pod, evidence) ?? eviction(evidence)))
  );
}

/** Why a node has no pod at all; undefined while its StatefulSet is about to make one. */
export function troubleWithoutPod(evidence: Evidence): Trouble | undefined {
  return refusedPod(evidence) ?? claimTrouble(evidence) ?? eviction(evidence);
}
