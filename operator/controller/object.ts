/**
 * What this folder needs to know of a Kubernetes object: its name, its identity, its labels and
 * its owners. It knows no kind and no client.
 */

export interface CachedObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly generation?: number;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly uid: string }[];
  };
}

/** `namespace/name`, or the bare name of a cluster-wide object: the key of caches and queues. */
export function keyOf(name: { readonly namespace?: string; readonly name: string }): string {
  return name.namespace === undefined ? name.name : `${name.namespace}/${name.name}`;
}

/** The reverse of keyOf. */
export function nameOf(key: string): { readonly namespace?: string; readonly name: string } {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
