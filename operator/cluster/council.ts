/** The members of a cluster that the operator asks, each by its own pod. */
import { AdminApiError } from '../photon/admin-client.ts';
import { keyOf } from '../controller/object.ts';
import type { AdministeredNode } from './node-admin.ts';
import { observeNodes } from './observe-nodes.ts';
import type { Context } from './task.ts';

/** Members that can be asked; the one that a question is about comes last. */
export function council(context: Context, about?: string): readonly AdministeredNode[] {
  const { cluster, tools } = context;
  const nodes = observeNodes(context).flatMap((view) => {
    const key = keyOf({ namespace: cluster.metadata.namespace ?? '', name: view.name });
    const pod = tools.informers.pods.get(key);
    const node = pod === undefined ? undefined : { view, pod };
    return node !== undefined && tools.nodeAdmin.reaches(node) ? [node] : [];
  });
  const rank = ({ view }: AdministeredNode): number =>
    (view.name === about ? 2 : 0) + (view.pod?.isReady === true ? 0 : 1);
  return nodes.toSorted((one, other) => rank(one) - rank(other));
}

/** The answer of the first member that gives one. */
export async function askAny<Answer>(
  members: readonly AdministeredNode[],
  ask: (member: AdministeredNode) => Promise<Answer>,
): Promise<Answer> {
  let failure = new AdminApiError('no node of the cluster can be asked yet');
  for (const member of members) {
    try {
      return await ask(member);
    } catch (error) {
      if (!(error instanceof AdminApiError)) throw error;
      failure = error;
    }
  }
  throw failure;
}
