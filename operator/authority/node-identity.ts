/**
 * Who a node is, as its certificate says in the subject alternative name:
 * `photondb://<cluster-id>/node/<node-id>`. Both are UUIDs in lower case. Pure.
 */
export interface NodeIdentity {
  readonly clusterId: string;
  readonly nodeId: string;
}

const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const pattern = new RegExp(`^photondb://(${uuid})/node/(${uuid})$`);

const wholeUuid = new RegExp(`^${uuid}$`);

export const isUuid = (text: string): boolean => wholeUuid.test(text);

export function formatIdentity({ clusterId, nodeId }: NodeIdentity): string {
  return `photondb://${clusterId}/node/${nodeId}`;
}

/** Undefined for anything but exactly such a URI. */
export function parseIdentity(uri: string): NodeIdentity | undefined {
  const [, clusterId, nodeId] = pattern.exec(uri) ?? [];
  return clusterId === undefined || nodeId === undefined ? undefined : { clusterId, nodeId };
}

/** A client of the admin API of the nodes. */
export interface AdminIdentity {
  readonly clusterId: string;
  readonly name: string;
}

export const formatAdmin = ({ clusterId, name }: AdminIdentity): string =>
  `photondb://${clusterId}/admin/${name}`;
