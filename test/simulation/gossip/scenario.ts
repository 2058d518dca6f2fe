import { Prng } from '../../../dataplane/common/prng.ts';
import { isReliable } from '../../../dataplane/gossip/message.ts';
import type { Message } from '../../../dataplane/gossip/message.ts';
import { Network } from '../network.ts';
import { VirtualTime } from '../virtual-time.ts';
import { BoundedLoad, checkConvergence, NoResurrection } from './checkers.ts';
import { defaults, SimulatedMember, tickMs } from './simulated-member.ts';

/**
 * A cluster of 3 to 40 nodes under faults; then the faults end, and everybody must know who runs. Counts how
 * long a death takes to be known everywhere, and how many nodes were declared dead that were not.
 */
export interface GossipResult {
  readonly nodes: number;
  readonly events: number;
  /** Of nodes that ran and were reachable. */
  readonly falseDeaths: number;
  readonly worstLoad: number;
}

const periodMs = defaults.probePeriodTicks * tickMs;
const faultsEndMs = 120_000;
const settleMs = 180_000;
/** A probe, its indirect probes, gossip, answers to others in the same measure, and anti-entropy. */
const messagesMax = 200;

const calm = { loss: 0, duplication: 0, delayMs: { least: 0.5, most: 20 }, stragglers: 0 };

class Cluster {
  readonly time = new VirtualTime();
  readonly random: Prng;
  readonly network: Network<Message>;
  readonly members: readonly SimulatedMember[];
  readonly byId: ReadonlyMap<string, SimulatedMember>;
  readonly counters = { events: 0, falseDeaths: 0 };

  constructor(seed: number) {
    this.random = new Prng(seed);
    const { time, random } = this;
    this.network = new Network({ time, random }, calm, (to, message) => {
      const member = this.byId.get(to);
      member?.run(() => member.node.step(message));
    });
    const hooks = {
      send: (message: Message): void => {
        const { from, to, type } = message;
        if (isReliable[type]) this.network.sendReliably(from, to, message);
        else this.network.send(from, to, message);
      },
      event: (_: SimulatedMember, { id, status }: { id: string; status: string }): void => {
        this.counters.events += 1;
        const member = this.byId.get(id);
        if (status === 'dead' && member?.isUp === true && !member.isPaused) {
          this.counters.falseDeaths += 1;
        }
      },
    };
    const count = 3 + random.below(random.pick([3, 12, 38]));
    this.members = Array.from(
      { length: count },
      (_, at) => new SimulatedMember(`n${at}`, { time, random, hooks }),
    );
    this.byId = new Map(this.members.map((member) => [member.id, member]));
  }

  start(member: SimulatedMember): void {
    member.start(this.members.slice(0, 3).map(({ id }) => id));
  }
}

interface Fault {
  readonly name: string;
  begin(cluster: Cluster): void;
}

const faults: readonly Fault[] = [
  {
    name: 'crash',
    begin(cluster) {
      const member = cluster.random.pick(cluster.members);
      if (!member.isUp) return;
      member.crash();
      if (cluster.random.next() < 0.7) {
        cluster.time.after(1_000 + cluster.random.below(40_000), () => {
          if (!member.isUp) cluster.start(member);
        });
      }
    },
  },
  {
    name: 'pause',
    begin(cluster) {
      const member = cluster.random.pick(cluster.members);
      member.isPaused = true;
      cluster.time.after(500 + cluster.random.below(30_000), () => member.resume());
    },
  },
  {
    name: 'bad network',
    begin({ random, network, time }) {
      network.faults = {
        loss: random.next() * 0.3,
        duplication: random.next() * 0.2,
        delayMs: { least: 0.5, most: 20 + random.below(400) },
        stragglers: random.next() * 0.1,
      };
      time.after(5_000 + random.below(30_000), () => (network.faults = calm));
    },
  },
  {
    name: 'split',
    begin({ random, network, time, members }) {
      const isLeft = new Map(members.map(({ id }) => [id, random.next() < 0.5]));
      const isOneWay = random.next() < 0.4;
      for (const { id: one } of members) {
        for (const { id: other } of members) {
          if (isLeft.get(one) !== true || isLeft.get(other) !== false) continue;
          network.cut(one, other);
          if (!isOneWay) network.cut(other, one);
        }
      }
      time.after(2_000 + random.below(40_000), () => network.heal());
    },
  },
  {
    name: 'write',
    begin({ random, members }) {
      const member = random.pick(members);
      member.run(() => member.node.state.set('life', String(random.below(1_000))));
    },
  },
];

export function runGossip(
  seed: number,
  trace: (line: string) => void = () => undefined,
): GossipResult {
  const cluster = new Cluster(seed);
  const { time, random, members, network } = cluster;
  const resurrection = new NoResurrection();
  const load = new BoundedLoad();
  for (const member of members) time.after(random.below(3_000), () => cluster.start(member));
  const observe = (): void => {
    for (const member of members) {
      if (!member.isUp) continue;
      resurrection.observe(member);
      load.observe(member, messagesMax);
    }
    time.after(periodMs, observe);
  };
  time.after(4_000, observe);
  const weights = faults.map(() => random.pick([0, 1, 3]));
  const pauseMs = 1_000 + random.below(20_000);
  const nextFault = (): void => {
    if (time.now > faultsEndMs) return;
    const fault = random.pick(faults);
    if (random.next() * 3 < (weights[faults.indexOf(fault)] ?? 0)) {
      trace(`${time.now.toFixed(0)} ${fault.name}`);
      fault.begin(cluster);
    }
    time.after(pauseMs * random.next(), nextFault);
  };
  time.after(6_000, nextFault);
  time.runUntil(faultsEndMs + 41_000);
  network.heal();
  network.faults = calm;
  for (const member of members) if (member.isPaused) member.resume();
  time.runUntil(faultsEndMs + 41_000 + settleMs);
  checkConvergence(members);
  return { nodes: members.length, ...cluster.counters, worstLoad: load.worst };
}
