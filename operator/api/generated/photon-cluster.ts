// Generated from crds/ by "npm run generate"; do not edit.
import type { Metadata } from '../object.ts';

/**
 * A PhotonDB database cluster. The operator creates what the spec describes, and reports its actions in the status.
 */
export interface PhotonCluster {
  apiVersion: string;
  kind: 'PhotonCluster';
  metadata: Metadata;
  /**
   * Desired state of the cluster.
   */
  spec: {
    /**
     * Version of PhotonDB. Change it to upgrade the cluster.
     */
    version: string;
    /**
     * Container image of the nodes.
     */
    image: {
      /**
       * Registry and name of the image, without tag or digest.
       */
      repository: string;
      /**
       * Tag of the image. Defaults to spec.version.
       */
      tag?: string;
      /**
       * Digest of the image, such as sha256:0123.... It takes precedence over the tag.
       */
      digest?: string;
      /**
       * Pull policy of the image.
       */
      pullPolicy: 'Always' | 'IfNotPresent' | 'Never';
      /**
       * Names of Secrets in this namespace with the credentials of a private registry.
       */
      pullSecrets?: string[];
    };
    /**
     * Groups of identical nodes. One pool has the role data, with 1, 3 or 5 nodes; pools without that role may have any number.
     *
     * Items: A group of nodes with the same roles and resources.
     */
    pools: {
      /**
       * Name of the pool. At most 12 lower-case letters and digits.
       */
      name: string;
      /**
       * Roles of the nodes. data stores documents, coordinator serves clients, consensus votes.
       */
      roles: string[];
      /**
       * Number of nodes. If the roles include data, it is 1, 3 or 5, and does not shrink; with 3 or 5 every table is replicated.
       */
      replicas: number;
      /**
       * Zone of the nodes (label topology.kubernetes.io/zone). If not set, the scheduler chooses it.
       */
      zones?: string[];
      /**
       * Volume of each node.
       */
      storage: {
        /**
         * Size of the volume, such as 10Gi. It can grow if the StorageClass allows expansion, but not shrink.
         */
        size: string;
        /**
         * Name of the StorageClass. Defaults to the default class of the Kubernetes cluster.
         */
        className?: string;
      };
      /**
       * Resource requests and limits of the database container.
       */
      resources?: {
        /**
         * Quantities by resource name, such as cpu and memory. Write fractions as strings or in thousandths, such as "0.5" or 500m.
         */
        requests?: {
          [k: string]: string | number;
        };
        /**
         * Quantities by resource name, such as cpu and memory. Write fractions as strings or in thousandths, such as "0.5" or 500m.
         */
        limits?: {
          [k: string]: string | number;
        };
      };
      /**
       * Overlay for the pod template that the operator creates, for fields that the pool does not define.
       */
      template?: {
        /**
         * Labels and annotations to add to the pods.
         */
        metadata?: {
          /**
           * Values by key. Keys of photondb.io and app.kubernetes.io are reserved.
           */
          labels?: {
            [k: string]: string;
          };
          /**
           * Values by key. Keys of photondb.io and app.kubernetes.io are reserved.
           */
          annotations?: {
            [k: string]: string;
          };
        };
        /**
         * Fields of a PodSpec. Lists of named elements are merged by name. Fields that the operator manages are refused, and the condition Stalled reports it.
         */
        spec?: Readonly<Record<string, unknown>>;
      };
    }[];
    /**
     * Security settings.
     */
    security?: {
      /**
       * Whether the operator creates a NetworkPolicy that restricts the ports between nodes to the nodes of the cluster. Client and metrics ports stay open. Disable it if you write a policy of your own.
       */
      networkPolicy: boolean;
      /**
       * Certificates by which the nodes authenticate each other. The operator issues them.
       */
      certificates?: {
        /**
         * Lifetime of a certificate, in hours or minutes. A node renews its certificate at half of its lifetime.
         */
        lifetime: string;
      };
      /**
       * Name of a Secret in this namespace with the password of the user admin in its key password. If not set, the operator creates the Secret CLUSTER-admin.
       */
      passwordSecret?: string;
    };
    /**
     * Retention of the volumes.
     */
    volumes: {
      /**
       * Policy for volumes when the cluster is deleted.
       */
      whenDeleted: 'Retain' | 'Delete';
      /**
       * Policy for volumes when a node is removed.
       */
      whenScaled: 'Retain' | 'Delete';
    };
    /**
     * Options of the nodes (docs/reference/configuration.md), except those that the operator sets (ports, paths, names).
     */
    config?: {
      /**
       * Lowest severity of messages to log.
       */
      'log-level'?: 'error' | 'warn' | 'info' | 'debug';
      /**
       * Size in MiB of the memtable, which holds committed writes that are not in the store yet.
       */
      'memtable-mib'?: number;
      /**
       * Size of the document cache in MiB.
       */
      'cache-mib'?: number;
      /**
       * Memory limit of a query in MiB (groups, sorts, arrays, strings, answers). A query that exceeds it fails.
       */
      'query-memory-mib'?: number;
      /**
       * Memory limit of all queries of the node in MiB. Queries that exceed it fail.
       */
      'queries-memory-mib'?: number;
      /**
       * Time limit of a query in seconds, without the time in which it waits for its client; 0 for none. The query option `max_query_seconds` can lower it.
       */
      'max-query-seconds'?: number;
      /**
       * Free share of the data file in percent from which the node compacts it at startup; 0 for never.
       */
      'compact-at-start-percent'?: number;
      /**
       * Hours between the end of a scrub and the start of the next one; 0 for never.
       */
      'scrub-hours'?: number;
      /**
       * Maximum number of driver connections.
       */
      'connections-max'?: number;
      /**
       * Processes that serve drivers and run queries beside the one that has the data; a number, or auto for one less than the cores.
       */
      'query-workers'?: string;
      /**
       * Memory limit of each query worker in MiB. A worker that exceeds it is replaced, and its clients lose their connections. With 0, half of the memory of the container divided by the number of workers, at least 192 and at most 1024.
       */
      'query-worker-mib'?: number;
    };
  };
  /**
   * State observed by the operator. It can be recomputed at any time.
   */
  status?: {
    /**
     * Generation of the spec that this status describes.
     */
    observedGeneration?: number;
    /**
     * Version that every node runs. Absent while versions differ.
     */
    version?: string;
    /**
     * Node counts over all pools.
     */
    nodes?: {
      /**
       * Ready nodes of the current revision.
       */
      ready?: number;
      /**
       * Nodes that the spec asks for.
       */
      wanted?: number;
      /**
       * Nodes that have not reported for three heartbeat periods.
       */
      unknown?: number;
      /**
       * Ready and desired nodes as text, for printing.
       */
      summary?: string;
    };
    /**
     * Status of each pool.
     */
    pools?: {
      name: string;
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
       * Current revision of the pods.
       */
      revision?: string;
    }[];
    /**
     * Identity of the cluster, created by the founding node. Once it is set, nodes join, and none founds.
     */
    clusterId?: string;
    /**
     * Certificate authority that signs the certificates of the nodes.
     */
    certificates?: {
      /**
       * Stable, or a phase of a replacement. Distributing while nodes add the new authority to their trust; Renewing while they get certificates of the new one and still trust the former one.
       */
      phase?: 'Stable' | 'Distributing' | 'Renewing';
      /**
       * What the replacement of the authority waits for.
       */
      message?: string;
      /**
       * Authorities that nodes trust, by the hash of their public key.
       */
      authorities?: {
        hash: string;
        /**
         * Signing if it signs certificates, Trusted if it only verifies them.
         */
        use?: 'Signing' | 'Trusted';
        /**
         * Expiry time.
         */
        notAfter?: string;
      }[];
      /**
       * Last value of the annotation photondb.io/rotate-authority that was processed.
       */
      rotation?: string;
      /**
       * Earliest expiry time of the nodes' certificates. Nodes renew their certificates before.
       */
      earliestExpiry?: string;
    };
    /**
     * Secret with the password of the user admin, once it exists.
     */
    passwordSecret?: string;
    /**
     * Identity of each node, created with its data directory. A node that returns with another identity has lost its data. It begins again as a new member when the other nodes have all of its data; else it does not serve until the annotation photondb.io/accept-data-loss accepts the loss.
     */
    members?: {
      name: string;
      id: string;
    }[];
    /**
     * Identities of nodes that lost their volume while the other nodes had all of their data, the last ones. They never come back; the nodes began again as new members.
     */
    replaced?: {
      name: string;
      id: string;
    }[];
    /**
     * Volume claims of this cluster that no node uses, for example after a manual change of a StatefulSet. The operator never deletes them.
     */
    unusedClaims?: string[];
    /**
     * Conditions of the cluster, each with the observed generation.
     */
    conditions?: {
      type: string;
      status: 'True' | 'False' | 'Unknown';
      /**
       * Reason in CamelCase.
       */
      reason: string;
      /**
       * Human-readable message.
       */
      message: string;
      /**
       * Last transition of this condition.
       */
      lastTransitionTime: string;
      observedGeneration: number;
    }[];
  };
}
