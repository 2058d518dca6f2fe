// Generated from crds/ by "npm run generate"; do not edit.
import type { Metadata } from '../object.ts';

/**
 * A node of a PhotonCluster, with the name of its pod.
 */
export interface PhotonNode {
  apiVersion: string;
  kind: 'PhotonNode';
  metadata: Metadata;
  /**
   * Desired state of the node. Only the operator writes it.
   */
  spec: {
    /**
     * Cluster that the node belongs to.
     */
    clusterName: string;
    /**
     * Pool that the node belongs to.
     */
    pool: string;
    /**
     * Zone that the node is bound to. Absent if the scheduler chooses it.
     */
    zone?: string;
    /**
     * Recorded identity of the node. The node does not use a data directory with another identity.
     */
    id?: string;
    /**
     * Identity of the cluster that the node joins. Absent until the cluster is founded.
     */
    clusterId?: string;
    /**
     * True for the node that founds the cluster if its data directory is empty. Absent once the cluster has an identity.
     */
    founder?: boolean;
    /**
     * Certificate authorities that the node may trust, each as the SHA-256 of its public key.
     */
    authorities?: string[];
    /**
     * Identities that are given up, by the annotation photondb.io/accept-data-loss of the cluster, or because the operator has replaced them.
     */
    acceptedLosses?: string[];
    /**
     * Roles of the node. Its pod has a label photondb.io/role-ROLE for each.
     */
    roles: string[];
  };
  /**
   * Observed state, reported by the node. The pod writes it on change, and about once a minute.
   */
  status?: {
    /**
     * Generation of the spec that is in effect.
     */
    observedGeneration?: number;
    /**
     * Ready and Degraded nodes serve requests; Degraded nodes have damage or another fault.
     */
    health?: 'Starting' | 'Ready' | 'Degraded' | 'Quarantined' | 'Draining' | 'Stopping';
    /**
     * Human-readable message.
     */
    message?: string;
    /**
     * Roles in effect.
     */
    roles?: string[];
    /**
     * Version of the program.
     */
    version?: string;
    /**
     * Revision of the pod, from its annotation photondb.io/revision.
     */
    revision?: string;
    /**
     * Identity of the data directory, created with it. It never changes.
     */
    id?: string;
    /**
     * Recorded identity that the data directory of this node does not have. The node does not serve.
     */
    missingId?: string;
    /**
     * Identity of the cluster that the data directory belongs to.
     */
    clusterId?: string;
    /**
     * Certificate authorities that the node trusts, each as the SHA-256 of its public key.
     */
    authorities?: string[];
    /**
     * Certificate that the node presents to other nodes.
     */
    certificate?: {
      /**
       * Authority that signed it, as the SHA-256 of its public key.
       */
      authority?: string;
      notBefore?: string;
      /**
       * Expiry time. The node renews the certificate at half of its lifetime.
       */
      notAfter?: string;
      /**
       * Error of the last attempt to renew it. Absent if it succeeded.
       */
      message?: string;
    };
    /**
     * Number of other nodes by state as text, such as "2 alive, 1 dead".
     */
    peerSummary?: string;
    /**
     * State of each other node, as this node sees it.
     */
    peers?: {
      /**
       * Identity of its data directory.
       */
      id: string;
      name?: string;
      state?: 'Alive' | 'Suspect' | 'Dead' | 'Left' | 'Quarantined';
      /**
       * Reason why it is not alive.
       */
      reason?: string;
    }[];
    /**
     * Start time of the process.
     */
    startedAt?: string;
    /**
     * Time of this report, by the clock of the pod.
     */
    heartbeatAt?: string;
    /**
     * State of the write-ahead log.
     */
    wal?: {
      /**
       * Recovering during replay; Corrupt if a proven part is damaged.
       */
      state?: 'Ok' | 'Corrupt' | 'Recovering';
      /**
       * Bytes replayed since the process started.
       */
      replayedBytes?: number;
      /**
       * Bytes to replay.
       */
      totalBytes?: number;
    };
    /**
     * Replication groups that the node is a member of. Absent if the node keeps its data alone.
     */
    replication?: {
      /**
       * Settling during an election or a move of a replica; CatchingUp if a shard has fewer complete replicas than it should; Degraded if either lasts; Unavailable without a majority of the metadata.
       */
      state?: 'Ok' | 'Settling' | 'CatchingUp' | 'Degraded' | 'Unavailable';
      /**
       * Reason for the state. Empty if it is Ok.
       */
      message?: string;
      /**
       * Number of groups.
       */
      groups?: number;
      /**
       * Entries that the slowest voter lacks of a group that this node leads.
       */
      maxLagEntries?: number;
    };
  };
}
