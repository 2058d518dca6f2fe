/**
 * The informers of all kinds that belong to clusters. Secrets are not among them: the operator reads only the
 * ones that a cluster names.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { PhotonNode } from '../api/generated/photon-node.ts';
import type { PhotonPool } from '../api/generated/photon-pool.ts';
import { keyOf } from '../controller/object.ts';
import type { KubeObject } from '../kube/object.ts';
import { resources } from '../kube/object.ts';
import { clusterLabel } from '../resources/labels.ts';
import type { Claim } from '../rollout/claims.ts';
import type { Pod } from '../status/observed.ts';
import type { ObservedService } from '../status/service-fault.ts';
import type { ResourceInformerOptions } from './resource-informer.ts';
import { ResourceInformer } from './resource-informer.ts';

export interface RunningPod extends Pod {
  readonly spec?: Pod['spec'] & {
    readonly volumes?: readonly { readonly configMap?: { readonly name?: string } }[];
  };
}

export interface StatefulSet extends KubeObject {
  readonly spec?: {
    readonly replicas?: number;
    readonly template?: {
      readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
    };
    readonly volumeClaimTemplates?: readonly {
      readonly spec?: { readonly resources?: { readonly requests?: Record<string, string> } };
    }[];
  };
}

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

export type VolumeClaim = KubeObject & Claim;

/** An informer of any kind, for operations on all of them. */
export type Cache = Pick<
  ResourceInformer<KubeObject>,
  'resource' | 'size' | 'hasSynced' | 'start' | 'stop' | 'synced' | 'onChange' | 'get'
>;

/** On every object of a cluster. */
const ours = clusterLabel;

export class InformerSet {
  readonly clusters: ResourceInformer<PhotonCluster>;
  readonly pools: ResourceInformer<PhotonPool>;
  readonly nodes: ResourceInformer<PhotonNode>;
  readonly pods: ResourceInformer<RunningPod>;
  readonly statefulSets: ResourceInformer<StatefulSet>;
  readonly volumeClaims: ResourceInformer<VolumeClaim>;
  readonly configMaps: ResourceInformer<ConfigMap>;
  readonly services: ResourceInformer<KubeObject & ObservedService>;
  /** All informers, for operations on all of them. */
  readonly caches: readonly Cache[];

  constructor(options: ResourceInformerOptions) {
    this.clusters = new ResourceInformer(resources.photonClusters, options);
    this.pools = new ResourceInformer(resources.photonPools, options);
    this.nodes = new ResourceInformer(resources.photonNodes, options);
    this.pods = new ResourceInformer(resources.pods, options, ours);
    this.statefulSets = new ResourceInformer(resources.statefulSets, options, ours);
    this.volumeClaims = new ResourceInformer(resources.persistentVolumeClaims, options, ours);
    this.configMaps = new ResourceInformer(resources.configMaps, options, ours);
    this.services = new ResourceInformer(resources.services, options, ours);
    const plain = [
      resources.serviceAccounts,
      resources.roles,
      resources.roleBindings,
      resources.podDisruptionBudgets,
      resources.networkPolicies,
    ].map((resource) => new ResourceInformer(resource, options, ours));
    this.caches = [
      this.clusters,
      this.pools,
      this.nodes,
      this.pods,
      this.statefulSets,
      this.volumeClaims,
      this.configMaps,
      this.services,
      ...plain,
    ];
  }

  /** Calls the handler with the key of the cluster that each change concerns. */
  onChange(handler: (clusterKey: string) => void): void {
    for (const cache of this.caches) {
      const isCluster = cache.resource === resources.photonClusters;
      cache.onChange(({ object, key }) => {
        const { namespace, labels } = object.metadata;
        const name = labels?.[clusterLabel];
        if (isCluster) handler(key);
        else if (name !== undefined && namespace !== undefined) handler(keyOf({ namespace, name }));
      });
    }
  }

  start(): void {
    for (const cache of this.caches) cache.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.caches.map((cache) => cache.stop()));
  }

  async synced(signal: AbortSignal): Promise<boolean> {
    const all = await Promise.all(this.caches.map((cache) => cache.synced(signal)));
    return all.every(Boolean);
  }

  get hasSynced(): boolean {
    return this.caches.every(({ hasSynced }) => hasSynced);
  }

  /** An object of any watched kind; undefined when the caches do not show it. */
  find(kind: string, key: string): KubeObject | undefined {
    for (const cache of this.caches) if (cache.resource.kind === kind) return cache.get(key);
    return undefined;
  }
}
