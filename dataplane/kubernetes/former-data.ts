import type { PhotonNode } from './own-node.ts';

/**
 * Keeps a node that has had data from starting again on an empty directory: Kubernetes gives a pod
 * whose volume claim was lost another claim of the same name, and an empty database would look like
 * the former one. The PhotonNode outlives the pod and remembers the identity. A directory that has an
 * identity needs no leave, so a node with its data starts without the API server.
 */

/** The identity that the node has had, unless its loss was accepted; undefined for a new node. */
export function formerId({ spec, status }: PhotonNode): string | undefined {
  const accepted = new Set(spec?.acceptedLosses ?? []);
  return [spec?.id, status?.id].find((id) => id !== undefined && id !== '' && !accepted.has(id));
}

export interface LeaveOptions {
  readonly read: () => Promise<PhotonNode>;
  /** Says why the node does not begin, each time that it has asked; `missingId` when it knows. */
  readonly waiting: (message: string, missingId: string | undefined) => void;
  readonly pause: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** Resolves when an empty directory may be made the node's own; rejects when it is aborted. */
export async function leaveToBegin({ read, waiting, pause, signal }: LeaveOptions): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    try {
      const id = formerId(await read());
      if (id === undefined) return;
      waiting(
        `this node had the identity ${id} and its data directory is empty: its volume was lost or exchanged. It begins again as a new member when the operator finds that the other nodes have all of its data. Else restore the volume, or accept the loss by the annotation photondb.io/accept-data-loss=${id} of the PhotonCluster`,
        id,
      );
    } catch (error) {
      const why = (error as Error).message;
      waiting(
        `the data directory is empty, and it is not known yet whether this node had data: ${why}`,
        undefined,
      );
    }
    await pause();
  }
}
