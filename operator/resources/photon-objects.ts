/** The objects of our own kinds: a PhotonPool for each pool, a PhotonNode for each pod. Pure. */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { PhotonNode } from '../api/generated/photon-node.ts';
import type { PhotonPool } from '../api/generated/photon-pool.ts';
import { zoneSelector } from './labels.ts';
import type { WantedNode } from './layout.ts';
import type { Pool } from './manifest.ts';
import { ownedMetadata } from './manifest.ts';
import { poolObjectName } from './names.ts';

export function photonPool(cluster: PhotonCluster, pool: Pool): PhotonPool {
  const { name } = cluster.metadata;
  return {
    apiVersion: cluster.apiVersion,
    kind: 'PhotonPool',
    metadata: ownedMetadata(cluster, poolObjectName(name, pool.name)),
    spec: {
      clusterName: name,
      pool: pool.name,
      roles: [...pool.roles],
      replicas: pool.replicas,
    },
  };
}

/** What a node receives about its data, its cluster, and its trusted authorities. */
export interface NodeHistory {
  readonly id?: string | undefined;
  readonly acceptedLosses?: readonly string[];
  /** The cluster that it joins, once that is founded. */
  readonly clusterId?: string | undefined;
  readonly isFounder?: boolean;
  /** Certificate authorities that it may trust, by their hash. */
  readonly authorities?: readonly string[];
}

export function photonNode(
  cluster: PhotonCluster,
  node: WantedNode,
  { id, acceptedLosses = [], clusterId, isFounder = false, authorities = [] }: NodeHistory = {},
): PhotonNode {
  const { name } = cluster.metadata;
  const { pool, zone } = node;
  return {
    apiVersion: cluster.apiVersion,
    kind: 'PhotonNode',
    metadata: ownedMetadata(cluster, node.name, zoneSelector(name, pool.name, zone.name.zoneIndex)),
    spec: {
      clusterName: name,
      pool: pool.name,
      roles: [...pool.roles],
      ...(id === undefined ? {} : { id }),
      ...(acceptedLosses.length === 0 ? {} : { acceptedLosses: [...acceptedLosses] }),
      ...(clusterId === undefined ? {} : { clusterId }),
      ...(isFounder ? { founder: true } : {}),
      ...(authorities.length === 0 ? {} : { authorities: [...authorities] }),
      ...(zone.zone === undefined ? {} : { zone: zone.zone }),
    },
  };
}
