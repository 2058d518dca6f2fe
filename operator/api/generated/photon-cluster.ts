// Generated from crds/ by "npm run generate"; do not edit.
import type { Metadata } from '../object.ts';

/**
 * A PhotonDB database. The operator makes what the manifest says, and says in the status what it does.
 */
export interface PhotonCluster {
  apiVersion: string;
  kind: 'PhotonCluster';
  metadata: Metadata;
  /**
   * What the cluster shall be.
   */
  spec: {
    /**
     * The version of PhotonDB. An upgrade is a change of this line.
     */
    version: string;
    /**
     * The image of the nodes.
     */
    image: {
      /**
       * Registry and name of the image, without tag and digest.
       */
      repository: string;
      /**
       * The tag; spec.version when it is left out.
       */
      tag?: string;
      /**
       * The digest, such as sha256:0123...; it wins over the tag.
       */
      digest?: string;
      /**
       * When the kubelet pulls the image.
       */
      pullPolicy: 'Always' | 'IfNotPresent' | 'Never';
      /**
       * Names of Secrets of this namespace, for a private registry.
       */
      pullSecrets?: string[];
    };
    /**
     * Groups of equal nodes. This version takes one pool with the role data, of one node; pools without that role have as many nodes as they need.
     *
     * Items: Nodes of the same roles and size.
     */
    pools: {
      /**
       * At most 12 lower-case letters and digits.
       */
      name: string;
      /**
       * What the nodes do. data keeps documents, coordinator answers clients, consensus votes.
       */
      roles: string[];
      /**
       * The number of nodes; 1 in this version where the roles include data.
       */
      replicas: number;
      /**
       * The zone (label topology.kubernetes.io/zone) of the nodes; left out, the scheduler chooses.
       */
      zones?: string[];
      /**
       * The volume of each node.
       */
      storage: {
        /**
         * Such as 10Gi. It may grow, where the class allows it, and never shrinks.
         */
        size: string;
        /**
         * A StorageClass; the cluster's default class when left out.
         */
        className?: string;
      };
      /**
       * Requests and limits of the database's container, as in Kubernetes.
       */
      resources?: {
        /**
         * Amounts by resource, such as cpu and memory. Fractions are texts or thousandths, such as "0.5" or 500m.
         */
        requests?: {
          [k: string]: string | number;
        };
        /**
         * Amounts by resource, such as cpu and memory. Fractions are texts or thousandths, such as "0.5" or 500m.
         */
        limits?: {
          [k: string]: string | number;
        };
      };
      /**
       * Laid over the pod template that the operator makes, for what the fields above do not say.
       */
      template?: {
        /**
         * Labels and annotations to add.
         */
        metadata?: {
          /**
           * Texts by key; keys of photondb.io and app.kubernetes.io are the operator's.
           */
          labels?: {
            [k: string]: string;
          };
          /**
           * Texts by key; keys of photondb.io and app.kubernetes.io are the operator's.
           */
          annotations?: {
            [k: string]: string;
          };
        };
        /**
         * Fields of a PodSpec. Lists of named things are merged by name; what the operator needs is refused, and Stalled says so.
         */
        spec?: Readonly<Record<string, unknown>>;
      };
    }[];
    /**
     * Who may come in.
     */
    security?: {
      /**
       * Whether a NetworkPolicy closes the ports between nodes to everybody else; ports of clients and metrics stay open. Without it, write one of your own.
       */
      networkPolicy: boolean;
      /**
       * The certificates by which the nodes know each other. The operator issues them.
       */
      certificates?: {
        /**
         * How long a certificate is valid, in hours or minutes; a node renews it at half of that time.
         */
        lifetime: string;
      };
      /**
       * A Secret of this namespace whose key password is the password of the user admin. Left out, the operator makes the Secret CLUSTER-admin.
       */
      passwordSecret?: string;
    };
    /**
     * What becomes of the volumes.
     */
    volumes: {
      /**
       * When the cluster is deleted.
       */
      whenDeleted: 'Retain' | 'Delete';
      /**
       * When a node is taken away.
       */
      whenScaled: 'Retain' | 'Delete';
    };
    /**
     * Options of the nodes, as in docs/reference/configuration.md. Those that the operator sets itself (ports, paths, names) are not among them.
     */
    config?: {
      /**
       * Least severe messages to log.
       */
      'log-level'?: 'error' | 'warn' | 'info' | 'debug';
      /**
       * MiB of committed writes that may wait for the store.
       */
      'memtable-mib'?: number;
      /**
       * MiB of documents that are kept in memory because they were read by their key.
       */
      'cache-mib'?: number;
      /**
       * MiB that one query may hold (groups, sorts, arrays, strings, answers). Beyond, it ends with an error.
       */
      'query-memory-mib'?: number;
      /**
       * MiB that all queries of the node may hold together. Beyond, those that need more end with an error.
       */
      'queries-memory-mib'?: number;
      /**
       * Seconds that a query may run, without the time in which it waits for its client; 0 for no limit. A query may ask for less by `max_query_seconds`.
       */
      'max-query-seconds'?: number;
      /**
       * Share of the data file that must be free for it to be compacted before the node serves; 0 for never.
       */
      'compact-at-start-percent'?: number;
      /**
       * Hours from the end of a scrub of all data to the next one; 0 for never.
       */
      'scrub-hours'?: number;
      /**
       * Driver connections at once.
       */
      'connections-max'?: number;
      /**
       * Processes that serve drivers and run queries beside the one that has the data; a number, or auto for one less than the cores.
       */
      'query-workers'?: string;
      /**
       * MiB of memory of each query worker.
       */
      'query-worker-mib'?: number;
    };
  };
  /**
   * State observed by the operator. It can be recomputed at any time.
   */
  status?: {
    /**
     * The generation of the manifest that this status speaks of.
     */
    observedGeneration?: number;
    /**
     * The version that every node runs; absent while they differ.
     */
    version?: string;
    /**
     * Nodes of all pools.
     */
    nodes?: {
      /**
       * Nodes that serve this revision.
       */
      ready?: number;
      /**
       * Nodes that the manifest asks for.
       */
      wanted?: number;
      /**
       * Nodes that have not reported for three heartbeat periods.
       */
      unknown?: number;
      /**
       * ready/wanted, for people.
       */
      summary?: string;
    };
    /**
     * The same by pool.
     */
    pools?: {
      name: string;
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
       * The wanted revision of the pods.
       */
      revision?: string;
    }[];
    /**
     * The identity of the cluster, made by the node that founded it. From then on, nodes join, and none founds.
     */
    clusterId?: string;
    /**
     * The authority that signs the certificates of the nodes.
     */
    certificates?: {
      /**
       * Stable; Distributing while nodes take a new authority into their trust; Renewing while they get certificates of the new one, and still trust the former one.
       */
      phase?: 'Stable' | 'Distributing' | 'Renewing';
      /**
       * What a replacement of the authority waits for.
       */
      message?: string;
      /**
       * Authorities that nodes trust, by the hash of their public key.
       */
      authorities?: {
        hash: string;
        /**
         * Signing signs certificates; Trusted only proves them.
         */
        use?: 'Signing' | 'Trusted';
        /**
         * When it expires.
         */
        notAfter?: string;
      }[];
      /**
       * The value of the annotation photondb.io/rotate-authority that was carried out last.
       */
      rotation?: string;
      /**
       * When the first certificate of a node expires, unless the node renews it.
       */
      earliestExpiry?: string;
    };
    /**
     * The Secret with the password of the user admin, once it is there.
     */
    passwordSecret?: string;
    /**
     * The identity of each node, made with its data directory. A node that comes back with another one has lost its data, and does not serve before that is accepted by the annotation photondb.io/accept-data-loss.
     */
    members?: {
      name: string;
      id: string;
    }[];
    /**
     * Volume claims of this cluster that no node uses, such as after a StatefulSet was scaled by hand. The operator never deletes them.
     */
    unusedClaims?: string[];
    /**
     * Each says one thing, with the generation of which it is true.
     */
    conditions?: {
      type: string;
      status: 'True' | 'False' | 'Unknown';
      /**
       * Why, in one CamelCase word.
       */
      reason: string;
      /**
       * The sentence for people.
       */
      message: string;
      /**
       * When the status of this condition changed last.
       */
      lastTransitionTime: string;
      observedGeneration: number;
    }[];
  };
}
