// Generated from crds/ by "npm run generate"; do not edit.
import type { Metadata } from '../object.ts';

/**
 * A pool of a PhotonCluster. The operator manages it; change the PhotonCluster instead.
 */
export interface PhotonPool {
  apiVersion: string;
  kind: 'PhotonPool';
  metadata: Metadata;
  /**
   * Desired state, derived from the PhotonCluster.
   */
  spec: {
    /**
     * Cluster that the pool belongs to.
     */
    clusterName: string;
    /**
     * Name of the pool within the cluster.
     */
    pool: string;
    /**
     * Roles of the nodes.
     */
    roles: string[];
    /**
     * Desired number of nodes. If the roles include data, it is 1, 3 or 5.
     */
    replicas: number;
  };
  /**
   * Observed counters of the pool, like those of a StatefulSet.
   */
  status?: {
    observedGeneration?: number;
    /**
     * Number of pods.
     */
    replicas?: number;
    /**
     * Number of ready nodes.
     */
    readyReplicas?: number;
    /**
     * Number of pods of the current revision.
     */
    updatedReplicas?: number;
    /**
     * Label selector of the pods, for autoscalers.
     */
    selector?: string;
  };
}
