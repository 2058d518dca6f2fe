/**
 * Makes objects as they are wanted, and only those that belong to the cluster: an object of the
 * same name without the cluster's UID is never written. What the caches show as it was last
 * written is not written again, so a settled cluster costs no requests.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import { keyOf } from '../controller/object.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeObject, Resource } from '../kube/object.ts';
import type { Hash, Manifest } from '../resources/manifest.ts';
import { canonicalText } from '../resources/manifest.ts';
import type { World } from './world.ts';

export type Applied =
  | { readonly type: 'ours' }
  /** Belongs to somebody else. */
  | { readonly type: 'foreign'; readonly message: string }
  /** Is on its way out: it was ours, or of a cluster of this name before. */
  | { readonly type: 'leaving'; readonly message: string };

interface Memory {
  readonly hash: string;
  readonly resourceVersion: string;
}

export class Applier {
  readonly #client: KubeClient;
  readonly #world: World;
  readonly #hash: Hash;
  /** By the UID of the cluster, then by kind and name. */
  readonly #memory = new Map<string, Map<string, Memory>>();

  constructor(client: KubeClient, world: World, hash: Hash) {
    this.#client = client;
    this.#world = world;
    this.#hash = hash;
  }

  async apply(
    cluster: PhotonCluster,
    resource: Resource,
    manifest: Manifest,
    signal: AbortSignal,
  ): Promise<Applied> {
    const uid = cluster.metadata.uid ?? '';
    const key = keyOf(manifest.metadata);
    const cached = this.#world.find(resource.kind, key);
    const hash = this.#hash(canonicalText(manifest));
    const memory = this.#memoryOf(uid);
    const id = `${resource.kind} ${key}`;
    const last = memory.get(id);
    if (last?.hash === hash && last.resourceVersion === cached?.metadata.resourceVersion) {
      return { type: 'ours' };
    }
    // The caches show only what carries our label: what they do not show may exist all the same.
    const options = { signal };
    const existing = cached ?? (await this.#client.find(resource, manifest.metadata, options));
    const refusal = existing === undefined ? undefined : refusalOf(existing, cluster);
    if (refusal !== undefined) return refusal;
    // With its UID, so that an object that has meanwhile taken the name is a conflict.
    const identity = existing?.metadata.uid === undefined ? {} : { uid: existing.metadata.uid };
    const wanted = { ...manifest, metadata: { ...manifest.metadata, ...identity } };
    const written = await this.#client.apply(resource, wanted, options);
    memory.set(id, { hash, resourceVersion: written.metadata.resourceVersion ?? '' });
    return { type: 'ours' };
  }

  forget(clusterUid: string): void {
    this.#memory.delete(clusterUid);
  }

  #memoryOf(uid: string): Map<string, Memory> {
    const memory = this.#memory.get(uid) ?? new Map<string, Memory>();
    this.#memory.set(uid, memory);
    return memory;
  }
}

export function isOwned(object: KubeObject, cluster: PhotonCluster): boolean {
  const { uid } = cluster.metadata;
  return object.metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false;
}

/** Why an existing object must not be written; undefined when it may. */
function refusalOf(
  existing: KubeObject,
  cluster: PhotonCluster,
): Exclude<Applied, { readonly type: 'ours' }> | undefined {
  const { name, deletionTimestamp, ownerReferences = [] } = existing.metadata;
  const what = `${existing.kind} ${name}`;
  if (isOwned(existing, cluster)) {
    if (deletionTimestamp === undefined) return undefined;
    return { type: 'leaving', message: `${what} is being deleted and will be made again` };
  }
  const isFormer = ownerReferences.some(
    (owner) => owner.kind === cluster.kind && owner.name === cluster.metadata.name,
  );
  if (isFormer) {
    return {
      type: 'leaving',
      message: `${what} of a former cluster of this name is being deleted`,
    };
  }
  return {
    type: 'foreign',
    message: `${what} exists and does not belong to this cluster: delete or rename it, or name the cluster otherwise`,
  };
}
