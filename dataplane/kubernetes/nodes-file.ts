import { readFileSync } from 'node:fs';

/**
 * The nodes of the cluster, as the operator mounts them: a line for each, with its name, its address and its
 * roles. It may lag behind by a minute; who really is a member, the members say.
 */
export interface ListedNode {
  readonly name: string;
  /** HOST:PORT. */
  readonly address: string;
  readonly roles: readonly string[];
}

const fileName = 'cluster-nodes';
const linePattern = /^(\S+) (\S+:\d+) (\S+)$/;

function listedNodes(text: string): readonly ListedNode[] {
  return text.split('\n').flatMap((line) => {
    const [, name, address, roles] = linePattern.exec(line) ?? [];
    const isWhole = name !== undefined && address !== undefined && roles !== undefined;
    return isWhole ? [{ name, address, roles: roles.split(',') }] : [];
  });
}

/** Empty before the file is mounted. */
export function listedNodesAt(directory: string): readonly ListedNode[] {
  try {
    return listedNodes(readFileSync(`${directory}/${fileName}`, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
