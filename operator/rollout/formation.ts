/**
 * Which cluster the nodes form. One node founds it, and makes its identity; the operator records the
 * identity before any other node starts, and from then on nodes only join. Pure.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { PhotonNode } from '../api/generated/photon-node.ts';
import { acceptedLosses } from './identity.ts';

/** A wanted node, and its object as the cache shows it. */
export interface FormingNode {
  readonly name: string;
  readonly roles: readonly string[];
  readonly node: PhotonNode | undefined;
}

export interface Formation {
  /** The identity of the cluster, once it is written down. */
  readonly recorded?: string;
  /** The identity that a node reports, to be written down. */
  readonly reported?: string;
  /** The one node that may found the cluster; absent once the identity is recorded. */
  readonly founder?: string;
  /** A node whose data belongs to another cluster, and what to do about it. */
  readonly conflict?: string;
}

/**
 * The identity as the status of the cluster has it, or else the intent of a node: each of them may have
 * been deleted. It is void when the data of all members was given up.
 */
function recordedId(
  { status }: PhotonCluster,
  nodes: readonly FormingNode[],
  isMember: (id: string | undefined) => boolean,
): string | undefined {
  const isAlive = status?.members?.some(({ id }) => isMember(id)) === true;
  if (status?.clusterId !== undefined && isAlive) return status.clusterId;
  return nodes.find(({ node }) => node?.spec.clusterId !== undefined && isMember(node.spec.id))
    ?.node?.spec.clusterId;
}

export function formationOf(cluster: PhotonCluster, nodes: readonly FormingNode[]): Formation {
  const accepted = new Set(acceptedLosses(cluster));
  const isMember = (id: string | undefined): boolean => id !== undefined && !accepted.has(id);
  const reports = nodes.flatMap(({ name, node }) => {
    const { id, clusterId } = node?.status ?? {};
    return clusterId === undefined || !isMember(id) ? [] : [{ name, clusterId }];
  });
  const recorded = recordedId(cluster, nodes, isMember);
  const founder = nodes.find(({ roles }) => roles.includes('data'))?.name;
  const reported = reports.find(({ name }) => name === founder) ?? reports[0];
  const clusterId = recorded ?? reported?.clusterId;
  const stranger = reports.find((report) => report.clusterId !== clusterId);
  const conflict =
    stranger === undefined
      ? {}
      : {
          conflict: `node ${stranger.name} has the data of cluster ${stranger.clusterId}, and this is cluster ${clusterId}: its volume comes from another cluster. Restore the volume of the node, or delete its volume claim and its pod`,
        };
  if (recorded !== undefined) return { recorded, ...conflict };
  return {
    ...(reported === undefined ? {} : { reported: reported.clusterId }),
    ...(founder === undefined ? {} : { founder }),
    ...conflict,
  };
}

/** A node may start when the cluster that it joins is recorded, or when it may found it. */
export function mayStart({ recorded, founder }: Formation, name: string): boolean {
  return recorded !== undefined || founder === name;
}
