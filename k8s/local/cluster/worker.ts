import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeIfChanged } from '../host/files.ts';
import { mustRun, run } from '../host/run.ts';
import { waitFor } from '../host/wait.ts';
import { logEnd } from './control-plane.ts';
import { nodeLayout } from './layout.ts';
import type { Layout, NodeLayout } from './layout.ts';
import {
  findMachine,
  inMachine,
  makeCgroup,
  removeCgroup,
  startMachine,
  startProgram,
} from './machine.ts';
import type { Machine } from './machine.ts';
import { connectNode } from './network.ts';
import { kubeconfigOf } from './pki.ts';

/** A node: containerd, kubelet and kube-proxy in a machine of their own. */
export interface WorkerOptions {
  readonly kube: string;
  /** The sandbox image, as a file. */
  readonly pauseImage: string;
  readonly signal?: AbortSignal | undefined;
}

const containerdTimeoutMs = 20_000;
/** Seconds to read and unpack an image of some 200 MB on a busy machine. */
const importTimeoutMs = 180_000;

export const pauseImageName = 'localhost/pause:1';

const socketOf = (node: NodeLayout): string => join(node.directory, 'containerd.sock');

/** Containerd's own client, talking to this node's containerd. */
const ctr = (machine: Machine, node: NodeLayout, args: readonly string[]): string[] =>
  inMachine(machine, ['ctr', '--address', socketOf(node), '--namespace', 'k8s.io', ...args]);

/** Starts what does not run yet. The control plane may still be on its way up: kubelet waits for it. */
export async function startWorker(
  layout: Layout,
  control: Machine,
  number: number,
  options: WorkerOptions,
): Promise<void> {
  const node = nodeLayout(layout, number);
  const machine =
    findMachine(layout, node.name) ?? (await bootWorker(layout, control, node, options.kube));
  await writeConfiguration(layout, node);
  startProgram(
    machine,
    ['containerd', '--config', join(node.directory, 'containerd.toml')],
    'containerd',
  );
  await waitFor(async () => (await run(ctr(machine, node, ['version']))).code === 0, {
    what: `containerd on ${node.name}`,
    timeoutMs: containerdTimeoutMs,
    signal: options.signal,
    explain: () => logEnd(layout, 'containerd', node.name),
  });
  await importImage(machine, node, { file: options.pauseImage, name: pauseImageName });
  startProgram(machine, kubelet(layout, node, options.kube), 'kubelet');
  startProxy(machine, layout, options.kube);
}

export function startProxy(machine: Machine, layout: Layout, kube: string): void {
  const file = join(layout.directory, `${machine.name}-proxy.yaml`);
  // The control plane's machine is no node: its proxy takes the name of one, for which it asks the API.
  writeIfChanged(
    file,
    proxyConfiguration(layout, machine.name === 'control' ? 'node1' : machine.name),
  );
  startProgram(machine, [join(kube, 'kube-proxy'), `--config=${file}`], 'kube-proxy');
}

async function bootWorker(
  layout: Layout,
  control: Machine,
  node: NodeLayout,
  kube: string,
): Promise<Machine> {
  await removeCgroup(node.cgroup);
  // What lies in memory on a real machine is gone after its reboot.
  for (const name of ['run', 'runc']) {
    rmSync(join(node.directory, name), { recursive: true, force: true });
  }
  for (const name of ['containerd', 'run', 'kubelet', 'cni', 'log']) {
    mkdirSync(join(node.directory, name), { recursive: true });
  }
  makeCgroup(node.cgroup);
  const machine = await startMachine(layout, node.name, { kube, ownNetwork: true });
  await connectNode(control, machine, node);
  return machine;
}

async function writeConfiguration(layout: Layout, node: NodeLayout): Promise<void> {
  const files: Record<string, string> = {
    'containerd.toml': containerdConfiguration(node),
    'kubelet.yaml': kubeletConfiguration(layout, node),
    'resolv.conf': `nameserver ${layout.api}\n`,
    'cni/10-pods.conflist': cniConfiguration(layout, node),
  };
  for (const [name, text] of Object.entries(files))
    writeIfChanged(join(node.directory, name), text);
}

