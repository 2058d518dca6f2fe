import type { PhotonNode } from './own-node.ts';

/**
 * What the operator wants of a node that belongs to no cluster yet: exactly one node founds it, and the
 * others join it once its identity is recorded.
 */
export type Assignment =
  | { readonly type: 'found' }
  | { readonly type: 'join'; readonly clusterId: string }
  | { readonly type: 'wait' };

export function assignmentOf({ spec }: PhotonNode): Assignment {
  const { clusterId, founder } = spec ?? {};
  if (clusterId !== undefined && clusterId !== '') return { type: 'join', clusterId };
  return founder === true ? { type: 'found' } : { type: 'wait' };
}

export interface AssignmentOptions {
  readonly read: () => Promise<PhotonNode>;
  /** Says why the node does not begin, each time that it has asked. */
  readonly waiting: (message: string) => void;
  readonly pause: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** Resolves when the node is to found or to join; rejects when it is aborted. */
export async function awaitAssignment({
  read,
  waiting,
  pause,
  signal,
}: AssignmentOptions): Promise<Exclude<Assignment, { readonly type: 'wait' }>> {
  for (;;) {
    signal.throwIfAborted();
    try {
      const assignment = assignmentOf(await read());
      if (assignment.type !== 'wait') return assignment;
      waiting(
        'the cluster is not founded yet: this node joins it when the operator has recorded it',
      );
    } catch (error) {
      const why = (error as Error).message;
      waiting(`it is not known yet whether this node founds a cluster or joins one: ${why}`);
    }
    await pause();
  }
}
