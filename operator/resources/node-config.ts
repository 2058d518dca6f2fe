/**
 * The configuration file of the nodes: what the user says, and what the operator knows better.
 * Pure.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { Hash, Manifest } from './manifest.ts';
import { canonicalText, ownedMetadata } from './manifest.ts';
import { configMapName } from './names.ts';

export const nodePorts = Object.freeze({
  driver: 28015,
  cluster: 29015,
  /** By UDP, at the number of `cluster`. */
  gossip: 29015,
  http: 8080,
  web: 8081,
  admin: 8443,
});

export const dataDirectory = '/var/lib/photondb';
export const adminPasswordPath = '/etc/photondb-admin/password';

/**
 * Options that follow from the objects around the pod. The schema of PhotonCluster leaves them out:
 * a user who set them would break these.
 */
function ownedOptions(cluster: PhotonCluster): Readonly<Record<string, unknown>> {
  const nodesWithData = cluster.spec.pools
    .filter(({ roles }) => roles.includes('data'))
    .reduce((sum, { replicas }) => sum + replicas, 0);
  return {
    ...(nodesWithData > 1 ? { replicated: true } : {}),
    'data-dir': dataDirectory,
    bind: '::',
    'driver-port': nodePorts.driver,
    'cluster-port': nodePorts.cluster,
    'http-port': nodePorts.http,
    'web-port': nodePorts.web,
    'admin-port': nodePorts.admin,
    'admin-password-file': adminPasswordPath,
    'cluster-name': cluster.metadata.name,
  };
}

/** YAML that is also JSON: no second serializer, and one text for equal values. */
function fileText(cluster: PhotonCluster): string {
  const options = { ...cluster.spec.config, ...ownedOptions(cluster) };
  const lines = Object.entries(options)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([option, value]) => `${JSON.stringify(option)}: ${canonicalText(value)}\n`);
  return lines.join('');
}

/** Immutable: another content has another name, and the pods of a revision keep theirs. */
export function configMap(
  cluster: PhotonCluster,
  hash: Hash,
): Manifest & { readonly immutable: true; readonly data: Readonly<Record<string, string>> } {
  const text = fileText(cluster);
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: ownedMetadata(cluster, configMapName(cluster.metadata.name, hash(text))),
    immutable: true,
    data: { 'config.yaml': text },
  };
}
