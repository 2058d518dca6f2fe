/**
 * Puts together what one operator process has: caches, queue, workers, events. Caches are filled
 * from the start, so that who takes over the lead can work at once; only the leader reconciles.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import { AuthorityStore } from '../authority/authority-store.ts';
import type { SignerView } from '../authority/signer.ts';
import type { Clock } from '../controller/clock.ts';
import { Controller } from '../controller/controller.ts';
import type { ReconcileObservation } from '../controller/controller.ts';
import { EventRecorder } from '../controller/event-recorder.ts';
import { Expectations } from '../controller/expectations.ts';
import type { InformerObservation } from '../controller/informer.ts';
import { keyOf } from '../controller/object.ts';
import { WorkQueue } from '../controller/work-queue.ts';
import type { KubeClient } from '../kube/client.ts';
import { KubeEventSink } from '../kube/event-sink.ts';
import type { Resource } from '../kube/object.ts';
import type { Privilege } from '../resources/privileges.ts';
import type { Hash } from '../resources/manifest.ts';
import { Heartbeats } from '../status/heartbeats.ts';
import { Applier } from './applier.ts';
import { Confirmations } from './confirmations.ts';
import { Drains } from './drains.ts';
import { NodeAdmin, podAddress } from './node-admin.ts';
import type { AdminAddressOf } from './node-admin.ts';
import { Poller } from './poller.ts';
import { reconciler } from './reconcile.ts';
import { StatusWriter } from './status-writer.ts';
import { InformerSet } from './informer-set.ts';

export interface OperatorOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly hash: Hash;
  /** What overlays may give to pods beyond the restricted pod security standard. */
  readonly allowedPrivileges?: readonly Privilege[];
  /** Where nodes ask for certificates; undefined when this operator serves none. */
  readonly signingEndpoint?: string | undefined;
  /** Where the operator itself runs; undefined outside of Kubernetes. */
  readonly operatorNamespace?: string | undefined;
  /** Where the admin API of a pod is reached, in place of its address. */
  readonly adminAddressOf?: AdminAddressOf | undefined;
  readonly newPassword: () => string;
  /** Empty: all namespaces. */
  readonly namespaces: readonly string[];
  /** The name of this pod, for events. */
  readonly instance: string;
  readonly onReconcile: (observation: ReconcileObservation) => void;
  readonly onCache: (resource: Resource, observation: InformerObservation) => void;
  readonly onEvent: (outcome: 'sent' | 'counted' | 'dropped') => void;
}

/** A cluster that cannot be reconciled is tried again this often at least. */
const retryMaxMs = 60_000;

export class Operator {
  readonly #options: OperatorOptions;
  readonly #informers: InformerSet;
  readonly #heartbeats = new Heartbeats();
  #queue: WorkQueue | undefined;

  constructor(options: OperatorOptions) {
    this.#options = options;
    const { client, clock, random, namespaces, onCache } = options;
    this.#informers = new InformerSet({ client, clock, random, namespaces, observe: onCache });
    this.#informers.onChange((key) => this.#queue?.add(key));
    this.#informers.nodes.onChange(({ type, object }) => {
      if (type === 'deleted') this.#heartbeats.forget(object.metadata.uid ?? '');
    });
  }

  /** Begins to fill the caches. */
  start(): void {
    this.#informers.start();
  }

  stop(): Promise<void> {
    return this.#informers.stop();
  }

  get hasSynced(): boolean {
    return this.#informers.hasSynced;
  }

  get queueDepth(): number {
    return this.#queue?.depth ?? 0;
  }

  get queueOldestMs(): number {
    return this.#queue?.oldestMs ?? 0;
  }

  cachedObjects(): readonly { readonly resource: string; readonly count: number }[] {
    return this.#informers.caches.map(({ resource, size }) => ({
      resource: resource.plural,
      count: size,
    }));
  }

  clusters(): readonly PhotonCluster[] {
    return this.#informers.clusters.all();
  }

  /** Lookups of the signing endpoint: every replica has them, not only the leader. */
  signerView(): SignerView {
    return {
      cluster: (at) => this.#informers.clusters.get(keyOf(at)),
      nodes: (cluster) => this.#informers.nodes.ofCluster(cluster),
    };
  }

  /** Reconciles until the signal is aborted and all work under way has ended. */
  async lead(signal: AbortSignal): Promise<void> {
    const { client, clock, random, hash, newPassword, instance } = this.#options;
    if (!(await this.#informers.synced(signal))) return;
    const recorder = new EventRecorder({
      sink: new KubeEventSink(client),
      clock,
      random,
      controller: 'photondb.io/operator',
      instance,
      observe: this.#options.onEvent,
    });
    const poller = new Poller({
      client,
      clock,
      unready: () => this.#unready(),
      wake: (key) => this.#queue?.add(key),
    });
    const tools = {
      client,
      informers: this.#informers,
      applier: new Applier(client, this.#informers, hash),
      expectations: new Expectations(),
      heartbeats: this.#heartbeats,
      poller,
      clock,
      hash,
      allowedPrivileges: new Set(this.#options.allowedPrivileges),
      signingEndpoint: this.#options.signingEndpoint,
      operatorNamespace: this.#options.operatorNamespace,
      nodeAdmin: new NodeAdmin({
        store: new AuthorityStore(client, clock),
        clock,
        addressOf: this.#options.adminAddressOf ?? podAddress,
      }),
      drains: new Drains(),
      removals: new Confirmations(),
      signings: new Confirmations(),
      newPassword,
      emit: recorder.emit.bind(recorder),
    };
    const queue = new WorkQueue(clock, { retryMaxMs });
    this.#queue = queue;
    const keys = (): string[] => this.clusters().map(({ metadata }) => keyOf(metadata));
    for (const key of keys()) queue.add(key);
    const controller = new Controller({
      queue,
      reconcile: reconciler(tools, new StatusWriter()),
      keys,
      clock,
      observe: this.#options.onReconcile,
    });
    try {
      await Promise.all([controller.run(signal), poller.run(signal)]);
    } finally {
      this.#queue = undefined;
      await recorder.stop();
    }
  }

  #unready(): readonly string[] {
    return this.clusters()
      .filter(({ status }) =>
        status?.conditions?.every(({ type, status: is }) => type !== 'Ready' || is !== 'True'),
      )
      .map(({ metadata }) => keyOf(metadata));
  }
}
