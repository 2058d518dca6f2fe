import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pidNamespace, processes, programOf, signalProcess } from '../host/processes.ts';
import type { Process } from '../host/processes.ts';
import { mustRun, startDetached, words } from '../host/run.ts';
import { waitFor } from '../host/wait.ts';
import { logFile } from './layout.ts';
import type { Layout } from './layout.ts';

/**
 * A machine of a local cluster: a process that holds a pid, a mount and (with nodes) a network
 * namespace, in which everything else of the machine runs. When that process is killed the kernel ends
 * all the others and drops their mounts and devices: a machine cannot be half dead, and a killed run
 * leaves nothing behind but files. Machines are found by what their process is called with, not by a
 * file of process numbers, so they are found after any crash.
 */
export interface Machine {
  readonly layout: Layout;
  /** `control`, or the name of a node. */
  readonly name: string;
  /** The process that holds the namespaces, as the host numbers it. */
  readonly pid: number;
}

/** Folders that programs use by fixed names: each machine has its own. */
const privateFolders = [
  '/run/netns',
  '/run/containerd',
  '/var/lib/cni',
  '/var/lib/kubelet',
  '/var/log/containers',
];

/**
 * What kubelet wants to read in /proc/sys, and would else write there, for the whole machine. It sees
 * these values instead, and the machine's own stay as they are.
 */
const shownSettings: Readonly<Record<string, string>> = {
  'vm/overcommit_memory': '1',
  'vm/panic_on_oom': '0',
  'kernel/panic': '10',
  'kernel/panic_on_oops': '1',
  'kernel/keys/root_maxkeys': '1000000',
  'kernel/keys/root_maxbytes': '25000000',
};

const startTimeoutMs = 10_000;
const stopTimeoutMs = 20_000;

const tagOf = (layout: Layout, name: string): string => `photondb-local/${layout.instance}/${name}`;

const isHolder = (process: Process, tag: string): boolean =>
  programOf(process) === 'pause' && process.command[1] === tag;

export function findMachine(layout: Layout, name: string): Machine | undefined {
  const holder = processes().find((process) => isHolder(process, tagOf(layout, name)));
  return holder && { layout, name, pid: holder.pid };
}

/** Every machine of an instance that is alive, whatever its files say. */
export function findMachines(layout: Layout): Machine[] {
  const prefix = tagOf(layout, '');
  return processes()
    .filter((process) => programOf(process) === 'pause' && process.command[1]?.startsWith(prefix))
    .map(({ pid, command }) => ({ layout, name: (command[1] ?? '').slice(prefix.length), pid }));
}

/** The programs that run in a machine, by the host's process numbers. */
function programsIn(machine: Machine): Process[] {
  const namespace = pidNamespace(machine.pid);
  return processes().filter(({ pid }) => pidNamespace(pid) === namespace);
}

export const findProgram = (machine: Machine, program: string): Process | undefined =>
  programsIn(machine).find((process) => programOf(process) === program);

/** A command line that runs within the machine. */
export const inMachine = (machine: Machine, command: readonly string[]): string[] =>
  words`nsenter --target ${machine.pid} --net --pid --mount -- ${command}`;

/** A command line that runs in the machine's network, but sees the host's processes and files. */
export const inNetworkOf = (machine: Machine, command: readonly string[]): string[] =>
  words`nsenter --target ${machine.pid} --net -- ${command}`;

/** Starts a program in the machine unless it runs there already. */
export function startProgram(machine: Machine, command: readonly string[], name: string): void {
  const [program = ''] = command;
  if (programsIn(machine).some((process) => programOf(process) === program.split('/').pop()))
    return;
  startDetached(inMachine(machine, command), logFile(machine.layout, machine.name, name));
}

export interface MachineOptions {
  readonly kube: string;
  /** Whether it has a network of its own. */
  readonly ownNetwork: boolean;
}

