import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { startCluster, loadImage, stopCluster } from '../../k8s/local/cluster/cluster.ts';
import type { Cluster } from '../../k8s/local/cluster/cluster.ts';
import { buildPhotonImage } from '../../k8s/local/image/photondb-image.ts';
import type { ImageReference } from '../../k8s/local/up/options.ts';
import {
  adminPassword,
  applySample,
  installCharts,
  serviceAddress,
  waitUntilReady,
} from '../../k8s/local/up/install.ts';
import type { Installation } from '../../k8s/local/up/install.ts';
import { words } from '../../k8s/local/host/run.ts';
import { kubectl, localTarget } from '../../k8s/local/up/target.ts';
import type { Target } from '../../k8s/local/up/target.ts';
import { kubeFolder, until } from './cluster-under-test.ts';
import { sayOfPassword } from '../drivers/wrong-password.ts';

/** A PhotonCluster on one real node, installed as `npm run up` does it, on an instance of its own. */
export interface Photon {
  readonly cluster: Cluster;
  readonly target: Target;
  readonly installation: Installation;
  readonly name: string;
  readonly namespace: string;
  /** Its data node, and what keeps it. */
  readonly pod: string;
  readonly statefulSet: string;
  connect(): Promise<Connection>;
  /** What the driver says to a password. */
  sayOfPassword(password: string): Promise<string>;
  waitUntilReady(): Promise<void>;
  stop(): Promise<void>;
}

export const root = join(import.meta.dirname, '..', '..');
const driverPort = 28015;
const silent = { progress: (): void => undefined };

/** Builds the image of a source tree and brings it into the nodes. */
export async function provideImage(cluster: Cluster, source: string): Promise<ImageReference> {
  const image = await buildPhotonImage(source);
  const file = join(tmpdir(), `photondb-e2e-${process.pid}.tar`);
  try {
    await loadImage(cluster, image.name, async () => {
      await image.write(file);
      return file;
    });
  } finally {
    rmSync(file, { force: true });
  }
  return { repository: image.repository, tag: image.tag };
}

export async function startPhoton(instance: string): Promise<Photon> {
  const kube = kubeFolder();
  const cluster = await startCluster({ instance, nodes: 1, kube, temporary: true });
  const image = await provideImage(cluster, root);
  const target = localTarget(kube, cluster.kubeconfig, new AbortController().signal);
  const namespace = 'photondb';
  const operatorNamespace = 'photondb-system';
  const installation = {
    root,
    image,
    operatorNamespace,
    watchNamespaces: [],
    namespace,
    replicas: 1,
  };
  await installCharts(target, installation);
  const name = await applySample(target, installation);
  await waitUntilReady(target, installation, name, silent);
  // One pool in one zone is one StatefulSet, and one replica is one pod.
  const statefulSet = await kubectl(
    target,
    words`get statefulsets --namespace ${namespace} --output jsonpath={.items[*].metadata.name}`,
  );
  // Asked each time: a Service that was made again has another address.
  const host = (): Promise<string> => serviceAddress(target, namespace, name);
  const password = await adminPassword(target, namespace, name);
  return {
    cluster,
    target,
    installation,
    name,
    namespace,
    pod: `${statefulSet}-0`,
    statefulSet,
    connect: async () =>
      r.connect({ host: await host(), port: driverPort, user: 'admin', password, timeout: 5 }),
    sayOfPassword: async (given) => sayOfPassword(await host(), driverPort, given),
    waitUntilReady: () => waitUntilReady(target, installation, name, silent),
    stop: () => stopCluster(instance),
  };
}

const reconnectTimeoutMs = 60_000;

/** A connection as soon as there is one: after a restart the Service needs a moment. */
export async function connectWhenServing(photon: Photon): Promise<Connection> {
  let connection: Connection | undefined;
  await until(
    'the driver port to answer',
    async () => {
      connection = await photon.connect().catch(() => undefined);
      return connection !== undefined;
    },
    reconnectTimeoutMs,
  );
  if (connection === undefined) throw new Error('unreachable');
  return connection;
}
