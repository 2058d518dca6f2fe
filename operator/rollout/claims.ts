/**
 * What the volume claim of a node says of its data: whether a pod may be started on it, and whether
 * the pod on it may be stopped. A claim that goes away takes the data with it as soon as nothing
 * uses it, and Kubernetes then makes an empty one of the same name. Pure.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { Metadata } from '../api/object.ts';

type Pool = PhotonCluster['spec']['pools'][number];

/** A PersistentVolumeClaim, as far as it is read here. */
export interface Claim {
  readonly metadata: Metadata;
  readonly spec?: {
    readonly accessModes?: readonly string[];
    readonly storageClassName?: string;
    readonly volumeMode?: string;
    readonly volumeName?: string;
    readonly resources?: { readonly requests?: Readonly<Record<string, string>> };
  };
  readonly status?: {
    readonly phase?: string;
    readonly allocatedResourceStatuses?: Readonly<Record<string, string>>;
  };
}

const writableModes: readonly string[] = ['ReadWriteOnce', 'ReadWriteOncePod', 'ReadWriteMany'];

/** Why the data would not outlive the pod that uses the claim; undefined when it would. */
export function lossAtStop(claimName: string, claim: Claim | undefined): string | undefined {
  if (claim === undefined) {
    return `volume claim ${claimName} is missing, and a recreated pod would start without data: copy the data, or recreate the claim for its volume`;
  }
  const { spec, status, metadata } = claim;
  const volume = spec?.volumeName ?? 'of the claim';
  if (metadata.deletionTimestamp !== undefined) {
    return `volume claim ${claimName} is being deleted, and its data is lost as soon as the pod stops: set persistentVolumeReclaimPolicy of PersistentVolume ${volume} to Retain, or copy the data away`;
  }
  if (status?.phase === 'Lost') {
    return `volume claim ${claimName} has lost its PersistentVolume ${volume}: restore the volume`;
  }
  return undefined;
}

/** Who the claim belongs to by its label or owner, when it is not this cluster. */
function otherOwner({ metadata }: Claim, cluster: string, label: string): string | undefined {
  const named = metadata.labels?.[label];
  if (named !== undefined && named !== cluster) return `PhotonCluster ${named}`;
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  const isOurs = owner === undefined || owner.kind === 'StatefulSet' || owner.kind === 'Pod';
  return isOurs ? undefined : `${owner.kind} ${owner.name}`;
}

/** Why no pod of the pool can run on an existing claim; undefined when one can. */
export function claimRefusal(
  claim: Claim,
  pool: Pool,
  { cluster, clusterLabel }: { readonly cluster: string; readonly clusterLabel: string },
): string | undefined {
  const { spec = {}, metadata } = claim;
  const what = `volume claim ${metadata.name} cannot be used`;
  const owner = otherOwner(claim, cluster, clusterLabel);
  if (owner !== undefined) {
    return `${what}: it belongs to ${owner}; rename or delete it, or name the cluster otherwise`;
  }
  if (spec.volumeMode === 'Block') {
    return `${what}: it is a block device; make it with volumeMode: Filesystem`;
  }
  const modes = spec.accessModes ?? [];
  if (!modes.some((mode) => writableModes.includes(mode))) {
    return `${what}: its access modes are ${modes.join(', ')}; make it with ReadWriteOnce`;
  }
  const { className } = pool.storage;
  if (className !== undefined && spec.storageClassName !== className) {
    return `${what}: its class is ${spec.storageClassName ?? 'none'} and storage.className is ${className}; make it with that class`;
  }
  return undefined;
}