export async function startMachine(
  layout: Layout,
  name: string,
  options: MachineOptions,
): Promise<Machine> {
  const network = options.ownNetwork ? ['--net'] : [];
  const holder = [join(options.kube, 'pause'), tagOf(layout, name)];
  startDetached(
    words`unshare ${network} --pid --mount --fork --kill-child --mount-proc --propagation private ${holder}`,
    logFile(layout, name, 'machine'),
  );
  const machine = await waitFor(() => findMachine(layout, name), {
    what: `the namespaces of ${name}`,
    timeoutMs: startTimeoutMs,
    intervalMs: 20,
    explain: () => readFileSync(logFile(layout, name, 'machine'), 'utf8').slice(-500),
  });
  await mustRun(inMachine(machine, ['sh', '-ec', privateMounts(layout)]));
  return machine;
}

/** The mounts that the machine alone sees. They go with it. */
function privateMounts(layout: Layout): string {
  const folder = join(layout.directory, 'sysctl');
  mkdirSync(folder, { recursive: true });
  const shown = Object.entries(shownSettings).map(([name, value]) => {
    const file = join(folder, name.replaceAll('/', '.'));
    writeFileSync(file, `${value}\n`);
    return `test ! -e /proc/sys/${name} || mount --bind ${file} /proc/sys/${name}`;
  });
  for (const path of privateFolders) mkdirSync(path, { recursive: true });
  return [
    'mount --make-rshared /', // Volumes that are mounted later have to reach the containers.
    ...privateFolders.map((path) => `mount -t tmpfs tmpfs ${path}`),
    ...shown,
  ].join('\n');
}

/** Ends a machine as a power cut would, and waits until nothing of it is left. */
export async function stopMachine(machine: Machine): Promise<void> {
  const namespace = pidNamespace(machine.pid);
  if (namespace === undefined) return;
  signalProcess(machine.pid, 'SIGKILL');
  await waitFor(() => !processes().some(({ pid }) => pidNamespace(pid) === namespace), {
    what: `the end of ${machine.name}`,
    timeoutMs: stopTimeoutMs,
    intervalMs: 20,
  });
}

const cgroupFolder = '/sys/fs/cgroup';

/** Whether there is one hierarchy for all controllers (cgroup version 2). */
const isUnified = (): boolean => existsSync(join(cgroupFolder, 'cgroup.controllers'));

/** The roots of the machine's cgroup hierarchies: one (version 2) or one for each controller (version 1). */
function cgroupRoots(): string[] {
  if (isUnified()) return [cgroupFolder];
  return readdirSync(cgroupFolder)
    .map((name) => join(cgroupFolder, name))
    .filter((path) => existsSync(join(path, 'cgroup.procs')));
}

/** Makes a cgroup in each hierarchy that kubelet can manage. */
export function makeCgroup(name: string): void {
  if (isUnified()) enableControllers();
  for (const root of cgroupRoots()) {
    const path = join(root, name);
    mkdirSync(path, { recursive: true });
    // A new cpuset has no processors until they are set (version 1; version 2 inherits them).
    for (const file of ['cpuset.mems', 'cpuset.cpus']) {
      if (isUnified() || !existsSync(join(path, file))) continue;
      writeFileSync(join(path, file), readFileSync(join(root, file)));
    }
  }
}

/** Version 2: kubelet wants every controller that the machine has in its own cgroup. */
function enableControllers(): void {
  const available = readFileSync(join(cgroupFolder, 'cgroup.controllers'), 'utf8').trim();
  const enabled = readFileSync(join(cgroupFolder, 'cgroup.subtree_control'), 'utf8').trim();
  const missing = available.split(' ').filter((name) => !enabled.split(' ').includes(name));
  for (const controller of missing) {
    writeFileSync(join(cgroupFolder, 'cgroup.subtree_control'), `+${controller}`);
  }
}

/** Removes a cgroup and everything below it; its processes have ended. */
export async function removeCgroup(name: string): Promise<void> {
  for (const path of cgroupRoots().map((root) => join(root, name))) {
    if (!existsSync(path)) continue;
    await waitFor(() => removeTree(path), { what: `the end of cgroup ${path}`, timeoutMs: 5_000 });
  }
}

/** rmdir from the leaves up: the files of a cgroup cannot be removed and need not be. */
function removeTree(path: string): boolean {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory() && !removeTree(join(path, entry.name))) return false;
    }
    rmdirSync(path);
    return true;
  } catch (error) {
    // Processes that were just killed leave their cgroup a moment later.
    return error instanceof Error && 'code' in error && error.code === 'ENOENT';
  }
}
