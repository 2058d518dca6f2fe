/** Converts raw objects to the views on which decisions are based. Pure. */
import type {
  CertificateView,
  NodeReport,
  NodeView,
  PeerView,
  PodView,
  ReplicaView,
  Trouble,
} from '../api/node-view.ts';
import type { PhotonNode } from '../api/generated/photon-node.ts';
import { memoryIncident } from './container-trouble.ts';
import type { ElapsedMs, Evidence, Pod } from './observed.ts';
import type { PodFacts } from './trouble.ts';
import { troubleOfPod, troubleWithoutPod } from './trouble.ts';

function podView(facts: PodFacts, names: Conventions): PodView {
  const { metadata, status } = facts.pod;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const revision = metadata.annotations?.[names.revisionAnnotation];
  const restart = metadata.annotations?.[names.restartAnnotation];
  const isReady = ready?.status === 'True';
  const incident = isReady ? memoryIncident(facts) : undefined;
  return {
    uid: metadata.uid ?? '',
    ...(revision === undefined ? {} : { revision }),
    ...(restart === undefined ? {} : { restart }),
    isReady,
    isTerminating: metadata.deletionTimestamp !== undefined,
    unchangedMs: facts.unreadyMs,
    ...(incident === undefined ? {} : { incident }),
  };
}

type Status = NonNullable<PhotonNode['status']>;

/** Undefined when a part is missing: the pod wrote it, and only the schema has validated it. */
function certificateOf({ status }: PhotonNode, elapsedMs: ElapsedMs): CertificateView | undefined {
  const { authority, notBefore, notAfter, message } = status?.certificate ?? {};
  if (authority === undefined || notBefore === undefined || notAfter === undefined) {
    return undefined;
  }
  return {
    authority,
    notAfter,
    lifetimeMs: elapsedMs(notBefore) - elapsedMs(notAfter),
    leftMs: -elapsedMs(notAfter),
    ...(message === undefined ? {} : { message }),
  };
}

function reportOf(node: PhotonNode, elapsedMs: ElapsedMs): NodeReport | undefined {
  const { status } = node;
  const certificate = certificateOf(node, elapsedMs);
  return status === undefined ? undefined : reportFrom(status, certificate);
}

type Peer = NonNullable<Status['peers']>[number];

const peerOf = ({ id, state, reason }: Peer): PeerView => ({
  id,
  state: state ?? 'Alive',
  ...(reason === undefined ? {} : { reason }),
});

/** A node of an earlier release reports no state, and its health instead. */
const replicasOf = ({
  state = 'Ok',
  message,
}: NonNullable<Status['replication']>): ReplicaView => ({
  state,
  ...(message === undefined ? {} : { message }),
});

function reportFrom(status: Status, certificate: CertificateView | undefined): NodeReport {
  const { health, message, version, revision, id, missingId, wal } = status;
  const { authorities, clusterId, peers, replication } = status;
  return {
    ...(health === undefined ? {} : { health }),
    ...(message === undefined ? {} : { message }),
    ...(version === undefined ? {} : { version }),
    ...(revision === undefined ? {} : { revision }),
    ...(id === undefined ? {} : { id }),
    ...(missingId === undefined ? {} : { missingId }),
    isLogCorrupt: wal?.state === 'Corrupt',
    ...(certificate === undefined ? {} : { certificate }),
    ...(authorities === undefined ? {} : { trusts: authorities }),
    ...(clusterId === undefined ? {} : { clusterId }),
    ...(peers === undefined ? {} : { peers: peers.map(peerOf) }),
    ...(replication === undefined ? {} : { replicas: replicasOf(replication) }),
  };
}

export interface NodeObjects {
  readonly name: string;
  readonly pool: string;
  readonly roles: readonly string[];
  readonly wantedRevision: string;
  readonly wantedRestart?: string;
  readonly wantedVersion: string;
  readonly recordedId?: string;
  readonly pod?: Pod | undefined;
  readonly node?: PhotonNode | undefined;
  readonly isHeard: boolean;
  /** Evidence from events and claims; without it, only the pod is considered. */
  readonly evidence?: Evidence | undefined;
}

/** What the names of our own objects mean; handed in, for they belong to those who make them. */
export interface Conventions {
  readonly revisionAnnotation: string;
  readonly restartAnnotation: string;
  /** The container of the database. */
  readonly mainContainer: string;
}

/** Since the pod's readiness changed last, or since it was made. */
function unchangedMs({ metadata, status }: Pod, elapsedMs: ElapsedMs): number {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const since = ready?.lastTransitionTime ?? metadata.creationTimestamp;
  return since === undefined ? 0 : Math.max(0, elapsedMs(since));
}

export function nodeView(
  objects: NodeObjects,
  conventions: Conventions,
  elapsedMs: ElapsedMs,
): NodeView {
  const { pod, node, evidence = { events: [] }, ...plain } = objects;
  const report = node === undefined ? undefined : reportOf(node, elapsedMs);
  const facts =
    pod === undefined
      ? undefined
      : {
          pod,
          pool: plain.pool,
          mainName: conventions.mainContainer,
          unreadyMs: unchangedMs(pod, elapsedMs),
          elapsedMs,
        };
  const view = facts === undefined ? undefined : podView(facts, conventions);
  const trouble = troubleOf(facts, view, evidence);
  return {
    ...plain,
    ...(view === undefined ? {} : { pod: view }),
    ...(report === undefined ? {} : { report }),
    ...(trouble === undefined ? {} : { trouble }),
  };
}

/** A pod that is ready or leaves is in no trouble. */
function troubleOf(
  facts: PodFacts | undefined,
  view: PodView | undefined,
  evidence: Evidence,
): Trouble | undefined {
  if (facts === undefined) return troubleWithoutPod(evidence);
  if (view === undefined || view.isReady || view.isTerminating) return undefined;
  return troubleOfPod(facts, evidence);
}
