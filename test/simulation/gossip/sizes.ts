import { Prng } from '../../../dataplane/common/prng.ts';
import { isReliable } from '../../../dataplane/gossip/message.ts';
import type { Message } from '../../../dataplane/gossip/message.ts';
import { Network } from '../network.ts';
import { SafetyViolation } from '../violation.ts';
import { VirtualTime } from '../virtual-time.ts';
import { defaults, SimulatedMember, tickMs } from './simulated-member.ts';

/**
 * How the membership behaves as a cluster grows: one node of a calm cluster crashes, and later one leaves. All
 * nodes know each other from the start, so that only the two events are seen.
 */
export interface SizeResult {
  readonly nodes: number;
  /** From the crash until some node suspects it, some node declares it dead, and all nodes have. */
  readonly suspectedMs: number;
  readonly deadMs: number;
  readonly deadEverywhereMs: number;
  /** From a node's good-bye until all others know it. */
  readonly leftEverywhereMs: number;
  /** Messages that a node sends in a probe period: the mean of all, and the most of one. */
  readonly messages: number;
  readonly messagesMost: number;
}

const periodMs = defaults.probePeriodTicks * tickMs;
/** The crash comes after some periods without an event. */
const calmMs = 10 * periodMs;
const limitMs = 300_000;
/** A local network. */
const faults = { loss: 0, duplication: 0, delayMs: { least: 0.2, most: 2 }, stragglers: 0 };

class SizedCluster {
  readonly time = new VirtualTime();
  readonly members: readonly SimulatedMember[];
  /** When each node has said each thing, by what it is. */
  readonly said = new Map<string, number[]>();
  messagesMost = 0;
  #sentBefore: number[] = [];

  constructor(nodes: number, seed: number) {
    const random = new Prng(seed);
    const { time } = this;
    const byId = new Map<string, SimulatedMember>();
    const network = new Network<Message>({ time, random }, faults, (to, message) => {
      const member = byId.get(to);
      member?.run(() => member.node.step(message));
    });
    const hooks = {
      send: (message: Message): void => {
        if (isReliable[message.type]) network.sendReliably(message.from, message.to, message);
        else network.send(message.from, message.to, message);
      },
      event: (_: SimulatedMember, { id, status }: { id: string; status: string }): void => {
        const what = `${id} ${status}`;
        const times = this.said.get(what);
        if (times === undefined) this.said.set(what, [time.now]);
        else times.push(time.now);
      },
    };
    for (let at = 0; at < nodes; at += 1) {
      byId.set(`n${at}`, new SimulatedMember(`n${at}`, { time, random, hooks }));
    }
    this.members = [...byId.values()];
    const known = this.members.map(({ id }) => {
      return { id, address: id, incarnation: 1, status: 'alive' } as const;
    });
    for (const member of this.members)
      time.after(random.below(tickMs), () => member.start([], known));
  }

  /** Until so many nodes have said it; answers when the last of them has. */
  until(what: string, count: number): number {
    for (;;) {
      const times = this.said.get(what) ?? [];
      const last = times[count - 1];
      if (last !== undefined) return last;
      if (this.time.now > limitMs) {
        throw new SafetyViolation(`${times.length} of ${count} nodes know: ${what}`);
      }
      this.runPeriod();
    }
  }

  runPeriod(): void {
    this.time.runUntil(this.time.now + periodMs);
    this.messagesMost = this.members.reduce(
      (most, { sent }, at) => Math.max(most, sent - (this.#sentBefore[at] ?? 0)),
      this.messagesMost,
    );
    this.#sentBefore = this.members.map(({ sent }) => sent);
  }
}

export function runSize(nodes: number, seed: number): SizeResult {
  const cluster = new SizedCluster(nodes, seed);
  const { time, members } = cluster;
  const [crashed, leaving] = [members[nodes - 1], members[nodes - 2]] as [
    SimulatedMember,
    SimulatedMember,
  ];
  while (time.now < calmMs) cluster.runPeriod();
  const crashedAt = time.now;
  crashed.crash();
  const dead = `${crashed.id} dead`;
  const [suspectedAt, deadAt] = [cluster.until(`${crashed.id} suspect`, 1), cluster.until(dead, 1)];
  const deadEverywhereAt = cluster.until(dead, nodes - 1);
  const leftAt = time.now;
  leaving.run(() => leaving.node.leave());
  const leftEverywhereAt = cluster.until(`${leaving.id} left`, nodes - 2);
  for (const what of cluster.said.keys()) {
    if (!what.startsWith(`${crashed.id} `) && !what.startsWith(`${leaving.id} `)) {
      throw new SafetyViolation(`in a calm cluster of ${nodes} nodes somebody said: ${what}`);
    }
  }
  const sent = members.reduce((sum, member) => sum + member.sent, 0);
  return {
    nodes,
    suspectedMs: suspectedAt - crashedAt,
    deadMs: deadAt - crashedAt,
    deadEverywhereMs: deadEverywhereAt - crashedAt,
    leftEverywhereMs: leftEverywhereAt - leftAt,
    messages: sent / nodes / (time.now / periodMs),
    messagesMost: cluster.messagesMost,
  };
}
