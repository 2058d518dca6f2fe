/**
 * When a cluster of one node with data gets others. That node keeps its data alone until it restarts with the
 * configuration of several: nodes that came before would join a cluster that gives them nothing. Pure.
 */
import type { NodeView } from '../api/node-view.ts';

export interface Growth {
  /** What the StatefulSet has now; undefined when it is not there yet. */
  readonly current: number | undefined;
  /** What it is to have. */
  readonly wanted: number;
  /** The node that has the data. */
  readonly first: Pick<NodeView, 'pod' | 'wantedRevision'> | undefined;
}

/** How many pods the StatefulSet of nodes with data is to have now. */
export function podsOf({ current, wanted, first }: Growth): number {
  if (current !== 1 || wanted === 1 || first === undefined) return wanted;
  const { pod, wantedRevision } = first;
  const isPrepared = pod !== undefined && !pod.isTerminating && pod.revision === wantedRevision;
  return isPrepared ? wanted : current;
}
