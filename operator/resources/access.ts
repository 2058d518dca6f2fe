/**
 * What the pods of a cluster may do in Kubernetes: read their own PhotonNodes and patch their
 * status, by name. The admission policy narrows it to each pod's own. Pure.
 */
import type { V1PolicyRule, V1RoleRef, RbacV1Subject } from '@kubernetes/client-node';
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { Manifest } from './manifest.ts';
import { ownedMetadata } from './manifest.ts';
import { nodeAccountName } from './names.ts';

const rbacGroup = 'rbac.authorization.k8s.io';

export function nodeAccount(
  cluster: PhotonCluster,
): Manifest & { readonly automountServiceAccountToken: false } {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: ownedMetadata(cluster, nodeAccountName(cluster.metadata.name)),
    automountServiceAccountToken: false,
  };
}

export function nodeRole(
  cluster: PhotonCluster,
  nodeNames: readonly string[],
): Manifest & { readonly rules: V1PolicyRule[] } {
  const resourceNames = [...nodeNames].sort();
  const apiGroups = ['photondb.io'];
  return {
    apiVersion: `${rbacGroup}/v1`,
    kind: 'Role',
    metadata: ownedMetadata(cluster, nodeAccountName(cluster.metadata.name)),
    rules: [
      { apiGroups, resources: ['photonnodes'], resourceNames, verbs: ['get'] },
      { apiGroups, resources: ['photonnodes/status'], resourceNames, verbs: ['get', 'patch'] },
    ],
  };
}

export function nodeRoleBinding(
  cluster: PhotonCluster,
): Manifest & { readonly roleRef: V1RoleRef; readonly subjects: RbacV1Subject[] } {
  const name = nodeAccountName(cluster.metadata.name);
  const { namespace } = cluster.metadata;
  return {
    apiVersion: `${rbacGroup}/v1`,
    kind: 'RoleBinding',
    metadata: ownedMetadata(cluster, name),
    roleRef: { apiGroup: rbacGroup, kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name, ...(namespace === undefined ? {} : { namespace }) }],
  };
}
