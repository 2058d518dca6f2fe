/** Raw objects as the views that decisions are made on. Pure. */
import type { Metadata } from '../api/object.ts';
import type { NodeReport, NodeView, PodView } from '../api/node-view.ts';
import type { PhotonNode } from '../api/generated/photon-node.ts';

/** A pod, as far as it is read here. */
export interface Pod {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
      readonly lastTransitionTime?: string;
    }[];
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly state?: {
        readonly waiting?: { readonly reason?: string; readonly message?: string };
        readonly terminated?: { readonly reason?: string; readonly exitCode?: number };
      };
      readonly lastState?: {
        readonly terminated?: { readonly message?: string; readonly exitCode?: number };
      };
    }[];
  };
}

/** Time since a moment that Kubernetes wrote down, in RFC 3339; handed in, for this is pure. */
export type ElapsedMs = (since: string) => number;

/** Longer words of Kubernetes than this help nobody. */
const troubleLengthMax = 300;

function troubleOf({ status }: Pod): string | undefined {
  const unscheduled = status?.conditions?.find(
    ({ type, status }) => type === 'PodScheduled' && status === 'False',
  );
  if (unscheduled?.message !== undefined) return unscheduled.message;
  for (const { state, lastState } of status?.containerStatuses ?? []) {
    const { waiting } = state ?? {};
    if (waiting?.reason === undefined || waiting.reason === 'ContainerCreating') continue;
    const exit = lastState?.terminated?.exitCode;
    const words = [waiting.reason, waiting.message, exit === undefined ? '' : `exit code ${exit}`];
    return words.filter((word) => word !== undefined && word !== '').join(': ');
  }
  return undefined;
}

function podView(pod: Pod, annotation: string, elapsedMs: ElapsedMs): PodView {
  const { metadata, status } = pod;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const since = ready?.lastTransitionTime ?? metadata.creationTimestamp;
  const revision = metadata.annotations?.[annotation];
  const trouble = troubleOf(pod);
  return {
    uid: metadata.uid ?? '',
    ...(revision === undefined ? {} : { revision }),
    isReady: ready?.status === 'True',
    isTerminating: metadata.deletionTimestamp !== undefined,
    unchangedMs: since === undefined ? 0 : Math.max(0, elapsedMs(since)),
    ...(trouble === undefined ? {} : { trouble: trouble.slice(0, troubleLengthMax) }),
  };
}

function reportOf({ status }: PhotonNode): NodeReport | undefined {
  if (status === undefined) return undefined;
  const { health, message, version, revision, wal } = status;
  return {
    ...(health === undefined ? {} : { health }),
    ...(message === undefined ? {} : { message }),
    ...(version === undefined ? {} : { version }),
    ...(revision === undefined ? {} : { revision }),
    isLogCorrupt: wal?.state === 'Corrupt',
  };
}

export interface NodeObjects {
  readonly name: string;
  readonly pool: string;
  readonly roles: readonly string[];
  readonly wantedRevision: string;
  readonly pod?: Pod | undefined;
  readonly node?: PhotonNode | undefined;
  readonly isHeard: boolean;
}

export function nodeView(
  objects: NodeObjects,
  revisionAnnotation: string,
  elapsedMs: ElapsedMs,
): NodeView {
  const { pod, node, ...plain } = objects;
  const report = node === undefined ? undefined : reportOf(node);
  return {
    ...plain,
    ...(pod === undefined ? {} : { pod: podView(pod, revisionAnnotation, elapsedMs) }),
    ...(report === undefined ? {} : { report }),
  };
}
