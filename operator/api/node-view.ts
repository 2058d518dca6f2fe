/**
 * A wanted node as the operator sees it: its pod, as the kubelet reports it, and what the node
 * reports of itself. Decisions are made on these, never on raw objects.
 */
export interface PodView {
  readonly uid: string;
  /** From its annotation; absent on a pod that somebody else has made. */
  readonly revision?: string;
  readonly isReady: boolean;
  readonly isTerminating: boolean;
  /** Since its readiness changed last, or since it was made. */
  readonly unchangedMs: number;
  /** Why it does not start, in the words of Kubernetes. */
  readonly trouble?: string;
}

export interface NodeReport {
  readonly health?: string;
  readonly message?: string;
  readonly version?: string;
  readonly revision?: string;
  readonly isLogCorrupt: boolean;
}

export interface NodeView {
  readonly name: string;
  readonly pool: string;
  readonly roles: readonly string[];
  readonly wantedRevision: string;
  readonly pod?: PodView;
  readonly report?: NodeReport;
  /** False when the node has reported before, and then missed three refreshes. */
  readonly isHeard: boolean;
}

/** Serves the wanted revision, by the word of the kubelet and by its own. */
export function isCurrent({ pod, report, isHeard, wantedRevision }: NodeView): boolean {
  if (pod === undefined || pod.isTerminating || !pod.isReady || !isHeard) return false;
  return (
    pod.revision === wantedRevision &&
    report?.revision === wantedRevision &&
    report.health === 'Ready'
  );
}

/** Runs, and not as it is wanted. */
export function isOutdated({ pod, wantedRevision }: NodeView): boolean {
  return pod !== undefined && !pod.isTerminating && pod.revision !== wantedRevision;
}
