import type { Metadata } from '../api/object.ts';

/**
 * Kubernetes objects as plain JSON, and the table of the resources that the operator uses.
 * Objects are never passed through typed models: a model drops the fields that it does not know,
 * and a later write would then erase them. Unknown fields stay in the object, unread.
 */

/**
 * What every object has. Kinds with typed contents extend it; it has no index signature, so that
 * interfaces generated from a schema fit it as they are.
 */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
}

/** Where a kind lives in the API. `group` is empty for the core group. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** The name of one object; `namespace` is absent for cluster-wide kinds. */
export interface ObjectName {
  readonly namespace?: string;
  readonly name: string;
}

function namespaced(group: string, version: string, plural: string, kind: string): Resource {
  return Object.freeze({ group, version, plural, kind, namespaced: true });
}

export const resources = Object.freeze({
  pods: namespaced('', 'v1', 'pods', 'Pod'),
  services: namespaced('', 'v1', 'services', 'Service'),
  configMaps: namespaced('', 'v1', 'configmaps', 'ConfigMap'),
  secrets: namespaced('', 'v1', 'secrets', 'Secret'),
  serviceAccounts: namespaced('', 'v1', 'serviceaccounts', 'ServiceAccount'),
  persistentVolumeClaims: namespaced('', 'v1', 'persistentvolumeclaims', 'PersistentVolumeClaim'),
  statefulSets: namespaced('apps', 'v1', 'statefulsets', 'StatefulSet'),
  controllerRevisions: namespaced('apps', 'v1', 'controllerrevisions', 'ControllerRevision'),
  podDisruptionBudgets: namespaced('policy', 'v1', 'poddisruptionbudgets', 'PodDisruptionBudget'),
  networkPolicies: namespaced('networking.k8s.io', 'v1', 'networkpolicies', 'NetworkPolicy'),
  roles: namespaced('rbac.authorization.k8s.io', 'v1', 'roles', 'Role'),
  roleBindings: namespaced('rbac.authorization.k8s.io', 'v1', 'rolebindings', 'RoleBinding'),
  leases: namespaced('coordination.k8s.io', 'v1', 'leases', 'Lease'),
  events: namespaced('events.k8s.io', 'v1', 'events', 'Event'),
  photonClusters: namespaced('photondb.io', 'v1alpha1', 'photonclusters', 'PhotonCluster'),
  photonPools: namespaced('photondb.io', 'v1alpha1', 'photonpools', 'PhotonPool'),
  photonNodes: namespaced('photondb.io', 'v1alpha1', 'photonnodes', 'PhotonNode'),
});

/** `v1` for the core group, `group/version` for the others. */
export function apiVersionOf(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** The URL path of a collection, an object, or one of its subresources. */
export function pathOf(
  resource: Resource,
  at: { readonly namespace?: string; readonly name?: string; readonly subresource?: string },
): string {
  const parts = [resource.group === '' ? 'api' : 'apis', apiVersionOf(resource)];
  if (resource.namespaced && at.namespace !== undefined) {
    parts.push('namespaces', encodeURIComponent(at.namespace));
  }
  parts.push(resource.plural);
  if (at.name !== undefined) parts.push(encodeURIComponent(at.name));
  if (at.subresource !== undefined) parts.push(at.subresource);
  return `/${parts.join('/')}`;
}
