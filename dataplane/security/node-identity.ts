/**
 * Who a node is, as its certificate says (a SPIFFE-style URI in the subject alternative name):
 * `photondb://<cluster-id>/node/<node-id>`. Both are UUIDs in lower case; pod names and addresses are not
 * identities.
 */
export interface NodeIdentity {
  readonly clusterId: string;
  readonly nodeId: string;
}

const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const pattern = new RegExp(`^photondb://(${uuid})/node/(${uuid})$`);

export const formatIdentity = ({ clusterId, nodeId }: NodeIdentity): string =>
  `photondb://${clusterId}/node/${nodeId}`;

/** Undefined for anything but exactly such a URI. */
export function parseIdentity(uri: string): NodeIdentity | undefined {
  const [, clusterId, nodeId] = pattern.exec(uri) ?? [];
  return clusterId === undefined || nodeId === undefined ? undefined : { clusterId, nodeId };
}
