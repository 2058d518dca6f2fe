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
     * The identity of the cluster that the node joins; absent until the cluster is founded.
     */
    clusterId?: string;
    /**
     * True for the one node that founds the cluster when its data directory is empty; absent once the cluster has an identity.
     */
    founder?: boolean;
    /**
     * The certificate authorities that the node may trust, each as sha256 of its public key.
     */
    authorities?: string[];
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
     * The identity of the cluster that the data directory belongs to.
     */
    clusterId?: string;
    /**
     * The certificate authorities that the node trusts, each as sha256 of its public key.
     */
    authorities?: string[];
    /**
     * The certificate that the node shows to others.
     */
    certificate?: {
      /**
       * The authority that signed it, as sha256 of its public key.
       */
      authority?: string;
      notBefore?: string;
      /**
       * When it expires; the node renews it at half of its lifetime.
       */
      notAfter?: string;
      /**
       * Why the last attempt to renew it failed; absent when it did not fail.
       */
      message?: string;
    };
    /**
     * How many other nodes are in which state, for people, such as "2 alive, 1 dead".
     */
    peerSummary?: string;
    /**
     * How the node sees each other node.
     */
    peers?: {
      /**
       * The identity of its data directory.
       */
      id: string;
      name?: string;
      state?: 'Alive' | 'Suspect' | 'Dead' | 'Left' | 'Quarantined';
      /**
       * Why it is not alive.
       */
      reason?: string;
    }[];
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
