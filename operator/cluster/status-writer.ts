/**
 * Writes the status of clusters and pools, when it has changed. Only the operator writes it, so
 * what this process wrote last counts more than a cache that may lag behind.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { PhotonPool } from '../api/generated/photon-pool.ts';
import type { NodeView } from '../api/node-view.ts';
import { keyOf } from '../controller/object.ts';
import type { KubeObject, Resource } from '../kube/object.ts';
import { resources } from '../kube/object.ts';
import { poolSelector, selectorText } from '../resources/labels.ts';
import { canonicalText } from '../resources/manifest.ts';
import { poolObjectName } from '../resources/names.ts';
import { clientService } from '../resources/services.ts';
import type { ClusterStatus, PoolStatus } from '../status/cluster-status.ts';
import { clusterStatus, firstStatus, poolStatus } from '../status/cluster-status.ts';
import type { Moment } from '../status/conditions.ts';
import { newsOf } from '../status/news.ts';
import { serviceFault } from '../status/service-fault.ts';
import type { Outcome } from '../status/verdicts.ts';
import { EvidenceReader } from './evidence.ts';
import { observeFormation, observeNodes } from './observe-nodes.ts';
import type { Context } from './task.ts';
import { eventOf } from './task.ts';
import { unusedClaims } from './unused-claims.ts';

interface Written {
  readonly resourceVersion: string;
  readonly text: string;
  readonly status: ClusterStatus | PoolStatus;
}

export class StatusWriter {
  /** By the UID of the cluster, then of the object. */
  readonly #evidence = new EvidenceReader();
  readonly #written = new Map<string, Map<string, Written>>();

  /** The first write of a new generation: that it has been seen, before anything is done. */
  async claim(context: Context): Promise<void> {
    const { cluster } = context;
    const before = this.#before(cluster);
    if (before.observedGeneration === cluster.metadata.generation) return;
    await this.#write(
      context,
      resources.photonClusters,
      cluster,
      firstStatus(moment(context), before),
    );
  }

  /** Writes the outcome of a reconcile, and the observed state of the nodes. */
  async conclude(context: Context, outcome: Outcome): Promise<void> {
    const { cluster } = context;
    const before = this.#before(cluster);
    const evidence = await this.#evidence.gather(context, observeNodes(context));
    const nodes = observeNodes(context, evidence);
    const facts = {
      outcome,
      nodes,
      clusterId: clusterIdOf(context),
      authority: context.authority?.facts,
      serviceFault: clientServiceFault(context),
      passwordSecret: context.password?.secret,
      unusedClaims: unusedClaims(context),
      replaced: context.replaced,
    };
    const status = clusterStatus(facts, moment(context), before);
    await this.#write(context, resources.photonClusters, cluster, status);
    for (const news of newsOf(before, status, nodes)) {
      context.tools.emit(eventOf(context, { ...news, action: 'Reconcile' }));
    }
    await this.#concludePools(context, nodes);
  }

  forget(clusterUid: string): void {
    this.#written.delete(clusterUid);
  }

  async #concludePools(context: Context, nodes: readonly NodeView[]): Promise<void> {
    const { cluster, tools } = context;
    const { name, namespace = '' } = cluster.metadata;
    for (const pool of cluster.spec.pools) {
      const key = keyOf({ namespace, name: poolObjectName(name, pool.name) });
      const object = tools.informers.pools.get(key);
      if (object === undefined) continue; // Its appearance brings the cluster back.
      const status = poolStatus(
        nodes.filter((node) => node.pool === pool.name),
        {
          generation: object.metadata.generation ?? 0,
          selector: selectorText(poolSelector(name, pool.name)),
        },
      );
      await this.#write(context, resources.photonPools, object, status);
    }
  }

  #before(cluster: PhotonCluster): ClusterStatus {
    const { uid = '' } = cluster.metadata;
    return this.#written.get(uid)?.get(uid)?.status ?? cluster.status ?? {};
  }

  async #write(
    { cluster, tools, signal }: Context,
    resource: Resource,
    object: (PhotonCluster | PhotonPool) & KubeObject,
    status: ClusterStatus | PoolStatus,
  ): Promise<void> {
    const { name, namespace, uid = '', resourceVersion = '' } = object.metadata;
    const text = canonicalText(status);
    const owner = cluster.metadata.uid ?? '';
    const ofCluster = this.#written.get(owner) ?? new Map<string, Written>();
    this.#written.set(owner, ofCluster);
    const last = ofCluster.get(uid);
    const isWritten = last?.text === text && last.resourceVersion === resourceVersion;
    if (isWritten || canonicalText(object.status) === text) return;
    const { apiVersion, kind } = object;
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }), uid };
    const manifest = { apiVersion, kind, metadata, status };
    const written = await tools.client.applyStatus(resource, manifest, { signal });
    const version = written.metadata.resourceVersion ?? '';
    ofCluster.set(uid, { resourceVersion: version, text, status });
  }
}

function moment({ cluster, tools }: Context): Moment {
  const now = new Date(tools.clock.wallMs()).toISOString().replace(/\.\d+Z$/, 'Z');
  return { generation: cluster.metadata.generation ?? 0, now };
}

function clusterIdOf(context: Context): string | undefined {
  const { recorded, reported } = observeFormation(context);
  return recorded ?? reported;
}

function clientServiceFault({ cluster, tools }: Context): string | undefined {
  const wanted = clientService(cluster);
  return serviceFault(wanted, tools.informers.services.get(keyOf(wanted.metadata)));
}
