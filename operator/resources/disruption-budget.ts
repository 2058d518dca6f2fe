/**
 * One node at a time may be moved by others, such as a drain; a sick one always. None while the data
 * of a node would not outlive its pod. Pure.
 */
import type { V1PodDisruptionBudgetSpec } from '@kubernetes/client-node';
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import { nodeSelector } from './labels.ts';
import type { Manifest } from './manifest.ts';
import { ownedMetadata } from './manifest.ts';
import { disruptionBudgetName } from './names.ts';

export function disruptionBudget(
  cluster: PhotonCluster,
  { isDataAtRisk = false }: { readonly isDataAtRisk?: boolean } = {},
): Manifest & { readonly spec: V1PodDisruptionBudgetSpec } {
  const { name } = cluster.metadata;
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: ownedMetadata(cluster, disruptionBudgetName(name)),
    spec: {
      maxUnavailable: isDataAtRisk ? 0 : 1,
      unhealthyPodEvictionPolicy: isDataAtRisk ? 'IfHealthyBudget' : 'AlwaysAllow',
      selector: { matchLabels: { ...nodeSelector(name) } },
    },
  };
}
