/**
 * A wanted node as the operator sees it: its pod, as the kubelet reports it, and what the node
 * reports of itself. Decisions are based on these, never on raw objects.
 */
import type { Reason } from './conditions.ts';

/** Why a node does not run, as far as Kubernetes reports it. */
export interface Trouble {
  readonly reason: Reason;
  /** What happened, why, and what to do. */
  readonly message: string;
  /** Permanent: a user has to change something. */
  readonly isCertain: boolean;
}

export interface PodView {
  readonly uid: string;
  /** From its annotation; absent on a pod that was not created by a StatefulSet of the cluster. */
  readonly revision?: string;
  /** When a restart was asked for that this pod has behind it, as kubectl writes it. */
  readonly restart?: string;
  readonly isReady: boolean;
  readonly isTerminating: boolean;
  /** Since its readiness changed last, or since it was made. */
  readonly unchangedMs: number;
  /** A failure that the pod has recovered from, such as a container that was out of memory. */
  readonly incident?: string;
}

/** The certificate that a node shows to others, as it reports it. */
export interface CertificateView {
  /** The hash of the authority that signed it. */
  readonly authority: string;
  /** When it expires, in RFC 3339. */
  readonly notAfter: string;
  readonly lifetimeMs: number;
  /** Until it expires; negative afterwards. */
  readonly leftMs: number;
  /** Why it was not renewed. */
  readonly message?: string;
}

/** Another node as a node sees it. */
export interface PeerView {
  /** Of its data directory. */
  readonly id: string;
  readonly state: string;
  readonly reason?: string;
}

/** How the replicas on a node stand, as the node reports it; `Ok` when it reports none. */
type ReplicaState = 'Ok' | 'Settling' | 'CatchingUp' | 'Degraded' | 'Unavailable';

export interface ReplicaView {
  readonly state: ReplicaState;
  readonly message?: string;
}

export interface NodeReport {
  readonly health?: string;
  readonly message?: string;
  readonly version?: string;
  readonly revision?: string;
  /** Of its data directory. */
  readonly id?: string;
  /** That its data directory should have, and does not. */
  readonly missingId?: string;
  readonly isLogCorrupt: boolean;
  readonly certificate?: CertificateView;
  /** The hashes of the authorities that it trusts. */
  readonly trusts?: readonly string[];
  readonly clusterId?: string;
  readonly peers?: readonly PeerView[];
  readonly replicas?: ReplicaView;
}

export interface NodeView {
  readonly name: string;
  readonly pool: string;
  readonly roles: readonly string[];
  readonly wantedRevision: string;
  /** The last restart request by `kubectl rollout restart`. */
  readonly wantedRestart?: string;
  /** The version that the manifest names. */
  readonly wantedVersion: string;
  /** The identity that the node has had, as far as its loss was not accepted. */
  readonly recordedId?: string;
  readonly pod?: PodView;
  /** Why its pod is not ready, or not there. */
  readonly trouble?: Trouble;
  readonly report?: NodeReport;
  /** False when the node has reported before, and then missed three heartbeat periods. */
  readonly isHeard: boolean;
}

function isAsWanted(pod: PodView, { wantedRevision, wantedRestart }: NodeView): boolean {
  const isRestarted = wantedRestart === undefined || pod.restart === wantedRestart;
  return pod.revision === wantedRevision && isRestarted;
}

/** False when its data directory is not the one that it has had; a loss may have been accepted. */
export function hasItsData({ report, recordedId }: NodeView): boolean {
  if (recordedId === undefined || report === undefined) return true;
  return report.missingId !== recordedId && (report.id ?? recordedId) === recordedId;
}

/** Serves the wanted revision, by the word of the kubelet and by its own. */
export function isCurrent(node: NodeView): boolean {
  const { pod, report, isHeard, wantedRevision } = node;
  if (pod === undefined || pod.isTerminating || !pod.isReady || !isHeard) return false;
  const isReporting = report?.revision === wantedRevision && report.health === 'Ready';
  return isReporting && isAsWanted(pod, node) && hasItsData(node);
}

/** Its report is of the pod that runs now: a report stays when its process has ended. */
export function reportsNow({ pod, report, isHeard }: NodeView): boolean {
  if (pod === undefined || pod.isTerminating || !pod.isReady || !isHeard) return false;
  return report !== undefined && report.revision === pod.revision;
}

/** What it reports of its replicas now; undefined when they are as they are to be. */
export function replicaTrouble(node: NodeView): ReplicaView | undefined {
  const replicas = reportsNow(node) ? node.report?.replicas : undefined;
  return replicas?.state === 'Ok' ? undefined : replicas;
}

/** Runs, and not as it is wanted. */
export function isOutdated(node: NodeView): boolean {
  const { pod } = node;
  return pod !== undefined && !pod.isTerminating && !isAsWanted(pod, node);
}
