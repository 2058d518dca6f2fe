import { checkRegister } from '../linearizability.ts';
import { Nemesis } from '../nemesis.ts';
import { SafetyViolation } from '../violation.ts';
import { Client } from './client.ts';
import type { Recorded } from './client.ts';
import { closePace, faults, pace, quarantineFaults, reconfigurationFaults } from './faults.ts';
import { SimulatedCluster, calmNetwork } from './simulated-cluster.ts';
import { calmDisk } from './simulated-node.ts';

/**
 * Two groups over five nodes with the real log and the real driver, under load and faults; then the faults end, and
 * both groups must answer again with everything that was acknowledged.
 */
export interface ClusterResult {
  readonly operations: number;
  readonly acknowledged: number;
  readonly terms: number;
  readonly snapshots: number;
  readonly leaseReads: number;
  readonly simulatedMs: number;
  /** The same for the same seed: the whole run in one number. */
  readonly digest: number;
}

const ids = ['a', 'b', 'c', 'd', 'e'];
const groups = [1, 2];
const allKeys = ['x', 'y', 'z'];
const clients = 3;
const faultsEndMs = 5_000;
const endMs = 9_000;

type Trace = (line: string) => void;

function checkHistories(histories: readonly Recorded[]): void {
  for (const group of groups) {
    for (const key of allKeys) {
      const history = histories.filter((each) => each.key === key && each.group === group);
      const { isLinearizable, unexplained } = checkRegister(history);
      if (isLinearizable) continue;
      const lines = unexplained
        .slice(0, 12)
        .map(
          ({ kind, value, calledAt, returnedAt }) => `${kind} ${value} ${calledAt}..${returnedAt}`,
        );
      throw new SafetyViolation(
        `register ${key} of group ${group} is not linearizable:\n${lines.join('\n')}`,
      );
    }
  }
}

/** When nothing happens any more, every member has everything. */
function checkEnd(cluster: SimulatedCluster, group: number): number {
  const leader = cluster.leader(group)?.replicas.get(group);
  if (leader === undefined) throw new SafetyViolation(`group ${group} has no leader at the end`);
  const { raft, machine } = leader;
  const { committed, last } = raft.log;
  if (committed < last || leader.group.refusal !== undefined)
    throw new SafetyViolation(`group ${group} does not commit its log at the end`);
  cluster.checkers.get(group)?.acknowledged.check((session) => machine.appliedOf(session));
  for (const id of raft.configuration.voters) {
    const replica = cluster.nodes.get(id)?.replicas.get(group);
    if (replica?.machine.index !== committed || replica.machine.digest !== machine.digest)
      throw new SafetyViolation(
        `group ${group}: ${id} has applied ${replica?.machine.index} of ${committed} at the end`,
      );
  }
  return machine.digest;
}

function restore(cluster: SimulatedCluster): void {
  const { network, nodes } = cluster;
  cluster.isCalm = true;
  network.heal();
  network.faults = calmNetwork;
  for (const node of nodes.values()) {
    node.syncMs = calmDisk;
    node.quarantined.clear();
    node.start();
    node.life.resume();
  }
}

interface RunOptions {
  /** The history of the clients, before it is judged. */
  readonly recorded?: (history: readonly Recorded[]) => void;
  readonly nemesis?: (cluster: SimulatedCluster) => Nemesis<SimulatedCluster>;
}

const swarm = (cluster: SimulatedCluster): Nemesis<SimulatedCluster> =>
  new Nemesis(cluster, faults, pace);

/** Members change while links are cut, and processes die or stand still. */
export const runReconfiguration = (seed: number, trace?: Trace): Promise<ClusterResult> =>
  runCluster(seed, trace, {
    nemesis: (cluster) =>
      new Nemesis(cluster, faults, { ...closePace, names: reconfigurationFaults }),
  });

/** Members are quarantined, as some nodes believe and others do not, while other faults are there. */
export const runQuarantine = (seed: number, trace?: Trace): Promise<ClusterResult> =>
  runCluster(seed, trace, {
    nemesis: (cluster) => new Nemesis(cluster, quarantineFaults, closePace),
  });

export async function runCluster(
  seed: number,
  trace: Trace = () => undefined,
  { recorded = () => undefined, nemesis: nemesisOf = swarm }: RunOptions = {},
): Promise<ClusterResult> {
  const voters = ids.slice(0, seed % 3 === 0 ? 5 : 3);
  const cluster = new SimulatedCluster(seed, { ids, voters, groups });
  const { random, time } = cluster;
  const habits = {
    groups,
    pauseMs: random.pick([12, 40, 90]),
    keys: allKeys.slice(0, 1 + random.below(allKeys.length)),
    reads: random.pick([0.2, 0.5, 0.8]),
    padding: random.pick([0, 100, 400]),
    untilMs: endMs - 1_500,
  };
  const everyone = Array.from(
    { length: clients },
    (_, at) => new Client(cluster, `c${at}-`, habits),
  );
  for (const client of everyone) client.next();
  const nemesis = nemesisOf(cluster);
  const nextFault = (): void => {
    if (time.now > faultsEndMs) return;
    const { name, nextInMs } = nemesis.begin();
    trace(`${time.now.toFixed(3)} ${name} ${cluster.counters.events}`);
    cluster.checkLogs();
    time.after(nextInMs, nextFault);
  };
  time.after(300, nextFault);
  await cluster.runUntil(faultsEndMs + 2_100);
  restore(cluster);
  await cluster.runUntil(endMs);
  cluster.checkLogs();
  const history = everyone.flatMap((client) => client.history);
  recorded(history);
  checkHistories(history);
  const digests = groups.map((group) => checkEnd(cluster, group));
  const checkers = [...cluster.checkers.values()];
  return {
    operations: history.length,
    acknowledged: checkers.reduce((total, { acknowledged }) => total + acknowledged.count, 0),
    terms: checkers.reduce((total, { electionSafety }) => total + electionSafety.terms, 0),
    snapshots: cluster.counters.snapshots,
    leaseReads: cluster.counters.leaseReads,
    simulatedMs: endMs,
    digest: digests.reduce((total, digest) => (total * 31 + digest) % 2 ** 31, 0),
  };
}
