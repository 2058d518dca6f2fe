import { FormationError } from './errors.ts';

/**
 * How a node comes to its cluster: it founds one, joins one, or rejoins the one that it belongs to. Pure: a
 * decision from what the data directory holds and what the operator of the node asked for. Guarded
 * invariants: a directory with a cluster ID never founds and never changes its cluster; an empty directory
 * founds only when no node to join was named, or when it was asked to.
 */
export interface FormationFacts {
  /** Shown in messages. */
  readonly directory: string;
  /** From IDENTITY; undefined for an empty directory. */
  readonly nodeId: string | undefined;
  /** From IDENTITY; undefined before the node belongs to a cluster. */
  readonly clusterId: string | undefined;
  /** What the folder `cluster` holds for that cluster ID; `otherRoles`: valid, for other roles than it is to have. */
  readonly credentials: 'missing' | 'valid' | 'otherRoles' | 'expired';
  /** The directory holds the private key of the cluster's authority, so the node signs for itself. */
  readonly isAuthority: boolean;
  /** `--found`. */
  readonly found: boolean;
  /** `--join`: addresses of nodes. */
  readonly join: readonly string[];
  /** A join token with the hash of the authority, or another bootstrap credential. */
  readonly hasBootstrap: boolean;
}

export type Formation =
  /** A new cluster. `nodeId`: of a directory that had none; undefined when it is to be made. */
  | { readonly type: 'founding'; readonly nodeId: string | undefined }
  /**
   * A certificate from the cluster, for a new node or for a node whose certificate has expired; the
   * latter has both IDs.
   */
  | {
      readonly type: 'joining';
      readonly nodeId: string | undefined;
      readonly clusterId: string | undefined;
    }
  /** With the stored certificate; needs nobody's help. */
  | { readonly type: 'rejoining'; readonly nodeId: string; readonly clusterId: string };

const tokenAdvice =
  'Create a join token on a node of the cluster (npm run admin -- token --data-dir DIR), and give it with --join-token and --join-ca-hash';

/** Throws a FormationError that says what to do. */
export function formationOf(facts: FormationFacts): Formation {
  const { directory, nodeId, clusterId, found, join, hasBootstrap } = facts;
  if (nodeId !== undefined && clusterId !== undefined) return rejoin(facts, nodeId, clusterId);
  if (found || join.length === 0) return { type: 'founding', nodeId };
  if (nodeId !== undefined) {
    throw new FormationError(
      `Joining is not possible: the data directory ${directory} has data of its own, which the cluster at ${join.join(', ')} does not know. Use an empty directory to join, or leave out --join to found a cluster with this data.`,
    );
  }
  if (hasBootstrap) return { type: 'joining', nodeId, clusterId: undefined };
  throw new FormationError(
    `Joining is not possible: the data directory ${directory} is empty, and there is no credential for the cluster at ${join.join(', ')}. ${tokenAdvice}; or give --found to found a new cluster.`,
  );
}

function rejoin(facts: FormationFacts, nodeId: string, clusterId: string): Formation {
  const { directory, credentials, isAuthority, join, hasBootstrap } = facts;
  const canJoin = hasBootstrap && join.length > 0;
  const isGood = credentials === 'valid' || (credentials === 'otherRoles' && !canJoin);
  if (isAuthority || isGood) return { type: 'rejoining', nodeId, clusterId };
  const what = credentials === 'missing' ? 'is missing' : 'has expired';
  if (canJoin) return { type: 'joining', nodeId, clusterId };
  const restore = credentials === 'missing' ? `Restore the folder ${directory}/cluster, or: ` : '';
  throw new FormationError(
    `Rejoining is not possible: the certificate of node ${nodeId} of cluster ${clusterId} ${what} in ${directory}/cluster. ${restore}${tokenAdvice} and --join.`,
  );
}
