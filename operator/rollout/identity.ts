/**
 * Which node is which: by the identity that was made with its data directory, never by its name. A
 * node that has had one and returns with another, or with none, has lost its data. Pure.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { PhotonNode } from '../api/generated/photon-node.ts';
import type { NodeView } from '../api/node-view.ts';
import { hasItsData } from '../api/node-view.ts';

/** Names identities whose data is given up, separated by commas; of no effect on later ones. */
const acceptLossAnnotation = 'photondb.io/accept-data-loss';

/** The limit of the schema, as is the length. */
const lossesMax = 64;
const idLengthMax = 64;

/** As a person accepted it. */
export function acceptedByAnnotation({ metadata }: PhotonCluster): readonly string[] {
  const text = metadata.annotations?.[acceptLossAnnotation] ?? '';
  const ids = text.split(',').map((id) => id.trim());
  const unique = new Set(ids.filter((id) => id !== '' && id.length <= idLengthMax));
  return [...unique].slice(0, lossesMax);
}

/** And those that the operator has replaced, because the other nodes had everything; the last ones first. */
export function acceptedLosses(cluster: PhotonCluster): readonly string[] {
  const replaced = (cluster.status?.replaced ?? []).map(({ id }) => id).toReversed();
  return [...new Set([...acceptedByAnnotation(cluster), ...replaced])].slice(0, lossesMax);
}

/**
 * The identity that a node has had. The status of the cluster remembers it, and so do the intent of
 * the node and its own last report: each of them may have been deleted.
 */
export function recordedIdOf(
  cluster: PhotonCluster,
  name: string,
  node: PhotonNode | undefined,
): string | undefined {
  const accepted = new Set(acceptedLosses(cluster));
  const member = cluster.status?.members?.find((each) => each.name === name);
  return [member?.id, node?.spec.id, node?.status?.id].find(
    (id) => id !== undefined && id !== '' && !accepted.has(id),
  );
}

/** It runs on an empty data directory: it keeps nothing that could be lost. */
export const isEmpty = ({ pod, report, recordedId }: NodeView): boolean =>
  pod !== undefined &&
  !pod.isTerminating &&
  recordedId !== undefined &&
  report?.missingId === recordedId;

/** What has happened to a node without its data, and what to do; undefined when it has it. */
export function dataLoss(
  cluster: PhotonCluster,
  node: NodeView,
  whyNotReplaced?: string,
): string | undefined {
  if (hasItsData(node)) return undefined;
  const { name, recordedId = '', report } = node;
  const { name: clusterName, namespace } = cluster.metadata;
  const found =
    report?.missingId === recordedId ? 'its data directory is empty' : `it now has ${report?.id}`;
  const why = whyNotReplaced === undefined ? '' : ` It is not replaced: ${whyNotReplaced}.`;
  const at = namespace === undefined ? '' : ` --namespace ${namespace}`;
  const command = `kubectl annotate photoncluster ${clusterName}${at} ${acceptLossAnnotation}=${recordedId} --overwrite`;
  return `node ${name} had the identity ${recordedId} and ${found}: its volume was lost or exchanged.${why} Restore the volume; or, to give its data up and begin with what is there: ${command}`;
}
