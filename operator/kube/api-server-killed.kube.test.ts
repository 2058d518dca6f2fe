import { expect } from 'chai';
import { killProgram } from '../../k8s/local/cluster/chaos.ts';
import type { Cluster, ClusterOptions } from '../../k8s/local/cluster/cluster.ts';
import { startCluster, stopCluster } from '../../k8s/local/cluster/cluster.ts';
import { ensureKube } from '../../k8s/local/cluster/kube-build.ts';
import { sleep, systemClock as clock } from '../controller/clock.ts';
import type { ReconcileResult } from '../controller/controller.ts';
import { Controller } from '../controller/controller.ts';
import { Informer } from '../controller/informer.ts';
import { LeaderElection } from '../controller/leader-election.ts';
import { WorkQueue } from '../controller/work-queue.ts';
import { KubeClient } from './client.ts';
import { kubeconfigFile } from './config.ts';
import { KubeLeaseStore } from './lease-store.ts';
import { KubeListWatch } from './list-watch.ts';
import type { KubeObject } from './object.ts';
import { resources } from './object.ts';
import { until } from './testing/quick-timing.ts';

const watched = ['configMaps', 'pods', 'services', 'secrets', 'statefulSets', 'roles'] as const;
const objects = 20;
const random = (): number => Math.random();

describe('an operator whose API server is killed', () => {
  const instance = `kill-api-${process.pid}`;
  const stopper = new AbortController();
  let options: ClusterOptions;
  let cluster: Cluster;
  let direct: KubeClient;
  let client: KubeClient;
  let informers: Informer<KubeObject>[] = [];
  let queue: WorkQueue;
  let running: Promise<unknown> = Promise.resolve();
  let isLeading = false;
  /** What the reconciler saw last of each object. */
  const reconciled = new Map<string, string>();

  before(async function () {
    this.timeout(120_000);
    const kube = await ensureKube({ progress: () => undefined }, stopper.signal);
    options = { instance, nodes: 0, kube, temporary: true, signal: stopper.signal };
    cluster = await startCluster(options);
    const config = await kubeconfigFile(cluster.kubeconfig);
    client = new KubeClient(config);
    direct = new KubeClient(config, {
      limits: { ratePerSecond: 1000, burst: 1000, inFlightMax: 4 },
    });
    queue = new WorkQueue(clock);
    informers = watched.map((kind) => {
      const source = new KubeListWatch<KubeObject>(client, resources[kind]);
      return new Informer<KubeObject>({ source, clock, random });
    });
    const [configMaps] = informers;
    configMaps?.onChange(({ key }) => queue.add(key));
    const reconcile = async (key: string, signal: AbortSignal): Promise<ReconcileResult> => {
      const [namespace = '', name = ''] = key.split('/');
      const found = await client.find(resources.configMaps, { namespace, name }, { signal });
      if (found === undefined) reconciled.delete(key);
      else reconciled.set(key, found.metadata.resourceVersion ?? '');
      return { type: 'done' };
    };
    const work = new Controller({ queue, clock, keys: () => [], reconcile }).run(stopper.signal);
    running = Promise.all([work, leadAlways()]);
    for (const informer of informers) informer.start();
  });

  after(async function () {
    this.timeout(60_000);
    stopper.abort();
    await running;
    await Promise.all(informers.map((informer) => informer.stop()));
    await Promise.all([client.close(), direct.close()]);
    await stopCluster(instance);
  });

  async function leadAlways(): Promise<void> {
    const store = new KubeLeaseStore(client, { namespace: 'default', name: 'leader' });
    const periods = { leaseDurationMs: 5000, renewDeadlineMs: 4000, retryPeriodMs: 300 };
    for (let term = 0; !stopper.signal.aborted; term += 1) {
      const identity = `term-${term}`;
      const election = new LeaderElection({ store, identity, clock, random, ...periods });
      await election.run(async (signal) => {
        isLeading = true;
        await sleep(clock, 1e9, signal);
        isLeading = false;
      }, stopper.signal);
    }
  }

  const write = (index: number, round: number): Promise<KubeObject> =>
    direct.apply(resources.configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: 'default', name: `object-${index}` },
      data: { round: String(round) },
    } as KubeObject);

  for (const round of [1, 2, 3]) {
    it(`sees everything, works everything off and leads again, round ${round}`, async () => {
      for (let index = 0; index < objects; index += 1) await write(index, round);
      await killProgram(cluster, 'control', 'kube-apiserver');
      await sleep(clock, round * 2000, stopper.signal);
      cluster = await startCluster(options);
      for (let index = 0; index < objects; index += 2) {
        const name = { namespace: 'default', name: `object-${index}` };
        await direct.remove(resources.configMaps, name);
        if (index % 4 === 0) await write(index, round + 10);
      }
      const { items } = await direct.list(resources.configMaps);
      const truth = items
        .map(({ metadata }) => `${metadata.namespace}/${metadata.name}@${metadata.resourceVersion}`)
        .sort()
        .join();
      const seen = (): string =>
        [...reconciled]
          .map(([key, version]) => `${key}@${version}`)
          .sort()
          .join();
      await until('all is reconciled', () => seen() === truth, 60_000);
      await until('the queue is empty', () => queue.depth + queue.delayed + queue.processing === 0);
      await until('somebody leads', () => isLeading, 30_000);
      expect(informers.every((informer) => informer.hasSynced)).to.equal(true);
    }).timeout(120_000);
  }
});
