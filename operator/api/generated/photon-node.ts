// Generated from crds/ by "npm run generate"; do not edit.
import type { Metadata } from '../object.ts';

/**
 * A node of a PhotonCluster, named as its pod.
 */
export interface PhotonNode {
  apiVersion: string;
  kind: 'PhotonNode';
  metadata: Metadata;
  /**
   * What the node shall be; written by the operator alone.
   */
  spec: {
    /**
     * The cluster that the node belongs to.
     */
    clusterName: string;
    /**
     * The pool that the node belongs to.
     */
    pool: string;
    /**
     * The zone that the node is bound to; absent when the scheduler chose one.
     */
    zone?: string;
    /**
     * The identity that the node has had; a data directory without it is not taken for its own.
     */
    id?: string;
    /**
     * Identities whose data was given up, from the annotation photondb.io/accept-data-loss of the cluster.
     */
    acceptedLosses?: string[];
    /**
     * What the node does; its pod carries a label photondb.io/role-ROLE for each.
     */
    roles: string[];
  };
  /**
   * What the node says of itself. The pod writes it on change, else about once a minute.
   */
  status?: {
    /**
     * The generation of the intent that is in effect.
     */
    observedGeneration?: number;
    /**
     * Ready serves; Degraded serves, but not as it should.
     */
    health?: 'Starting' | 'Ready' | 'Degraded' | 'Stopping';
    /**
     * The sentence for people.
     */
    message?: string;
    /**
     * The roles in effect.
     */
    roles?: string[];
    /**
     * The version of the program.
     */
    version?: string;
    /**
     * The revision of the pod, from its annotation photondb.io/revision.
     */
    revision?: string;
    /**
     * The identity of the data directory, made with it and never changed.
     */
    id?: string;
    /**
     * The identity that this node has had and that its data directory does not have. It does not serve.
     */
    missingId?: string;
    /**
     * When the process started.
     */
    startedAt?: string;
    /**
     * When the pod wrote this, by its own clock.
     */
    heartbeatAt?: string;
    /**
     * The write-ahead log.
     */
    wal?: {
      /**
       * Recovering while it is replayed; Corrupt when a proven part is damaged.
       */
      state?: 'Ok' | 'Corrupt' | 'Recovering';
      /**
       * Replayed since the process started.
       */
      replayedBytes?: number;
      /**
       * To be replayed.
       */
      totalBytes?: number;
    };
    /**
     * Groups that the node is a member of.
     */
    replication?: {
      /**
       * Their number.
       */
      groups?: number;
      /**
       * How far the slowest of them is behind its leader.
       */
      maxLagEntries?: number;
    };
  };
}
