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

/** Who may use the admin API: `photondb://<cluster-id>/admin/<name>`. */
export interface AdminIdentity {
  readonly clusterId: string;
  readonly admin: string;
}

const adminPattern = new RegExp(`^photondb://(${uuid})/admin/([a-z0-9][a-z0-9-]{0,62})$`);

export const formatAdmin = ({ clusterId, admin }: AdminIdentity): string =>
  `photondb://${clusterId}/admin/${admin}`;

export function parseAdmin(uri: string): AdminIdentity | undefined {
  const [, clusterId, admin] = adminPattern.exec(uri) ?? [];
  return clusterId === undefined || admin === undefined ? undefined : { clusterId, admin };
}
