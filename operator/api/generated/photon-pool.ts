// Generated from crds/ by "npm run generate"; do not edit.
import type { Metadata } from '../object.ts';

/**
 * A pool of a PhotonCluster. The operator writes it; it is no place for settings.
 */
export interface PhotonPool {
  apiVersion: string;
  kind: 'PhotonPool';
  metadata: Metadata;
  /**
   * The intent, as the cluster's manifest says it.
   */
  spec: {
    /**
     * The cluster that the pool belongs to.
     */
    clusterName: string;
    /**
     * Its name within the cluster.
     */
    pool: string;
    /**
     * What the nodes do.
     */
    roles: string[];
    /**
     * The desired number of nodes; 1 in this version where the roles include data.
     */
    replicas: number;
  };
  /**
   * Counters of the pool, as of a StatefulSet.
   */
  status?: {
    observedGeneration?: number;
    /**
     * Pods that there are.
     */
    replicas?: number;
    /**
     * Nodes that serve.
     */
    readyReplicas?: number;
    /**
     * Pods of the wanted revision.
     */
    updatedReplicas?: number;
    /**
     * Selects the pods, for autoscalers.
     */
    selector?: string;
  };
}
