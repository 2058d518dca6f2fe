/** Informers of one kind: one for each watched namespace, or one for all namespaces. */
import type { Clock } from '../controller/clock.ts';
import type { Change } from '../controller/object-cache.ts';
import type { InformerObservation } from '../controller/informer.ts';
import { Informer } from '../controller/informer.ts';
import type { KubeClient } from '../kube/client.ts';
import { KubeListWatch } from '../kube/list-watch.ts';
import type { KubeObject, Resource } from '../kube/object.ts';
import { clusterLabel } from '../resources/labels.ts';

export interface ResourceInformerOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: () => number;
  /** Empty: all namespaces. */
  readonly namespaces: readonly string[];
  readonly observe: (resource: Resource, observation: InformerObservation) => void;
}

export class ResourceInformer<T extends KubeObject> {
  readonly resource: Resource;
  readonly #informers: readonly Informer<T>[];

  /** A label selector keeps out of memory what cannot be a cluster's. */
  constructor(resource: Resource, options: ResourceInformerOptions, labelSelector?: string) {
    const { client, clock, random, observe } = options;
    this.resource = resource;
    const namespaces = options.namespaces.length === 0 ? [undefined] : options.namespaces;
    this.#informers = namespaces.map((namespace) => {
      const scope = { namespace, ...(labelSelector === undefined ? {} : { labelSelector }) };
      return new Informer<T>({
        source: new KubeListWatch<T>(client, resource, scope),
        clock,
        random,
        indexedLabels: [clusterLabel],
        observe: (observation) => observe(resource, observation),
      });
    });
  }

  start(): void {
    for (const informer of this.#informers) informer.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#informers.map((informer) => informer.stop()));
  }

  async synced(signal: AbortSignal): Promise<boolean> {
    const all = await Promise.all(this.#informers.map((informer) => informer.synced(signal)));
    return all.every(Boolean);
  }

  get hasSynced(): boolean {
    return this.#informers.every(({ hasSynced }) => hasSynced);
  }

  get size(): number {
    return this.#informers.reduce((sum, { size }) => sum + size, 0);
  }

  onChange(handler: (change: Change<T>) => void): void {
    for (const informer of this.#informers) informer.onChange(handler);
  }

  get(key: string): T | undefined {
    for (const informer of this.#informers) {
      const found = informer.get(key);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  all(): readonly T[] {
    return this.#informers.flatMap((informer) => informer.list());
  }

  /** Objects that carry the label of a cluster, in its namespace. */
  ofCluster(cluster: KubeObject): readonly T[] {
    const { name, namespace } = cluster.metadata;
    return this.#informers
      .flatMap((informer) => informer.labelled(clusterLabel, name))
      .filter(({ metadata }) => metadata.namespace === namespace);
  }
}
