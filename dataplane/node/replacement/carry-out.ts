import { PhotonError } from '../../common/errors.ts';
import { writeFile } from '../../membership/cluster-files.ts';
import type { ClusterFiles, StoredCredentials } from '../../membership/cluster-files.ts';
import type { StoredReplacement } from '../../membership/cluster-files.ts';
import { makeRoom, setAside } from '../../storage/set-aside.ts';
import type { NodeContext } from '../context.ts';
import { diskUsage } from '../disk-usage.ts';

/** In a pod: the next start finds an empty directory, and the operator gives the node another place. */
class BeginAgainError extends PhotonError {
  override readonly code = 'node.begin_again';

  constructor(kept: string) {
    super(
      `The data of this node is lost, and was moved to ${kept}. The other nodes have everything: the next start begins again as a new member.`,
    );
  }
}

const dataNames = ['wal', 'store', 'store.opening', 'store-copy'];
/** Longest last: the log is small, and shows what happened. */
const dispensable = ['store', 'wal'];

export interface ReplacedDirectory {
  readonly dataDirectory: string;
  /** Of the cluster. */
  readonly files: ClusterFiles;
  /** The node continues under another node ID, with an empty directory. */
  become(credentials: StoredCredentials): void;
  /** The directory is nobody's any more. */
  discardIdentity(at: number): void;
}

/** What remains to be done once the node ID is given up; may be repeated. Throws in a pod. */
export function carryOut(
  directory: ReplacedDirectory,
  given: StoredReplacement,
  { logger }: Pick<NodeContext, 'logger'>,
): void {
  const { files, dataDirectory: path } = directory;
  const { nodeId, reason, at, next } = given;
  const kept = setAside(path, dataNames, at);
  const removed = makeRoom(kept, dispensable, () => diskUsage(path).freeBytes);
  if (next === undefined) {
    directory.discardIdentity(at);
    logger.error('the data of this node was moved aside', { reason, kept, removed });
    throw new BeginAgainError(kept);
  }
  // Of the former identity.
  for (const name of ['gossip-key', 'quarantine']) files.remove(`${name}.json`);
  writeFile(files, 'replication', { isFounder: false });
  writeFile(files, 'credentials', next);
  directory.become(next);
  files.remove('replacement.json');
  logger.error('the node begins again as a new member, and the others send it the data', {
    reason,
    kept,
    removed,
    formerId: nodeId,
    id: next.nodeId,
  });
}
