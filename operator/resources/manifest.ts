/** What every builder of this folder starts from and ends in. Pure. */
import type { Metadata, OwnerReference } from '../api/object.ts';
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import { clusterLabels } from './labels.ts';

export type Pool = PhotonCluster['spec']['pools'][number];

/** An object to be applied; fields other than metadata depend on the kind. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
}

/** A short text that differs when its input differs; handed in, since hashing is not pure here. */
export type Hash = (text: string) => string;

/** What makes an object the cluster's: it is collected with it, and recognised by this UID. */
export function ownerReference(cluster: PhotonCluster): OwnerReference {
  return {
    apiVersion: cluster.apiVersion,
    kind: cluster.kind,
    name: cluster.metadata.name,
    uid: cluster.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** The metadata of an object that the cluster owns. */
export function ownedMetadata(
  cluster: PhotonCluster,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Metadata {
  return {
    name,
    ...(cluster.metadata.namespace === undefined ? {} : { namespace: cluster.metadata.namespace }),
    labels: { ...clusterLabels(cluster.metadata.name), ...labels },
    ownerReferences: [ownerReference(cluster)],
  };
}

/** One text for equal values, independent of the order of their keys: the input of hashes. */
export function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, field]) => `${JSON.stringify(key)}:${canonicalText(field)}`);
    return `{${fields.join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
