import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LocalError } from '../host/errors.ts';
import { writeIfChanged } from '../host/files.ts';
import { cgroupsOf, processes, programOf, signalProcess } from '../host/processes.ts';
import type { Process } from '../host/processes.ts';
import { mustRun, run, words } from '../host/run.ts';
import { silentSteps } from '../host/steps.ts';
import type { Steps } from '../host/steps.ts';
import { waitFor } from '../host/wait.ts';
import { pauseImage } from '../image/pause-image.ts';
import { kubectl, logEnd, startControlPlane } from './control-plane.ts';
import { isAbandoned, readInstance, readInstances, reserveInstance } from './instances.ts';
import { cgroupPrefix, layoutOf, nodeLayout, nodesMax } from './layout.ts';
import type { Layout, NodeLayout } from './layout.ts';
import {
  findMachine,
  findMachines,
  findProgram,
  removeCgroup,
  startMachine,
  startProgram,
  stopMachine,
} from './machine.ts';
import type { Machine } from './machine.ts';
import { connectControlPlane, removeHostRoutes } from './network.ts';
import { ensureCredentials } from './pki.ts';
import { hasImage, importImage, startProxy, startWorker, tagImage } from './worker.ts';

/**
 * A local cluster by name. Starting is "make it so": what runs is kept, what is missing is started,
 * over whatever a killed run, a Ctrl-C or a reboot left behind.
 */
export interface ClusterOptions {
  readonly instance: string;
  /** 0: the control plane alone, on an address of the loopback device. */
  readonly nodes: number;
  /** The folder with the program of Kubernetes (`ensureKube`). */
  readonly kube: string;
  /** For tests: the instance may go when this process has ended, and etcd need not survive a power cut. */
  readonly temporary?: boolean;
  readonly steps?: Steps;
  readonly signal?: AbortSignal;
}

export interface Cluster {
  readonly layout: Layout;
  readonly nodes: number;
  readonly kube: string;
  readonly kubeconfig: string;
}

const nodesReadyTimeoutMs = 120_000;

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { instance, nodes, kube, signal } = options;
  const steps = options.steps ?? silentSteps;
  if (!Number.isInteger(nodes) || nodes < 0 || nodes > nodesMax) {
    throw new LocalError(
      'local.invalid_instance',
      `a local cluster has 0 to ${nodesMax} nodes, not ${nodes}`,
    );
  }
  const previous = readInstance(instance);
  const ownedByProcess = options.temporary === true;
  const record = await reserveInstance({ instance, nodes, ownedByProcess });
  const withNodes = nodes > 0;
  const layout = layoutOf(instance, record.index, withNodes);
  if (previous !== undefined && previous.nodes > 0 !== withNodes) await stopMachines(layout);
  const credentials = await ensureCredentials(layout, nodeNames(layout, nodes));
  const control = await steps.run('control plane', async () => {
    const machine = await bootControl(layout, kube, withNodes);
    const durable = !ownedByProcess;
    const starting = startControlPlane(machine, { kube, credentials, withNodes, durable, signal });
    // Nodes need no API server to boot: both at once.
    const workers = startWorkers(layout, machine, { nodes, kube, signal });
    await Promise.all([starting, workers]);
    return machine;
  });
  const cluster = { layout, nodes, kube, kubeconfig: credentials.kubeconfig };
  if (withNodes) {
    await steps.run(`${nodes} ${nodes === 1 ? 'node' : 'nodes'}, DNS, storage`, async () => {
      await startServices(control, cluster, signal);
    });
  }
  return cluster;
}

const nodeNames = (layout: Layout, nodes: number): string[] =>
  Array.from({ length: nodes }, (_, position) => nodeLayout(layout, position + 1).name);

async function bootControl(layout: Layout, kube: string, ownNetwork: boolean): Promise<Machine> {
  const running = findMachine(layout, 'control');
  if (running !== undefined && isOfThisProgram(running, kube)) return running;
  // The nodes' links end in this machine: without it they are lost, and start again too.
  await stopMachines(layout);
  const control = await startMachine(layout, 'control', { kube, ownNetwork });
  if (ownNetwork) await connectControlPlane(layout, control);
  return control;
}

/** False when the running machine was made by another build of the program, or is not whole. */
function isOfThisProgram(machine: Machine, kube: string): boolean {
  try {
    return readFileSync(`/proc/${machine.pid}/cmdline`, 'utf8').startsWith(
      `${join(kube, 'pause')}\0`,
    );
  } catch {
    return false;
  }
}

interface WorkersOptions {
  readonly nodes: number;
  readonly kube: string;
  readonly signal: AbortSignal | undefined;
}

async function startWorkers(
  layout: Layout,
  control: Machine,
  { nodes, kube, signal }: WorkersOptions,
): Promise<void> {
  if (nodes === 0) return;
  const image = await pauseImage(kube, layout.directory);
  const numbers = Array.from({ length: nodes }, (_, position) => position + 1);
  const options = { kube, pauseImage: image, signal };
  await Promise.all(numbers.map((number) => startWorker(layout, control, number, options)));
}

