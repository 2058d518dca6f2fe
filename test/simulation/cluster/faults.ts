import { badNetwork } from '../nemesis.ts';
import type { Fault, Pace } from '../nemesis.ts';
import { calmNetwork } from './simulated-cluster.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import { calmDisk } from './simulated-node.ts';
import type { SimulatedNode } from './simulated-node.ts';

const anyNode = ({ nodes, random }: SimulatedCluster): SimulatedNode =>
  random.pick([...nodes.values()]);

const anyGroup = ({ checkers, random }: SimulatedCluster): number =>
  random.pick([...checkers.keys()]);

const leaderOrAny = (cluster: SimulatedCluster): SimulatedNode =>
  cluster.random.next() < 0.6
    ? (cluster.leader(anyGroup(cluster)) ?? anyNode(cluster))
    : anyNode(cluster);

const shuffled = ({ nodes, random }: SimulatedCluster): string[] => {
  const ids = [...nodes.keys()];
  for (let at = ids.length - 1; at > 0; at -= 1) {
    const other = random.below(at + 1);
    [ids[at], ids[other]] = [ids[other] as string, ids[at] as string];
  }
  return ids;
};

const cutAll = (
  { network }: SimulatedCluster,
  { left, right, isBoth }: { left: string[]; right: string[]; isBoth: boolean },
): void => {
  for (const one of left) {
    for (const other of right) {
      network.cut(one, other);
      if (isBoth) network.cut(other, one);
    }
  }
};

const healLater = ({ time, random, network }: SimulatedCluster): void =>
  time.after(100 + random.below(2_000), () => network.heal());

function crash(cluster: SimulatedCluster, node: SimulatedNode, hasPower: boolean): void {
  const { time, random } = cluster;
  node.crash(hasPower);
  // Its connections are closed, which others notice or not.
  for (const other of cluster.running)
    if (random.next() < 0.5)
      time.after(1, () => other.life.run(() => other.groups?.suspected(node.id)));
  time.after(20 + random.below(1_200), () => node.start());
}

function split(cluster: SimulatedCluster, isBoth: boolean): void {
  const ids = shuffled(cluster);
  const at = 1 + cluster.random.below(ids.length - 1);
  cutAll(cluster, { left: ids.slice(0, at), right: ids.slice(at), isBoth });
  healLater(cluster);
}

/** Of the group's leader; refusals are part of it. */
function changeMembers(cluster: SimulatedCluster): void {
  const group = anyGroup(cluster);
  const leader = cluster.leader(group);
  const { random } = cluster;
  leader?.life.run(() => {
    const replicated = leader.replicas.get(group)?.group;
    if (replicated === undefined) return;
    const { configuration } = replicated;
    const ids = shuffled(cluster);
    const eligible = ids.filter(
      (id) => configuration.voters.includes(id) || configuration.learners.includes(id),
    );
    const count = 1 + 2 * random.below(2);
    const voters = random.next() < 0.5 ? eligible.slice(0, count) : configuration.voters;
    const learners = ids.filter((id) => !voters.includes(id)).slice(0, random.below(3));
    replicated.changeMembers({ voters, learners });
  });
}

export const faults: readonly Fault<SimulatedCluster>[] = [
  { name: 'power cut', weight: 4, begin: (cluster) => crash(cluster, leaderOrAny(cluster), false) },
  { name: 'kill', weight: 2, begin: (cluster) => crash(cluster, leaderOrAny(cluster), true) },
  {
    name: 'power cut of many',
    weight: 2,
    begin(cluster) {
      const share = cluster.random.next() < 0.5 ? 1 : 0.6;
      for (const node of cluster.running)
        if (cluster.random.next() < share) crash(cluster, node, false);
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
    name: 'partial',
    weight: 2,
    begin(cluster) {
      const ids = shuffled(cluster);
      const [left, right] = [ids.slice(0, 1), ids.slice(1, 2)];
      cutAll(cluster, { left, right, isBoth: true });
      healLater(cluster);
    },
  },
  {
    name: 'bad network',
    weight: 3,
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
      node.syncMs = { least: 10, most: 20 + cluster.random.below(300) };
      cluster.time.after(500 + cluster.random.below(1_500), () => (node.syncMs = calmDisk));
    },
  },
  {
    name: 'clock jump',
    weight: 1,
    begin(cluster) {
      anyNode(cluster).life.clockOffsetMs = (cluster.random.next() - 0.5) * 100_000_000;
    },
  },
  {
    name: 'hand-over',
    weight: 2,
    begin(cluster) {
      const group = anyGroup(cluster);
      const leader = cluster.leader(group);
      const to = anyNode(cluster).id;
      leader?.life.run(() => void leader.replicas.get(group)?.group.transferLeadership(to));
    },
  },
  { name: 'membership', weight: 4, begin: changeMembers },
  {
    name: 'suspicion',
    weight: 1,
    begin(cluster) {
      const node = anyNode(cluster);
      node.life.run(() => node.groups?.suspected(anyNode(cluster).id));
    },
  },
];

/** Some nodes believe it, and others do not. */
function quarantine(cluster: SimulatedCluster): void {
  const { random, time, nodes } = cluster;
  const { id } = leaderOrAny(cluster);
  const share = random.pick([0.5, 1]);
  for (const node of nodes.values()) if (random.next() < share) node.quarantined.add(id);
  const release = (): void => nodes.forEach((node) => void node.quarantined.delete(id));
  time.after(500 + random.below(3_000), release);
}

/** Members are kept out of elections while links are cut and processes die or stand still. */
export const quarantineFaults: readonly Fault<SimulatedCluster>[] = [
  { name: 'quarantine', weight: 6, begin: quarantine },
  ...faults.filter(({ name }) => name !== 'power cut of many' && name !== 'clock jump'),
];

/** Together they broke RethinkDB 2.1.5 (Jepsen): members change while links are cut and processes die or stand still. */
export const reconfigurationFaults = [
  'membership',
  'split',
  'one way',
  'partial',
  'kill',
  'power cut',
  'pause',
];

export const pace: Pace = { leastMs: 20, pauseMs: { least: 40, most: 1_240 } };
export const closePace: Pace = { leastMs: 20, pauseMs: { least: 40, most: 340 } };
