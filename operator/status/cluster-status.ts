/** The status of a cluster and of its pools, computed from what is observed. Pure. */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { PhotonPool } from '../api/generated/photon-pool.ts';
import type { NodeView } from '../api/node-view.ts';
import { isCurrent, reportsNow } from '../api/node-view.ts';
import { certificatesStatus } from './certificates.ts';
import type { Moment } from './conditions.ts';
import { conditionsOf, firstConditions } from './conditions.ts';
import type { Observed } from './verdicts.ts';

export type ClusterStatus = NonNullable<PhotonCluster['status']>;
export type PoolStatus = NonNullable<PhotonPool['status']>;

export type Replaced = NonNullable<ClusterStatus['replaced']>;

/** The limit of the schema. */
const namesMax = 64;

/** Former ones have been removed from the cluster long ago. */
const replacedMax = 16;

/** The last ones, of which the newest come last. */
function withReplaced(before: Replaced = [], added: Replaced = []): Replaced {
  const ids = new Set(added.map(({ id }) => id));
  return [...before.filter(({ id }) => !ids.has(id)), ...added].slice(-replacedMax);
}

/** The version that all nodes run; undefined while one does not report or they differ. */
function commonVersion(nodes: readonly NodeView[]): string | undefined {
  const versions = new Set(
    nodes.map((node) => (reportsNow(node) ? node.report?.version : undefined)),
  );
  const [version] = versions;
  return versions.size === 1 ? version : undefined;
}

function counters(nodes: readonly NodeView[]): {
  readonly replicas: number;
  readonly readyReplicas: number;
  readonly updatedReplicas: number;
} {
  const pods = nodes.flatMap(({ pod, wantedRevision }) =>
    pod === undefined ? [] : [{ ...pod, isUpdated: pod.revision === wantedRevision }],
  );
  return {
    replicas: pods.length,
    readyReplicas: pods.filter(({ isReady }) => isReady).length,
    updatedReplicas: pods.filter(({ isUpdated }) => isUpdated).length,
  };
}

/** The recorded identities of the nodes: they distinguish a known node from an empty one. */
function membersOf(nodes: readonly NodeView[]): Pick<ClusterStatus, 'members'> {
  const members = nodes.flatMap(({ name, recordedId }) =>
    recordedId === undefined ? [] : [{ name, id: recordedId }],
  );
  return members.length === 0 ? {} : { members: members.slice(0, namesMax) };
}

function poolNames(nodes: readonly NodeView[]): readonly string[] {
  return [...new Set(nodes.map(({ pool }) => pool))];
}

export function clusterStatus(
  facts: Observed & {
    /** The identity of the cluster, once it is founded. */
    readonly clusterId?: string | undefined;
    /** The Secret with the password, once it is there. */
    readonly passwordSecret?: string | undefined;
    /** Volume claims that no node uses. */
    readonly unusedClaims?: readonly string[];
    /** Nodes that begin again from now on. */
    readonly replaced?: Replaced | undefined;
  },
  moment: Moment,
  before: ClusterStatus = {},
): ClusterStatus {
  const { nodes, clusterId, passwordSecret, unusedClaims = [] } = facts;
  const version = commonVersion(nodes);
  const certificates = certificatesStatus(facts.authority, nodes, before.certificates);
  const current = nodes.filter(isCurrent).length;
  const replaced = withReplaced(before.replaced, facts.replaced);
  return {
    observedGeneration: moment.generation,
    ...(version === undefined ? {} : { version }),
    nodes: {
      ready: current,
      wanted: nodes.length,
      unknown: nodes.filter(({ isHeard }) => !isHeard).length,
      summary: `${current}/${nodes.length}`,
    },
    pools: poolNames(nodes).map((name) => {
      const ofPool = nodes.filter(({ pool }) => pool === name);
      return { name, ...counters(ofPool), revision: ofPool[0]?.wantedRevision ?? '' };
    }),
    ...(clusterId === undefined ? {} : { clusterId }),
    ...(certificates === undefined ? {} : { certificates }),
    ...(passwordSecret === undefined ? {} : { passwordSecret }),
    ...membersOf(nodes),
    ...(replaced.length === 0 ? {} : { replaced }),
    ...(unusedClaims.length === 0 ? {} : { unusedClaims: unusedClaims.slice(0, namesMax) }),
    conditions: conditionsOf(facts, moment, before.conditions ?? []),
  };
}

/** The first status of a new generation: the former counters, and the news that there is work. */
export function firstStatus(moment: Moment, before: ClusterStatus = {}): ClusterStatus {
  return {
    ...before,
    observedGeneration: moment.generation,
    conditions: firstConditions(moment, before.conditions ?? []),
  };
}

export function poolStatus(
  nodes: readonly NodeView[],
  facts: { readonly generation: number; readonly selector: string },
): PoolStatus {
  return {
    observedGeneration: facts.generation,
    ...counters(nodes),
    selector: facts.selector,
  };
}