/** What a cluster with nodes has besides: service addresses, names, volumes. */
async function startServices(
  control: Machine,
  cluster: Cluster,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { layout, kube, nodes } = cluster;
  startProxy(control, layout, kube);
  const corefile = join(layout.directory, 'Corefile');
  writeIfChanged(corefile, dnsConfiguration(layout, cluster.kubeconfig));
  startProgram(control, [join(kube, 'coredns'), '-conf', corefile], 'coredns');
  const volumes = join(layout.directory, 'volumes');
  startProgram(control, [join(kube, 'provisioner'), cluster.kubeconfig, volumes], 'provisioner');
  const applied = await kubectl(layout, kube, ['apply', '--filename', '-'], storageClass);
  if (applied.code !== 0) throw new LocalError('local.component_failed', applied.stderr.trim());
  const explain = (): string => logEnd(layout, 'kubelet', 'node1');
  for (const name of nodeNames(layout, nodes)) {
    const get = [
      'get',
      'node',
      name,
      '--output',
      'jsonpath={.status.conditions[?(@.type=="Ready")].status}',
    ];
    await waitFor(async () => (await kubectl(layout, kube, get)).stdout === 'True', {
      what: `${name} to be Ready`,
      timeoutMs: nodesReadyTimeoutMs,
      signal,
      explain,
    });
  }
  await waitFor(() => answers(`http://${layout.api}:8181/ready`), {
    what: 'DNS',
    timeoutMs: nodesReadyTimeoutMs,
    signal,
    explain: () => logEnd(layout, 'coredns'),
  });
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false; // Not there yet: the caller asks again until its deadline.
  }
}

const storageClass = `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: local
volumeBindingMode: WaitForFirstConsumer
allowVolumeExpansion: true
`;

/** A program of the control plane's machine, not a pod: kubelet configures its address in pods. */
function dnsConfiguration(layout: Layout, kubeconfig: string): string {
  return `.:53 {
  bind ${layout.api}
  errors
  ready ${layout.api}:8181
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig ${kubeconfig}
    pods verified
    ttl 5
  }
  cache 5
}
`;
}

/**
 * Brings an image into all nodes that lack it; `provide` writes its file when one does. Under `alias`,
 * too, whatever had that name before.
 */
export async function loadImage(
  { layout, nodes }: Cluster,
  name: string,
  provide: () => Promise<string>,
  alias?: string,
): Promise<void> {
  const lacking: { machine: Machine; node: NodeLayout }[] = [];
  const all: { machine: Machine; node: NodeLayout }[] = [];
  for (let number = 1; number <= nodes; number++) {
    const node = nodeLayout(layout, number);
    const machine = findMachine(layout, node.name);
    if (machine === undefined) continue;
    all.push({ machine, node });
    if (!(await hasImage(machine, node, name))) lacking.push({ machine, node });
  }
  if (lacking.length > 0) {
    const file = await provide();
    await Promise.all(
      lacking.map(({ machine, node }) => importImage(machine, node, { file, name })),
    );
  }
  if (alias === undefined) return;
  await Promise.all(all.map(({ machine, node }) => tagImage(machine, node, { name, alias })));
}

async function stopMachines(layout: Layout): Promise<void> {
  await Promise.all(findMachines(layout).map(stopMachine));
}

/** How long the databases of an instance get to stop cleanly. */
const drainTimeoutMs = 15_000;

/**
 * Ends an instance and keeps its state, so that the next start finds its data: as if all machines were
 * shut down. Programs in pods get their signal first; whatever is left then is cut off.
 */
export async function haltCluster(instance: string): Promise<void> {
  const record = readInstance(instance);
  if (record === undefined) return;
  const layout = layoutOf(instance, record.index, record.nodes > 0);
  const machines = findMachines(layout);
  for (const machine of machines) {
    const kubelet = findProgram(machine, 'kubelet'); // It would start them again.
    if (kubelet !== undefined) signalProcess(kubelet.pid, 'SIGKILL');
  }
  const ofPods = (): Process[] =>
    processes().filter(
      (process) =>
        programOf(process) === 'node' &&
        cgroupsOf(process.pid).includes(`/${cgroupPrefix(layout)}`),
    );
  for (const { pid } of ofPods()) signalProcess(pid, 'SIGTERM');
  const deadline = Date.now() + drainTimeoutMs;
  await waitFor(() => ofPods().length === 0 || Date.now() > deadline, {
    what: 'the end of the pods',
    timeoutMs: drainTimeoutMs * 2,
  });
  await stopEverything(layout);
}

async function stopEverything(layout: Layout): Promise<void> {
  await stopMachines(layout);
  await removeHostRoutes(layout);
  for (let number = 1; number <= nodesMax; number++) {
    await removeCgroup(nodeLayout(layout, number).cgroup);
  }
}

/** Ends an instance and removes everything of it: processes, devices, routes, cgroups, state. */
export async function stopCluster(instance: string): Promise<void> {
  const record = readInstance(instance);
  if (record === undefined) return;
  const layout = layoutOf(instance, record.index, record.nodes > 0);
  await stopEverything(layout);
  if (existsSync(layout.directory)) await removeState(layout);
}

async function removeState(layout: Layout): Promise<void> {
  // The record goes last: an interrupted removal is found and finished by the next one.
  const keep = join(layout.directory, 'instance.json');
  await mustRun(words`find ${layout.directory} -xdev -mindepth 1 -depth ! -path ${keep} -delete`);
  rmSync(layout.directory, { recursive: true });
}

/** Ends the instances whose processes have ended without doing so. */
export async function stopAbandoned(): Promise<string[]> {
  const abandoned = readInstances().filter(isAbandoned);
  for (const { instance } of abandoned) await stopCluster(instance);
  return abandoned.map(({ instance }) => instance);
}

/** Whether the kernel has what a node needs; answers a sentence when it has not. */
export async function missingKernelFeature(): Promise<string | undefined> {
  const trial = words`unshare --net --pid --mount --fork --mount-proc true`;
  const result = await run(trial);
  return result.code === 0 ? undefined : result.stderr.trim();
}
