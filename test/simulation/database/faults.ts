import { calmNetwork } from '../cluster/simulated-cluster.ts';
import { calmDisk } from '../cluster/simulated-node.ts';
import { badNetwork } from '../nemesis.ts';
import type { Fault, Pace } from '../nemesis.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedNode } from './simulated-node.ts';

export const table = 't';

const anyNode = ({ nodes, random }: SimulatedCluster): SimulatedNode =>
  random.pick([...nodes.values()]);

function leaderOrAny(cluster: SimulatedCluster): SimulatedNode {
  const { random } = cluster;
  const leader = cluster.leader(random.next() < 0.7 ? table : undefined);
  return random.next() < 0.6 ? (leader ?? anyNode(cluster)) : anyNode(cluster);
}

function crash(cluster: SimulatedCluster, node: SimulatedNode, hasPower: boolean): void {
  node.crash(hasPower);
  const { time, random } = cluster;
  // Its connections are closed, which others notice or not.
  for (const other of cluster.running)
    if (random.next() < 0.5)
      time.after(1, () => other.life.run(() => other.source?.groups?.suspected(node.id)));
  // Long enough, at times, for the log of the others to let go of what it has not.
  time.after(20 + random.below(random.pick([300, 2_500])), () => node.start());
}

function split(cluster: SimulatedCluster, isBoth: boolean): void {
  const { network, random, time, nodes } = cluster;
  const { id: one } = leaderOrAny(cluster);
  const others = [...nodes.keys()].filter((id) => id !== one);
  for (const other of random.next() < 0.7 ? others : [random.pick(others)]) {
    network.cut(one, other);
    if (isBoth) network.cut(other, one);
  }
  time.after(100 + random.below(2_000), () => network.heal());
}

export const faults: readonly Fault<SimulatedCluster>[] = [
  { name: 'power cut', weight: 4, begin: (cluster) => crash(cluster, leaderOrAny(cluster), false) },
  { name: 'kill', weight: 3, begin: (cluster) => crash(cluster, leaderOrAny(cluster), true) },
  {
    name: 'power cut of all',
    weight: 1,
    begin(cluster) {
      for (const node of cluster.running) crash(cluster, node, false);
    },
  },
  {
    name: 'pause',
    weight: 4,
    begin(cluster) {
      const { life } = leaderOrAny(cluster);
      life.isPaused = true;
      cluster.time.after(50 + cluster.random.below(2_000), () => life.resume());
    },
  },
  { name: 'split', weight: 3, begin: (cluster) => split(cluster, true) },
  { name: 'one way', weight: 3, begin: (cluster) => split(cluster, false) },
  {
    name: 'bad network',
    weight: 2,
    begin({ network, random, time }) {
      network.faults = badNetwork(random);
      time.after(200 + random.below(2_000), () => (network.faults = calmNetwork));
    },
  },
  {
    name: 'slow disk',
    weight: 2,
    begin(cluster) {
      const node = anyNode(cluster);
      node.syncMs = { least: 10, most: 20 + cluster.random.below(200) };
      cluster.time.after(500 + cluster.random.below(1_500), () => (node.syncMs = calmDisk));
    },
  },
  {
    name: 'hand-over',
    weight: 2,
    begin(cluster) {
      const leader = cluster.leader(table);
      const to = anyNode(cluster).id;
      leader?.life.run(() => void leader.shard(table)?.replicas.transferLeadership(to));
    },
  },
];

export const pace: Pace = { leastMs: 50, pauseMs: { least: 100, most: 1_100 } };
