/** One StatefulSet for each pool and zone. The roller, not the StatefulSet, replaces pods. Pure. */
import type { V1StatefulSetSpec } from '@kubernetes/client-node';
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import { clusterLabels, zoneSelector } from './labels.ts';
import type { Zone } from './layout.ts';
import type { Manifest, Pool } from './manifest.ts';
import { ownedMetadata } from './manifest.ts';
import { nodesServiceName, statefulSetName } from './names.ts';
import type { PodTemplate } from './pod-template.ts';

/** Kept by Kubernetes for a rollback that is not ours; the least that it accepts is none. */
const revisionHistory = 2;

export interface StatefulSetManifest extends Manifest {
  readonly spec: V1StatefulSetSpec;
}

/**
 * `storageSize` is what the claim templates ask for: they cannot change, so an existing StatefulSet
 * keeps its size until it is recreated.
 */
export function statefulSet(
  at: { readonly cluster: PhotonCluster; readonly pool: Pool; readonly zone: Zone },
  { template }: PodTemplate,
  storageSize: string = at.pool.storage.size,
): StatefulSetManifest {
  const { cluster, pool, zone } = at;
  const { name } = cluster.metadata;
  const selector = zoneSelector(name, pool.name, zone.name.zoneIndex);
  const { whenDeleted, whenScaled } = cluster.spec.volumes;
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: ownedMetadata(cluster, statefulSetName(zone.name), selector),
    spec: {
      replicas: zone.replicas,
      serviceName: nodesServiceName(name),
      selector: { matchLabels: { ...selector } },
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
      revisionHistoryLimit: revisionHistory,
      persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled },
      template,
      volumeClaimTemplates: [
        {
          metadata: { name: 'data', labels: { ...clusterLabels(name), ...selector } },
          spec: {
            accessModes: ['ReadWriteOnce'],
            resources: { requests: { storage: storageSize } },
            ...(pool.storage.className === undefined
              ? {}
              : { storageClassName: pool.storage.className }),
          },
        },
      ],
    },
  };
}
