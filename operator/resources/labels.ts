/** Labels and annotations: a contract with selectors, dashboards and scrapers. Pure. */

export const clusterLabel = 'photondb.io/cluster';
const poolLabel = 'photondb.io/pool';
const zoneIndexLabel = 'photondb.io/zone-index';
export const revisionAnnotation = 'photondb.io/revision';
/** On a pod: the version of the Secret with the password that the pod has seen. */
export const passwordVersionAnnotation = 'photondb.io/password-version';

/** Written into the template of a StatefulSet by `kubectl rollout restart`. */
export const restartAnnotation = 'kubectl.kubernetes.io/restartedAt';

/** On a PhotonNode, by people: an order about the node, and why it is given. The operator takes them away. */
export const orderAnnotation = 'photondb.io/order';
export const orderReasonAnnotation = 'photondb.io/order-reason';

/** Keys under these belong to the operator; an overlay may not touch them. */
export const ownedKeyPrefixes = Object.freeze(['photondb.io/', 'app.kubernetes.io/']);

const rolePrefix = 'photondb.io/role-';

export type Labels = Readonly<Record<string, string>>;

/** On everything that belongs to a cluster. */
export function clusterLabels(cluster: string): Labels {
  return {
    'app.kubernetes.io/name': 'photondb',
    'app.kubernetes.io/instance': cluster,
    'app.kubernetes.io/part-of': 'photondb',
    'app.kubernetes.io/managed-by': 'photondb-operator',
    [clusterLabel]: cluster,
  };
}

/** Selects every node of a cluster. */
export function nodeSelector(cluster: string): Labels {
  return { 'app.kubernetes.io/component': 'node', [clusterLabel]: cluster };
}

export function poolSelector(cluster: string, pool: string): Labels {
  return { ...nodeSelector(cluster), [poolLabel]: pool };
}

/** Selects the pods of one StatefulSet. */
export function zoneSelector(cluster: string, pool: string, zoneIndex: number): Labels {
  return { ...poolSelector(cluster, pool), [zoneIndexLabel]: String(zoneIndex) };
}

/** Selects the nodes of a cluster that have a role. */
export function roleSelector(cluster: string, role: string): Labels {
  return { ...nodeSelector(cluster), [rolePrefix + role]: 'true' };
}

export function selectorText(labels: Labels): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/**
 * The change that brings a pod's role labels to its roles: null takes a label away. Undefined when
 * they are right already.
 */
export function roleLabelPatch(
  labels: Labels,
  roles: readonly string[],
): Readonly<Record<string, string | null>> | undefined {
  const wanted = new Set(roles.map((role) => rolePrefix + role));
  const patch: Record<string, string | null> = {};
  for (const key of Object.keys(labels)) {
    if (key.startsWith(rolePrefix) && !wanted.has(key)) patch[key] = null;
  }
  for (const key of wanted) if (labels[key] !== 'true') patch[key] = 'true';
  return Object.keys(patch).length === 0 ? undefined : patch;
}
