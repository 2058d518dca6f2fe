import { LocalError } from '../host/errors.ts';
import { cgroupsOf, namespacedPids, processes, signalProcess } from '../host/processes.ts';
import { mustRun, run, words } from '../host/run.ts';
import { waitFor } from '../host/wait.ts';
import type { Cluster } from './cluster.ts';
import { findMachine, findMachines, findProgram, inNetworkOf, stopMachine } from './machine.ts';
import type { Machine } from './machine.ts';

/**
 * Faults for tests: what breaks in life, done to a local cluster from outside. Packets are dropped by
 * rules in the machines' own network namespaces (not by taking a device down, which loses its routes).
 * `startCluster` with the same options restarts what was killed.
 */
const table = 'inet chaos';

/** Before any other rule of the machine. */
const priority = -300;

const endTimeoutMs = 10_000;

/** Pods, by their addresses, stop reaching each other, in both directions and on any node. */
export async function partition(cluster: Cluster, addresses: readonly string[]): Promise<void> {
  const set = `{ ${addresses.join(', ')} }`;
  await addRules(nodesOf(cluster), [`forward ip saddr ${set} ip daddr ${set} drop`]);
}

/** A node with its pods is cut off from everything else; its own pods still reach each other. */
export async function isolate(cluster: Cluster, node: string): Promise<void> {
  await addRules(
    [machineOf(cluster, node)],
    [
      'input iifname eth0 drop',
      'output oifname eth0 drop',
      'forward iifname eth0 drop',
      'forward oifname eth0 drop',
    ],
  );
}

/** Ends all partitions and isolations. */
export async function heal(cluster: Cluster): Promise<void> {
  for (const machine of nodesOf(cluster)) {
    await run(inNetworkOf(machine, words`nft delete table ${table.split(' ')}`));
  }
}

/** The first process of a container, as the host numbers it: for SIGKILL, SIGSTOP and the like. */
export function containerProcess(containerId: string): number {
  const id = containerId.replace(/^containerd:\/\//, '');
  const first = processes().find(
    ({ pid }) => cgroupsOf(pid).includes(id) && namespacedPids(pid).at(-1) === 1,
  );
  if (first !== undefined) return first.pid;
  throw new LocalError('local.component_failed', `no process of container ${id} is alive`);
}

/** Ends a program of a machine without a word, and waits until it is gone. */
export async function killProgram(
  cluster: Cluster,
  machineName: string,
  program: string,
): Promise<void> {
  const machine = machineOf(cluster, machineName);
  const found = findProgram(machine, program);
  if (found === undefined) {
    throw new LocalError('local.component_failed', `${program} does not run on ${machineName}`);
  }
  signalProcess(found.pid, 'SIGKILL');
  await waitFor(() => findProgram(machine, program)?.pid !== found.pid, {
    what: `the end of ${program}`,
    timeoutMs: endTimeoutMs,
  });
}

/** A node loses power. */
export const killNode = (cluster: Cluster, node: string): Promise<void> =>
  stopMachine(machineOf(cluster, node));

function nodesOf(cluster: Cluster): Machine[] {
  return findMachines(cluster.layout).filter(({ name }) => name !== 'control');
}

function machineOf(cluster: Cluster, name: string): Machine {
  const machine = findMachine(cluster.layout, name);
  if (machine !== undefined) return machine;
  throw new LocalError('local.component_failed', `the machine ${name} is not running`);
}

async function addRules(machines: readonly Machine[], rules: readonly string[]): Promise<void> {
  const hooks = ['input', 'forward', 'output'].map(
    (hook) =>
      `add chain ${table} ${hook} { type filter hook ${hook} priority ${priority}; policy accept; }`,
  );
  const script = [
    `add table ${table}`,
    ...hooks,
    ...rules.map((rule) => `add rule ${table} ${rule}`),
  ].join('\n');
  for (const machine of machines) {
    await mustRun(inNetworkOf(machine, words`nft --file -`), { input: script });
  }
}
