/**
 * What a test of the operator against a real control plane works with: a namespace of its own, an
 * operator in it, a kubelet that the test plays, and waiting for what the status says.
 */
import type { PhotonCluster } from '../../api/generated/photon-cluster.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { KubeObject, Resource } from '../../kube/object.ts';
import { resources } from '../../kube/object.ts';
import type { TestNamespace } from '../../kube/testing/control-plane.ts';
import { testNamespace } from '../../kube/testing/control-plane.ts';
import { eventually, installTypes, manifestOf } from './api-types.ts';
import type { RunningOperator, Said } from './operator-under-test.ts';
import { Kubelet, said, startOperator } from './operator-under-test.ts';

export class Stage {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly kubelet: Kubelet;
  readonly #at: TestNamespace;
  operator: RunningOperator | undefined;
  /** Where the admin APIs of pods are, by their names. */
  readonly adminAddresses = new Map<string, { readonly host: string; readonly port: number }>();

  private constructor(at: TestNamespace) {
    this.#at = at;
    this.client = at.client;
    this.namespace = at.namespace;
    this.kubelet = new Kubelet(at.client, at.namespace);
  }

  static async open(prefix: string): Promise<Stage> {
    const stage = new Stage(await testNamespace(prefix));
    await installTypes(stage.client, stage.namespace);
    await stage.startOperator();
    return stage;
  }

  async close(): Promise<void> {
    await this.operator?.stop();
    await this.#at.remove();
  }

  /** Ends the one that runs; the next may die after some writes. */
  async startOperator(writesLeft?: number): Promise<RunningOperator> {
    await this.operator?.stop();
    this.operator = await startOperator(this.namespace, writesLeft, [], ({ metadata }) =>
      this.adminAddresses.get(metadata.name ?? ''),
    );
    return this.operator;
  }

  find<T extends KubeObject>(resource: Resource, name: string): Promise<T | undefined> {
    return this.client.find<T>(resource, { namespace: this.namespace, name });
  }

  apply(name: string, change: Parameters<typeof manifestOf>[2] = {}): Promise<KubeObject> {
    return this.client.apply(resources.photonClusters, manifestOf(name, this.namespace, change));
  }

  clusterOf(name: string): Promise<PhotonCluster | undefined> {
    return this.find<PhotonCluster>(resources.photonClusters, name);
  }

  async said(name: string, type: string): Promise<Said | undefined> {
    return said(await this.clusterOf(name), type);
  }

  conditionIs(name: string, type: string, status: string): Promise<void> {
    return eventually(`${type} of ${name} to be ${status}`, async () => {
      const cluster = await this.clusterOf(name);
      const { status: is, observedGeneration } = said(cluster, type) ?? {};
      return is === status && observedGeneration === cluster?.metadata.generation;
    });
  }

  /** Waits for a reason: the first status of a generation has one of its own. */
  reasonIs(name: string, type: string, reason: string): Promise<void> {
    return eventually(`${type} of ${name} to have the reason ${reason}`, async () => {
      const cluster = await this.clusterOf(name);
      const { reason: is, observedGeneration } = said(cluster, type) ?? {};
      return is === reason && observedGeneration === cluster?.metadata.generation;
    });
  }

  /** Waits until a condition says these words. */
  conditionSays(name: string, type: string, words: string): Promise<void> {
    return eventually(`${type} of ${name} to say "${words}"`, async () => {
      const { message = '' } = (await this.said(name, type)) ?? {};
      return message.includes(words);
    });
  }

  /** A cluster that is ready; answers the name of its pod. */
  async settled(name: string, change: Parameters<typeof manifestOf>[2] = {}): Promise<string> {
    await this.apply(name, change);
    const pod = `${name}-main-0-0`;
    await this.podIs(pod);
    await this.kubelet.bringUp(pod);
    await this.conditionIs(name, 'Ready', 'True');
    return pod;
  }

  /** Ready, with a kubelet that brings up whatever pod there is: a controller may replace it late. */
  keptReady(name: string): Promise<void> {
    return eventually(`${name} to be kept ready`, async () => {
      const pod = await this.kubelet.pod(`${name}-main-0-0`);
      const isReady = pod?.status?.conditions?.some(
        ({ type, status }) => type === 'Ready' && status === 'True',
      );
      if (pod !== undefined && isReady !== true) await this.kubelet.bringUp(pod.metadata.name);
      const cluster = await this.clusterOf(name);
      const { status, observedGeneration } = said(cluster, 'Ready') ?? {};
      return status === 'True' && observedGeneration === cluster?.metadata.generation;
    });
  }

  podIs(name: string): Promise<void> {
    return eventually(`pod ${name}`, async () => (await this.kubelet.pod(name)) !== undefined);
  }

  /** Another object than the one with this UID stands under the name. */
  successorOf(resource: Resource, name: string, uid: string | undefined): Promise<void> {
    return eventually(`a successor of ${resource.kind} ${name}`, async () => {
      const now = await this.find(resource, name);
      return now !== undefined && now.metadata.uid !== uid;
    });
  }

  /** One more reconcile of the cluster, from beginning to end, after what was done before. */
  async anotherLook(name: string): Promise<void> {
    const { operator } = this;
    const key = `${this.namespace}/${name}`;
    const looks = (): number =>
      operator?.observations.filter((each) => each.key === key).length ?? 0;
    // Two: one may have been under way.
    for (let round = 0; round < 2; round += 1) {
      const before = looks();
      const annotations = { 'test.photondb.io/look': String(performance.now()) };
      const at = { namespace: this.namespace, name };
      await this.client.mergePatch(resources.photonClusters, at, { metadata: { annotations } });
      await eventually('another look', async () => looks() > before);
    }
  }
}