function kubelet(layout: Layout, node: NodeLayout, kube: string): string[] {
  return [
    join(kube, 'kubelet'),
    `--config=${join(node.directory, 'kubelet.yaml')}`,
    `--kubeconfig=${kubeconfigOf(layout, node.name)}`,
    `--node-ip=${node.address}`,
    `--hostname-override=${node.name}`,
    `--root-dir=${join(node.directory, 'kubelet')}`,
    `--cert-dir=${join(node.directory, 'kubelet', 'pki')}`,
  ];
}

export interface ImageFile {
  readonly file: string;
  readonly name: string;
}

export async function hasImage(machine: Machine, node: NodeLayout, name: string): Promise<boolean> {
  const present = await mustRun(ctr(machine, node, ['images', 'ls', '-q', `name==${name}`]));
  return present.trim() === name;
}

/** Brings an image from a file into the node, unless an image of this name is there. */
export async function importImage(
  machine: Machine,
  node: NodeLayout,
  image: ImageFile,
): Promise<void> {
  if (await hasImage(machine, node, image.name)) return;
  await mustRun(ctr(machine, node, ['images', 'import', image.file]), {
    timeoutMs: importTimeoutMs,
  });
}

/** Gives an image that is there another name, also one that another image had before. */
export async function tagImage(
  machine: Machine,
  node: NodeLayout,
  { name, alias }: { readonly name: string; readonly alias: string },
): Promise<void> {
  await mustRun(ctr(machine, node, ['images', 'tag', '--force', name, alias]));
}

/**
 * `restrict_oom_score_adj`: pause asks for -998, which needs a capability that a container may lack.
 * `Root`: runc's state, which else lies where another containerd has its own.
 */
function containerdConfiguration({ directory }: NodeLayout): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
root = "${directory}/containerd"
state = "${directory}/run"
[grpc]
  address = "${directory}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "${directory}/containerd/opt"
[${cri}]
  sandbox_image = "${pauseImageName}"
  restrict_oom_score_adj = true
[${cri}.cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "${directory}/cni"
[${cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[${cri}.containerd.runtimes.runc.options]
  Root = "${directory}/runc"
`;
}

/** ptp rather than bridge: all of a pod's traffic passes the node's forward hook, so one rule can cut it. */
function cniConfiguration(layout: Layout, node: NodeLayout): string {
  const ranges = [[{ subnet: node.pods }]];
  const ipam = {
    type: 'host-local',
    dataDir: join(node.directory, 'run', 'ipam'),
    ranges,
    routes: [{ dst: '0.0.0.0/0' }],
  };
  return JSON.stringify({
    cniVersion: '1.0.0',
    name: `photondb-${layout.instance}`,
    plugins: [
      { type: 'ptp', ipam },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
}

/**
 * Images are never collected: they could not be pulled again. The kubelet's own API is open: it can be
 * reached only from this machine. `oomScoreAdj` and `maxOpenFiles` ask for no capability. A container that
 * is killed again and again starts again after 1 s, not after minutes: that is what a local cluster is for.
 */
function kubeletConfiguration(layout: Layout, node: NodeLayout): string {
  const { directory } = node;
  return `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: ${node.address}
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /${node.cgroup}
containerRuntimeEndpoint: unix://${socketOf(node)}
clusterDNS: [${layout.api}]
clusterDomain: cluster.local
resolvConf: ${directory}/resolv.conf
podLogsDir: ${directory}/log
volumePluginDir: ${directory}/kubelet/plugins-exec
failSwapOn: false
oomScoreAdj: 0
maxOpenFiles: 20000
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%}
crashLoopBackOff: {maxContainerRestartPeriod: 1s}
nodeStatusUpdateFrequency: 3s
nodeLeaseDurationSeconds: 8
`;
}

/** The conntrack settings are 0, "leave as is": they cannot be written in a network namespace. */
function proxyConfiguration(layout: Layout, name: string): string {
  return `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: ${layout.network.pods}
hostnameOverride: ${name}
clientConnection: {kubeconfig: ${kubeconfigOf(layout, 'proxy')}}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`;
}
