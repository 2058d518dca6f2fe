/**
 * Which nodes a pool has: its replicas are dealt out over its zones, one StatefulSet for each zone.
 * Pure.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { Pool } from './manifest.ts';
import type { ZoneName } from './names.ts';
import { nodeName } from './names.ts';

export interface Zone {
  readonly name: ZoneName;
  /** The value of topology.kubernetes.io/zone; absent when the scheduler chooses. */
  readonly zone?: string;
  readonly replicas: number;
}

export interface WantedNode {
  readonly name: string;
  readonly pool: Pool;
  readonly zone: Zone;
}

export function zonesOf(cluster: PhotonCluster, pool: Pool): readonly Zone[] {
  const zones = pool.zones ?? [];
  const count = Math.max(1, zones.length);
  return Array.from({ length: count }, (_, zoneIndex) => {
    const zone = zones[zoneIndex];
    return {
      name: { cluster: cluster.metadata.name, pool: pool.name, zoneIndex },
      ...(zone === undefined ? {} : { zone }),
      // The first zones take what does not go round.
      replicas: Math.floor(pool.replicas / count) + (zoneIndex < pool.replicas % count ? 1 : 0),
    };
  });
}

export function wantedNodes(cluster: PhotonCluster): readonly WantedNode[] {
  return cluster.spec.pools.flatMap((pool) =>
    zonesOf(cluster, pool).flatMap((zone) =>
      Array.from({ length: zone.replicas }, (_, ordinal) => ({
        name: nodeName(zone.name, ordinal),
        pool,
        zone,
      })),
    ),
  );
}
