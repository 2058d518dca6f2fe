/**
 * Names of all that belongs to a cluster. Clusters have at most 24 characters and pools at most 12
 * without a hyphen, zones are counted: so no two of these names are equal by chance, and none
 * is too long for a label. Pure.
 */
export interface ZoneName {
  readonly cluster: string;
  readonly pool: string;
  /** Place of the zone in the pool's list; 0 for a pool without zones. */
  readonly zoneIndex: number;
}

export function clientServiceName(cluster: string): string {
  return cluster;
}

export function nodesServiceName(cluster: string): string {
  return `${cluster}-nodes`;
}

export function networkPolicyName(cluster: string): string {
  return cluster;
}

export function disruptionBudgetName(cluster: string): string {
  return cluster;
}

/** The ServiceAccount, Role and RoleBinding of the pods; the admission policy spells it as well. */
export function nodeAccountName(cluster: string): string {
  return `${cluster}-node`;
}

export function adminSecretName(cluster: string): string {
  return `${cluster}-admin`;
}

/** The Secret with the certificate authority of the nodes. */
export function authoritySecretName(cluster: string): string {
  return `${cluster}-ca`;
}

/** The ConfigMap with the certificates that nodes trust. */
export function authorityConfigMapName(cluster: string): string {
  return `${cluster}-ca`;
}

/** One object for each content, so that a pod never sees another configuration than its own. */
export function configMapName(cluster: string, contentHash: string): string {
  return `${cluster}-config-${contentHash}`;
}

export function poolObjectName(cluster: string, pool: string): string {
  return `${cluster}-${pool}`;
}

export function statefulSetName({ cluster, pool, zoneIndex }: ZoneName): string {
  return `${cluster}-${pool}-${zoneIndex}`;
}

/** Of the pod and of its PhotonNode. */
export function nodeName(zone: ZoneName, ordinal: number): string {
  return `${statefulSetName(zone)}-${ordinal}`;
}

/** Of the pod that tries new images before a node's pod is replaced. */
export function trialName(node: string): string {
  return `${node}-trial`;
}

/** As a StatefulSet names it, after the claim template `data`. */
export function claimName(node: string): string {
  return `data-${node}`;
}
