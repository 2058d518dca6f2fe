import { setImmediate as turn } from 'node:timers/promises';
import { Prng } from '../../../dataplane/common/prng.ts';
import { entryKind } from '../../../dataplane/replication/entry-kind.ts';
import { raftEntry } from '../../../dataplane/replication/member-records.ts';
import { AcknowledgedWrites } from '../checkers/acknowledged-writes.ts';
import { AppliedOnce } from '../checkers/applied-once.ts';
import { ElectionSafety } from '../checkers/election-safety.ts';
import { LeaderCompleteness } from '../checkers/leader-completeness.ts';
import { LogMatching } from '../checkers/log-matching.ts';
import { StateMachineSafety } from '../checkers/state-machine-safety.ts';
import { Network } from '../network.ts';
import { VirtualTime } from '../virtual-time.ts';
import { decodeCommand } from '../raft/register-machine.ts';
import type { Command } from '../raft/register-machine.ts';
import type { Applied, Replica, Stored } from './replica.ts';
import { SimulatedNode } from './simulated-node.ts';

interface Parcel {
  readonly from: string;
  readonly frame: Uint8Array;
}

export const calmNetwork = {
  loss: 0,
  duplication: 0,
  delayMs: { least: 0.2, most: 2 },
  stragglers: 0,
};

/** The properties of one group. */
class GroupCheckers {
  readonly stateMachineSafety = new StateMachineSafety();
  readonly electionSafety = new ElectionSafety();
  readonly completeness = new LeaderCompleteness(this.stateMachineSafety);
  readonly matching = new LogMatching();
  readonly acknowledged = new AcknowledgedWrites();
  readonly appliedOnce = new AppliedOnce();
}

/** Nodes, the network between them, and what must always hold. */
export class SimulatedCluster {
  readonly time = new VirtualTime();
  readonly random: Prng;
  readonly network: Network<Parcel>;
  readonly nodes: ReadonlyMap<string, SimulatedNode>;
  readonly checkers: ReadonlyMap<number, GroupCheckers>;
  readonly counters = { events: 0, snapshots: 0, frames: 0, leaseReads: 0 };
  /** The faults have ended. */
  isCalm = false;
  #violation: Error | undefined;

  constructor(
    seed: number,
    parts: {
      readonly ids: readonly string[];
      readonly voters: readonly string[];
      readonly groups: readonly number[];
    },
  ) {
    this.random = new Prng(seed);
    const { time, random } = this;
    const { ids, voters, groups } = parts;
    this.checkers = new Map(groups.map((group) => [group, new GroupCheckers()]));
    this.network = new Network({ time, random }, calmNetwork, (to, { from, frame }) =>
      this.nodes.get(to)?.receive(from, frame),
    );
    const cluster = {
      time,
      random,
      groups,
      configuration: { voters, outgoing: [], learners: [] },
      send: (from: string, to: string, frame: Uint8Array) => {
        this.counters.frames += 1;
        this.network.send(from, to, { from, frame });
      },
      transfer: (from: string, to: string, group: number, state: Stored) =>
        this.#transfer({ from, to, group, state }),
      applied: (node: SimulatedNode, group: number, applied: Applied) =>
        this.#applied(node, group, applied),
      violated: (error: Error) => void (this.#violation ??= error),
    };
    this.nodes = new Map(ids.map((id) => [id, new SimulatedNode(id, cluster)]));
    for (const node of this.nodes.values()) node.start();
  }

  get running(): readonly SimulatedNode[] {
    return [...this.nodes.values()].filter(({ isUp }) => isUp);
  }

  /** The node that leads in the newest term; old leaders that do not know it yet may exist beside it. */
  leader(group: number): SimulatedNode | undefined {
    return this.running
      .filter((node) => node.replicas.get(group)?.raft.role === 'leader')
      .sort((left, right) => termOf(right, group) - termOf(left, group))[0];
  }

  async runUntil(end: number): Promise<void> {
    await turn();
    while (this.time.nextAt <= end) {
      this.time.runNext();
      // Every promise that can be settled is, before the next event.
      await turn();
      this.counters.events += 1;
      if (this.#violation !== undefined) throw this.#violation;
      this.#observe();
    }
    this.time.runUntil(end);
  }

  #observe(): void {
    for (const { replicas } of this.nodes.values()) {
      for (const [group, { raft }] of replicas) {
        if (raft.role !== 'leader') continue;
        const checkers = this.checkers.get(group);
        checkers?.electionSafety.observe(raft);
        checkers?.completeness.observe(raft);
      }
    }
  }

  acknowledged(group: number, command: Command): void {
    this.checkers.get(group)?.acknowledged.acknowledged(command);
  }

  /** Costly, so it is done from time to time. */
  checkLogs(): void {
    for (const [group, { matching }] of this.checkers) matching.check(this.rafts(group));
  }

  rafts(group: number): Replica['raft'][] {
    return this.running.flatMap(({ replicas }) => {
      const replica = replicas.get(group);
      return replica === undefined ? [] : [replica.raft];
    });
  }

  /** Called by a machine in the middle of its work: a violation is kept for the loop. */
  #applied(node: SimulatedNode, group: number, { entry, isNew }: Applied): void {
    const term = node.replicas.get(group)?.raft.term ?? entry.term;
    try {
      const checkers = this.checkers.get(group);
      checkers?.stateMachineSafety.applied(node.id, raftEntry(entry), term);
      if (entry.kind === entryKind.command && isNew)
        checkers?.appliedOnce.changed(decodeCommand(entry.payload), entry.index);
    } catch (error) {
      this.#violation ??= error as Error;
    }
  }

  /** Reliable while the link stands; it takes its time, and may break. */
  async #transfer(state: {
    readonly from: string;
    readonly to: string;
    readonly group: number;
    readonly state: Stored;
  }): Promise<void> {
    const { from, to, group } = state;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sender = this.nodes.get(from)?.life;
    this.time.after(20 + this.random.below(150), () => {
      const isLost = !this.isCalm && this.random.next() < 0.2;
      const isBroken = this.network.isCut(from, to) || isLost;
      const receiver = this.nodes.get(to);
      if (!isBroken && receiver?.isUp === true) {
        receiver.take(group, state.state);
        this.counters.snapshots += 1;
        sender?.run(resolve);
      } else sender?.run(() => reject(new Error('the transfer broke')));
    });
    return promise;
  }
}

const termOf = (node: SimulatedNode, group: number): number =>
  node.replicas.get(group)?.raft.term ?? 0;
