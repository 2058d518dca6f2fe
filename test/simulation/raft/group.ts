import { Prng } from '../../../dataplane/common/prng.ts';
import type { Entry } from '../../../dataplane/raft/entry.ts';
import type { RaftOptions } from '../../../dataplane/raft/options.ts';
import type { Refusal } from '../../../dataplane/raft/ready.ts';
import { ElectionSafety } from '../checkers/election-safety.ts';
import { LeaderCompleteness } from '../checkers/leader-completeness.ts';
import { LogMatching } from '../checkers/log-matching.ts';
import { StateMachineSafety } from '../checkers/state-machine-safety.ts';
import { Network } from '../network.ts';
import { VirtualTime } from '../virtual-time.ts';
import { encodeCommand } from './register-machine.ts';
import type { Command } from './register-machine.ts';
import { SimulatedNode } from './simulated-node.ts';
import type { Parcel } from './simulated-node.ts';

/** One Raft group of simulated nodes, and what clients and faults can do to it. */
const options: Omit<RaftOptions, 'id' | 'random'> = {
  electionTicks: 20,
  heartbeatTicks: 4,
  quiesceTicks: 40,
  appendBytesMax: 1_000,
  inflightMessagesMax: 4,
  inflightBytesMax: 4_000,
  uncommittedBytesMax: 20_000,
  applyBytesMax: 2_000,
  memoryBytesMax: 1_500,
  promotionLagMax: 5,
};

interface WaitingWrite {
  readonly index: number;
  readonly term: number;
  readonly done: (outcome: 'applied' | 'unknown') => void;
}

export type ReadOutcome = { readonly value: string | undefined } | 'refused';

export class Group {
  readonly time = new VirtualTime();
  readonly random: Prng;
  readonly network: Network<Parcel>;
  readonly nodes: ReadonlyMap<string, SimulatedNode>;
  readonly stateMachineSafety = new StateMachineSafety();
  readonly electionSafety = new ElectionSafety();
  readonly counters = { committed: 0, leaseReads: 0, snapshots: 0, quiet: 0 };
  readonly #completeness = new LeaderCompleteness(this.stateMachineSafety);
  readonly #matching = new LogMatching();
  readonly #writes = new Map<SimulatedNode, WaitingWrite[]>();
  readonly #reads = new Map<number, { key: string; done: (outcome: ReadOutcome) => void }>();
  #nextRead = 1;

  constructor(seed: number, ids: readonly string[], voters: readonly string[]) {
    this.random = new Prng(seed);
    const { time, random } = this;
    const faults = { loss: 0, duplication: 0, delayMs: { least: 0.2, most: 2 }, stragglers: 0 };
    this.network = new Network({ time, random }, faults, (to, parcel) => {
      if (parcel.machine !== undefined) this.counters.snapshots += 1;
      this.nodes.get(to)?.receive(parcel);
    });
    const origin = { index: 0, term: 0, configuration: { voters, outgoing: [], learners: [] } };
    const hooks = {
      send: (parcel: Parcel): void =>
        this.network.send(parcel.message.from, parcel.message.to, parcel),
      applied: this.#applied.bind(this),
      readable: this.#readable.bind(this),
      withdrawn: (node: SimulatedNode, from: number): void => this.#withdrawn(node, from),
      observe: (node: SimulatedNode): void => this.#observe(node),
    };
    this.nodes = new Map(
      ids.map((id) => [id, new SimulatedNode(id, { time, random, options, origin, hooks })]),
    );
    for (const node of this.nodes.values()) node.start();
  }

  get running(): readonly SimulatedNode[] {
    return [...this.nodes.values()].filter(({ isUp }) => isUp);
  }

  /** The node that leads in the newest term; old leaders that do not know it yet may exist beside it. */
  get leader(): SimulatedNode | undefined {
    return this.running
      .filter(({ raft }) => raft.role === 'leader')
      .sort((left, right) => right.raft.term - left.raft.term)[0];
  }

  /** `done` is called once, unless the node dies. */
  write(node: SimulatedNode, command: Command, done: WaitingWrite['done']): Refusal | undefined {
    let refusal: Refusal | undefined;
    node.run(() => {
      const proposed = node.raft.propose([encodeCommand(command)]);
      if ('refused' in proposed) refusal = proposed;
      else {
        const waiting = this.#writes.get(node) ?? [];
        this.#writes.set(node, waiting);
        waiting.push({ index: proposed.index, term: node.raft.term, done });
      }
    });
    return refusal;
  }

  /** From the state machine: at once under a lease, else after a round of heartbeats. */
  read(node: SimulatedNode, key: string, done: (outcome: ReadOutcome) => void): void {
    node.run(() => {
      const { raft, lease, machine, clock } = node;
      const { committed } = raft.log;
      if (raft.isLeaseSound && lease.isHeld(clock) && machine.index >= committed) {
        this.counters.leaseReads += 1;
        done({ value: machine.read(key) });
        return;
      }
      const id = this.#nextRead;
      this.#nextRead += 1;
      this.#reads.set(id, { key, done });
      raft.read(id);
    });
  }

  crash(node: SimulatedNode): void {
    node.crash();
    this.#writes.delete(node);
  }

  #applied(node: SimulatedNode, entry: Entry): void {
    this.stateMachineSafety.applied(node.id, entry, node.raft.term);
    const waiting = this.#writes.get(node) ?? [];
    for (const write of waiting.filter(({ index }) => index === entry.index)) {
      write.done(write.term === entry.term ? 'applied' : 'unknown');
    }
    this.#writes.set(
      node,
      waiting.filter(({ index }) => index !== entry.index),
    );
  }

  #withdrawn(node: SimulatedNode, from: number): void {
    const waiting = this.#writes.get(node) ?? [];
    this.#writes.set(
      node,
      waiting.filter(({ index }) => index < from),
    );
    for (const { index, done } of waiting) if (index >= from) done('unknown');
  }

  #readable(
    _node: SimulatedNode,
    id: number,
    machine: { read(key: string): string | undefined } | undefined,
  ): void {
    const read = this.#reads.get(id);
    this.#reads.delete(id);
    read?.done(machine === undefined ? 'refused' : { value: machine.read(read.key) });
  }

  #observe({ raft }: SimulatedNode): void {
    this.electionSafety.observe(raft);
    this.#completeness.observe(raft);
    if (raft.isQuiescent) this.counters.quiet += 1;
  }

  /** Costly, so it is done from time to time. */
  checkLogs(): void {
    this.#matching.check(this.running.map(({ raft }) => raft));
  }
}
