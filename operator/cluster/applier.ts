/**
 * Makes objects as they are wanted, and only those that belong to the cluster: an object of the
 * same name without the cluster's UID is never written. What the caches show as it was last
 * written is not written again, so a settled cluster costs no requests. What others have added to
 * our part of an object is taken away, and an object that cannot become what it should be is made
 * again.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import { keyOf } from '../controller/object.ts';
import type { KubeClient } from '../kube/client.ts';
import { fieldManager } from '../kube/request-url.ts';
import { isKubeError } from '../kube/errors.ts';
import type { KubeObject, Resource } from '../kube/object.ts';
import type { Hash, Manifest } from '../resources/manifest.ts';
import { canonicalText } from '../resources/manifest.ts';
import { hasForeignFields, replacement } from './ownership.ts';
import type { InformerSet } from './informer-set.ts';

export type Applied =
  /** `repair` describes the reverted drift, if it was more than a change of the manifest. */
  | { readonly type: 'ours'; readonly repair?: string }
  /** Has another owner. */
  | { readonly type: 'foreign'; readonly message: string }
  /** Is on its way out: it was ours, or of a cluster of this name before. */
  | { readonly type: 'leaving'; readonly message: string };

interface Memory {
  readonly hash: string;
  readonly resourceVersion: string;
}

/** An object to be written, and the existing one of its name. */
interface Write {
  readonly resource: Resource;
  readonly manifest: Manifest;
  readonly existing: KubeObject | undefined;
  readonly signal: AbortSignal;
}

export class Applier {
  readonly #client: KubeClient;
  readonly #informers: InformerSet;
  readonly #hash: Hash;
  /** By the UID of the cluster, then by kind and name. */
  readonly #memory = new Map<string, Map<string, Memory>>();

  constructor(client: KubeClient, informers: InformerSet, hash: Hash) {
    this.#client = client;
    this.#informers = informers;
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
    const cached = this.#informers.find(resource.kind, key);
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
    const result = await this.#write({ resource, manifest, existing, signal });
    if (result.type !== 'written') return result;
    const { object, repair } = result;
    memory.set(id, { hash, resourceVersion: object.metadata.resourceVersion ?? '' });
    return repair === undefined ? { type: 'ours' } : { type: 'ours', repair };
  }

  forget(clusterUid: string): void {
    this.#memory.delete(clusterUid);
  }

  async #write(
    write: Write,
  ): Promise<
    | { readonly type: 'written'; readonly object: KubeObject; readonly repair?: string }
    | Exclude<Applied, { readonly type: 'ours' }>
  > {
    const { manifest, existing } = write;
    const what = `${manifest.kind} ${manifest.metadata.name}`;
    try {
      const object = await this.#applyTo(existing, write);
      if (!hasForeignFields(object, manifest, fieldManager)) return { type: 'written', object };
      const replaced = await this.#replace(object, write);
      const isChanged = replaced.metadata.resourceVersion !== object.metadata.resourceVersion;
      const repair = `took out of ${what} what does not belong to it`;
      return { type: 'written', object: replaced, ...(isChanged ? { repair } : {}) };
    } catch (error) {
      // Merged with foreign fields of the object, the manifest may be invalid.
      if (existing === undefined || !isKubeError(error, 'kube.invalid')) throw error;
      return this.#overcome(write, existing, what);
    }
  }

  /** The manifest does not fit into the object as it is: it takes the place of all that is ours. */
  async #overcome(
    write: Write,
    existing: KubeObject,
    what: string,
  ): Promise<
    | { readonly type: 'written'; readonly object: KubeObject; readonly repair: string }
    | { readonly type: 'leaving'; readonly message: string }
  > {
    const { resource, manifest, signal } = write;
    try {
      // A patch owns no fields as an apply does: without the latter, the next one would write again.
      const object = await this.#applyTo(await this.#replace(existing, write), write);
      return { type: 'written', object, repair: `replaced the contents of ${what}` };
    } catch (error) {
      if (!isKubeError(error, 'kube.invalid')) throw error;
      // A manifest that is at fault itself must not cost the object that there is.
      const probe = { ...manifest.metadata, name: `${manifest.metadata.name}-probe` };
      const fresh = { ...manifest, metadata: probe };
      await this.#client.create(resource, fresh, { signal, dryRun: true });
      const { uid = '' } = existing.metadata;
      const removal = { uid, propagationPolicy: 'Orphan', signal } as const;
      await this.#client.remove(resource, manifest.metadata, removal);
      const message = `${what} cannot be updated and is recreated: ${error.message}`;
      return { type: 'leaving', message };
    }
  }

  /** With the UID of the existing object, so that one that has meanwhile taken its name is a conflict. */
  #applyTo(
    existing: KubeObject | undefined,
    { resource, manifest, signal }: Write,
  ): Promise<KubeObject> {
    const identity = existing?.metadata.uid === undefined ? {} : { uid: existing.metadata.uid };
    const wanted = { ...manifest, metadata: { ...manifest.metadata, ...identity } };
    return this.#client.apply(resource, wanted, { signal });
  }

  #replace(existing: KubeObject, { resource, manifest, signal }: Write): Promise<KubeObject> {
    const operations = replacement(existing, manifest);
    return this.#client.patchJson(resource, manifest.metadata, operations, { signal });
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
export function refusalOf(
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
