import { calmNetwork } from '../cluster/simulated-cluster.ts';
import { calmDisk } from '../cluster/simulated-node.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** Faults as data: each starts at random and ends on its own; several may be active at once. */
interface Fault {
  readonly name: string;
  readonly weight: number;
  begin(cluster: SimulatedCluster): void;
}

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

const faults: readonly Fault[] = [
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
      network.faults = {
        loss: random.next() * 0.3,
        duplication: random.next() * 0.2,
        delayMs: { least: 0.2, most: 2 + random.below(60) },
        stragglers: random.next() * 0.1,
      };
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

/** A swarm: each seed has faults of its own that are frequent, rare or absent (Groce 2012). */
export class Nemesis {
  readonly #cluster: SimulatedCluster;
  readonly #weights: readonly number[];
  readonly #pauseMs: number;

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
    const { random } = cluster;
    this.#weights = faults.map(({ weight }) => weight * random.pick([0, 0, 1, 1, 4]));
    this.#pauseMs = 100 + random.below(1_000);
  }

  /** Begins a fault; answers its name and when the next one is due. */
  begin(): { readonly name: string; readonly nextInMs: number } {
    const { random } = this.#cluster;
    let at = random.next() * this.#weights.reduce((sum, weight) => sum + weight, 0);
    const fault = faults.find((_, place) => (at -= this.#weights[place] ?? 0) < 0);
    fault?.begin(this.#cluster);
    return { name: fault?.name ?? 'none', nextInMs: 50 + random.next() * 2 * this.#pauseMs };
  }
}
