import { badNetwork } from '../nemesis.ts';
import type { Fault, Pace } from '../nemesis.ts';
import type { Group } from './group.ts';

const anyNode = (group: Group): ReturnType<Group['nodes']['get']> =>
  group.random.pick([...group.nodes.values()]);

const leaderOrAny = (group: Group): ReturnType<Group['nodes']['get']> =>
  group.random.next() < 0.6 ? (group.leader ?? anyNode(group)) : anyNode(group);

const healAfter = (group: Group, ms: number): void =>
  group.time.after(ms, () => group.network.heal());

const splitAt = (group: Group): [string[], string[]] => {
  const ids = [...group.nodes.keys()].sort(() => group.random.next() - 0.5);
  const at = 1 + group.random.below(ids.length - 1);
  return [ids.slice(0, at), ids.slice(at)];
};

export const faults: readonly Fault<Group>[] = [
  {
    name: 'crash',
    weight: 5,
    begin(group) {
      const node = leaderOrAny(group);
      if (node?.isUp !== true) return;
      group.crash(node);
      group.time.after(20 + group.random.below(1_500), () => node.start());
    },
  },
  {
    name: 'power cut',
    weight: 3,
    begin(group) {
      const share = group.random.next() < 0.5 ? 1 : 0.6;
      for (const node of group.running) {
        if (group.random.next() >= share) continue;
        group.crash(node);
        group.time.after(20 + group.random.below(600), () => node.start());
      }
    },
  },
  {
    name: 'pause',
    weight: 4,
    begin(group) {
      const node = leaderOrAny(group);
      node?.pause();
      group.time.after(50 + group.random.below(2_000), () => node?.resume());
    },
  },
  {
    name: 'split',
    weight: 3,
    begin(group) {
      const [left, right] = splitAt(group);
      for (const one of left) {
        for (const other of right) {
          group.network.cut(one, other);
          group.network.cut(other, one);
        }
      }
      healAfter(group, 100 + group.random.below(2_000));
    },
  },
  {
    name: 'one way',
    weight: 3,
    begin(group) {
      const [left, right] = splitAt(group);
      for (const one of left) for (const other of right) group.network.cut(one, other);
      healAfter(group, 100 + group.random.below(2_000));
    },
  },
  {
    name: 'partial',
    weight: 2,
    begin(group) {
      const ids = [...group.nodes.keys()];
      for (let times = 0; times < 3; times += 1) {
        const [one, other] = [group.random.pick(ids), group.random.pick(ids)];
        group.network.cut(one, other);
        group.network.cut(other, one);
      }
      healAfter(group, 100 + group.random.below(2_000));
    },
  },
  {
    name: 'bad network',
    weight: 3,
    begin(group) {
      const { random, network } = group;
      const before = network.faults;
      network.faults = badNetwork(random);
      group.time.after(200 + random.below(2_000), () => (network.faults = before));
    },
  },
  {
    name: 'slow disk',
    weight: 2,
    begin(group) {
      for (const node of group.nodes.values()) {
        if (group.random.next() < 0.5) continue;
        const before = node.log.syncMs;
        node.log.syncMs = { least: 10, most: 20 + group.random.below(300) };
        group.time.after(500 + group.random.below(1_500), () => (node.log.syncMs = before));
      }
    },
  },
  {
    name: 'hand-over',
    weight: 2,
    begin(group) {
      const { leader } = group;
      const to = group.random.pick([...group.nodes.keys()]);
      leader?.run(() => void leader.raft.transferTo(to));
    },
  },
  {
    name: 'membership',
    weight: 4,
    begin(group) {
      const { leader, random } = group;
      if (leader === undefined) return;
      const ids = [...group.nodes.keys()].sort(() => random.next() - 0.5);
      const { configuration } = leader.raft;
      const count = 1 + 2 * random.below(2);
      const eligible = ids.filter(
        (id) => configuration.voters.includes(id) || configuration.learners.includes(id),
      );
      const voters = random.next() < 0.5 ? eligible.slice(0, count) : configuration.voters;
      const learners = ids.filter((id) => !voters.includes(id)).slice(0, random.below(3));
      leader.run(() => void leader.raft.reconfigure({ voters, learners }));
    },
  },
  {
    name: 'wake',
    weight: 1,
    begin(group) {
      const node = anyNode(group);
      node?.run(() => node.raft.wake());
    },
  },
];

export const pace: Pace = { leastMs: 20, pauseMs: { least: 40, most: 1_240 } };
