/**
 * The operator's parts in the process of a test, against a real control plane without nodes: the test
 * plays the kubelet, and the pods that report their status with tokens of their own.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { PhotonCluster } from '../../api/generated/photon-cluster.ts';
import { systemClock } from '../../controller/clock.ts';
import type { ReconcileObservation } from '../../controller/controller.ts';
import { KubeClient } from '../../kube/client.ts';
import { isKubeError } from '../../kube/errors.ts';
import type { KubeObject } from '../../kube/object.ts';
import { resources } from '../../kube/object.ts';
import { controlPlaneConfig } from '../../kube/testing/control-plane.ts';
import type { Privilege } from '../../resources/privileges.ts';
import type { RunningPod } from '../informer-set.ts';
import type { AdminAddressOf } from '../node-admin.ts';
import { Operator } from '../operator.ts';
import { clientOfAccount } from './accounts.ts';

const limits = { ratePerSecond: 1000, burst: 1000, inFlightMax: 8 };

/** A process that ends in the middle of its work: after some writes it does nothing any more. */
class DyingClient extends KubeClient {
  writesLeft = Number.POSITIVE_INFINITY;
  onDeath: () => void = () => undefined;

  #count(): void {
    this.writesLeft -= 1;
    if (this.writesLeft >= 0) return;
    this.onDeath();
    throw new Error('the process has died');
  }

  override async create<T extends KubeObject>(
    ...args: Parameters<KubeClient['create']>
  ): Promise<T> {
    if (args[0] !== resources.events) this.#count();
    return super.create<T>(...args);
  }

  override async apply<T extends KubeObject>(...args: Parameters<KubeClient['apply']>): Promise<T> {
    this.#count();
    return super.apply<T>(...args);
  }

  override async mergePatch<T extends KubeObject>(
    ...args: Parameters<KubeClient['mergePatch']>
  ): Promise<T> {
    if (args[0] !== resources.events) this.#count();
    return super.mergePatch<T>(...args);
  }

  override async patchJson<T extends KubeObject>(
    ...args: Parameters<KubeClient['patchJson']>
  ): Promise<T> {
    if (args[0] !== resources.events) this.#count();
    return super.patchJson<T>(...args);
  }

  override async remove(...args: Parameters<KubeClient['remove']>): Promise<void> {
    this.#count();
    return super.remove(...args);
  }

  override async applyStatus<T extends KubeObject>(
    ...args: Parameters<KubeClient['applyStatus']>
  ): Promise<T> {
    this.#count();
    return super.applyStatus<T>(...args);
  }
}

export interface RunningOperator {
  readonly operator: Operator;
  readonly client: DyingClient;
  readonly observations: readonly ReconcileObservation[];
  /** Ends as a process does: nothing of it goes on. */
  stop(): Promise<void>;
}

export async function startOperator(
  namespace: string,
  writesLeft = Number.POSITIVE_INFINITY,
  allowedPrivileges: readonly Privilege[] = [],
  adminAddressOf?: AdminAddressOf,
): Promise<RunningOperator> {
  const client = new DyingClient(await controlPlaneConfig(), { limits });
  client.writesLeft = writesLeft;
  const observations: ReconcileObservation[] = [];
  const operator = new Operator({
    client,
    clock: systemClock,
    random: Math.random,
    hash: (text) => createHash('sha256').update(text).digest('hex').slice(0, 12),
    newPassword: () => randomBytes(18).toString('base64url'),
    namespaces: [namespace],
    allowedPrivileges,
    adminAddressOf,
    signingEndpoint: 'https://signing.test:8443',
    instance: 'test',
    onReconcile: (observation) => observations.push(observation),
    onCache: () => undefined,
    onEvent: () => undefined,
  });
  const stopper = new AbortController();
  client.onDeath = () => stopper.abort();
  operator.start();
  const leading = operator.lead(stopper.signal);
  return {
    operator,
    client,
    observations,
    async stop() {
      stopper.abort();
      await leading;
      await operator.stop();
      await client.close();
    },
  };
}

/** What the kubelet and the processes of the pods would do. */
export class Kubelet {
  readonly #client: KubeClient;
  readonly #namespace: string;

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  pod(name: string): Promise<RunningPod | undefined> {
    return this.#client.find<RunningPod>(resources.pods, { namespace: this.#namespace, name });
  }

  async setReady(name: string, isReady: boolean): Promise<void> {
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    const status = isReady ? 'True' : 'False';
    const conditions = [{ type: 'Ready', status, lastTransitionTime: now }];
    const patch = { status: { phase: 'Running', conditions } };
    const at = { namespace: this.#namespace, name };
    await this.#client.mergePatch(resources.pods, at, patch, { subresource: 'status' });
  }

  /** As the pod itself: with a token that is bound to it. */
  async report(name: string, change: object = {}): Promise<void> {
    const pod = await this.pod(name);
    const account = (pod as { readonly spec?: { readonly serviceAccountName?: string } }).spec
      ?.serviceAccountName;
    const self = await clientOfAccount(this.#client, {
      namespace: this.#namespace,
      account: account ?? '',
      pod: name,
    });
    const status = {
      health: 'Ready',
      message: 'serving',
      version: '0.1.0',
      revision: pod?.metadata.annotations?.['photondb.io/revision'] ?? '',
      heartbeatAt: new Date().toISOString(),
      ...change,
    };
    const node = { namespace: this.#namespace, name };
    try {
      await self.mergePatch(resources.photonNodes, node, { status }, { subresource: 'status' });
    } finally {
      await self.close();
    }
  }

  /** The pod comes up, and its node reports its revision. */
  async bringUp(name: string, change: object = {}): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.setReady(name, true);
        await this.report(name, change);
        return;
      } catch (error) {
        // Replaced or not permitted yet: the next look finds its successor, or the Role.
        if (!isKubeError(error) || attempt > 100) throw error;
        await new Promise((resolve) => {
          setTimeout(resolve, 50);
        });
      }
    }
  }
}

export interface Said {
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
}

export function said(cluster: PhotonCluster | undefined, type: string): Said | undefined {
  return cluster?.status?.conditions?.find((condition) => condition.type === type);
}
