import { Prng } from '../../../dataplane/common/prng.ts';
import type { SnapshotPosition } from '../../../dataplane/raft/entry.ts';
import type { NodeId } from '../../../dataplane/raft/configuration.ts';
import { Lease } from '../../../dataplane/raft/lease.ts';
import type { Message } from '../../../dataplane/raft/message.ts';
import type { RaftOptions } from '../../../dataplane/raft/options.ts';
import { RaftLog } from '../../../dataplane/raft/raft-log.ts';
import { Raft } from '../../../dataplane/raft/raft.ts';
import type { Persist, Ready } from '../../../dataplane/raft/ready.ts';
import type { VirtualTime } from '../virtual-time.ts';
import type { RegisterMachine } from './register-machine.ts';
import { SimulatedLog } from './simulated-log.ts';

/** A message on the simulated network; a snapshot's state travels with it. */
export interface Parcel {
  readonly message: Message;
  readonly machine?: RegisterMachine;
}

export interface NodeHooks {
  send(parcel: Parcel): void;
  applied(node: SimulatedNode, entry: Ready['apply'][number]): void;
  /** Reads that may be answered now. Undefined: the read was refused. */
  readable(node: SimulatedNode, read: number, machine: RegisterMachine | undefined): void;
  withdrawn(node: SimulatedNode, from: number): void;
  observe(node: SimulatedNode): void;
}

const tickMs = 10;
/** Clocks of two nodes differ in speed by at most this much. */
const clockDriftMax = 0.05;
const flushEvery = 20;

/** One process: the machine under test, its medium, its state machine, and a driver like the product's. */
export class SimulatedNode {
  readonly id: NodeId;
  readonly log: SimulatedLog;
  isPaused = false;
  raft!: Raft;
  machine!: RegisterMachine;
  lease!: Lease;
  isUp = false;
  readonly #time: VirtualTime;
  readonly #random: Prng;
  readonly #options: Omit<RaftOptions, 'id' | 'random'>;
  readonly #hooks: NodeHooks;
  readonly #speed: number;
  #life = 0;
  #postponed: (() => void)[] = [];
  #arrived: { readonly index: number; readonly machine: RegisterMachine } | undefined;
  #waiting: { readonly id: number; readonly index: number }[] = [];

  constructor(
    id: NodeId,
    parts: {
      readonly time: VirtualTime;
      readonly random: Prng;
      readonly options: Omit<RaftOptions, 'id' | 'random'>;
      readonly origin: SnapshotPosition;
      readonly hooks: NodeHooks;
    },
  ) {
    this.id = id;
    this.#time = parts.time;
    this.#random = parts.random;
    this.#options = parts.options;
    this.#hooks = parts.hooks;
    this.#speed = 1 + (parts.random.next() * 2 - 1) * (clockDriftMax / 2);
    this.log = new SimulatedLog(parts.time, parts.random, parts.origin);
  }

  /** This node's own monotonic clock. */
  get clock(): number {
    return this.#time.now * this.#speed;
  }

  start(): void {
    const { hardState, snapshot, entries, machine } = this.log.medium;
    this.#life += 1;
    this.isUp = true;
    this.isPaused = false;
    this.#postponed = [];
    this.#waiting = [];
    this.#arrived = undefined;
    this.machine = machine.copy();
    const random = new Prng(this.#random.below(2 ** 32));
    const options = { ...this.#options, id: this.id, random };
    this.raft = new Raft(options, {
      hardState,
      log: new RaftLog(snapshot, entries, Math.max(machine.index, snapshot.index)),
    });
    this.lease = new Lease(options.electionTicks * tickMs, clockDriftMax);
    this.#scheduleTick(this.#life);
  }

  crash(): void {
    this.isUp = false;
    this.#life += 1;
    this.log.crash();
  }

  /** The process is stopped: nothing runs, messages wait, time passes. */
  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    for (const run of this.#postponed.splice(0)) this.#guarded(run);
  }

  /** Runs now, after a pause, or never when the process has died meanwhile. */
  run(work: () => void, life = this.#life): void {
    if (!this.isUp || life !== this.#life) return;
    if (this.isPaused) this.#postponed.push(work);
    else this.#guarded(work);
  }

  #guarded(work: () => void): void {
    if (!this.isUp || this.isPaused) return;
    work();
    this.#pump();
    this.#hooks.observe(this);
  }

  #later(delayMs: number, work: () => void): void {
    const life = this.#life;
    this.#time.after(delayMs, () => this.run(work, life));
  }

  #scheduleTick(life: number): void {
    this.#time.after(tickMs / this.#speed, () => {
      if (life !== this.#life) return;
      // A stopped process does not catch up on its ticks.
      if (!this.isPaused) this.run(() => this.raft.tick(), life);
      this.#scheduleTick(life);
    });
  }

  receive({ message, machine }: Parcel): void {
    this.run(() => {
      if (message.type === 'snapshot' && machine !== undefined) {
        this.#arrived = { index: message.snapshot.index, machine };
      }
      this.raft.step(message);
    });
  }

  #pump(): void {
    while (this.raft.hasReady) {
      const { persist, send, apply, reads, fetch, withdrawnFrom } = this.raft.ready();
      if (withdrawnFrom !== undefined) {
        this.lease.end();
        this.#hooks.withdrawn(this, withdrawnFrom);
      }
      if (persist !== undefined) this.#persist(persist);
      const heartbeats = send.filter(({ type }) => type === 'heartbeat');
      const newest = heartbeats.at(-1);
      if (newest?.type === 'heartbeat') this.lease.sent(newest.round, this.clock);
      for (const message of send) this.#send(message);
      for (const entry of apply) {
        this.machine.apply(entry.index, entry.kind === 'command' ? entry.payload : undefined);
        this.#hooks.applied(this, entry);
      }
      this.raft.applied(this.machine.index);
      for (const { member, from } of fetch) this.#fetch(member, from);
      for (const { id, index } of reads) {
        if (index === undefined) this.#hooks.readable(this, id, undefined);
        else this.#waiting.push({ id, index });
      }
      this.#answerReads();
      this.#flush();
      const rounds = this.raft.rounds;
      if (rounds !== undefined) this.lease.acked(rounds.acked);
    }
  }

  #persist(persist: Persist): void {
    const { snapshot, token } = persist;
    let machine: RegisterMachine | undefined;
    if (snapshot !== undefined && this.#arrived?.index === snapshot.index) {
      machine = this.#arrived.machine.copy();
      this.machine = machine.copy();
    }
    const life = this.#life;
    this.log.write(persist, machine, () => this.run(() => this.raft.persisted(token), life));
  }

  #send(message: Message): void {
    if (message.type !== 'snapshot') return this.#hooks.send({ message });
    const { log } = this.raft;
    // What is transferred is the state of now, which is newer than where the log begins.
    const index = this.machine.index;
    const snapshot = {
      index,
      term: log.termOf(index) ?? 0,
      configuration: log.configurationAt(index),
    };
    this.#hooks.send({ message: { ...message, snapshot }, machine: this.machine.copy() });
    const isComplete = this.#random.next() < 0.8;
    this.#later(20 + this.#random.below(100), () =>
      this.raft.snapshotEnded(message.to, isComplete ? index : undefined),
    );
    return undefined;
  }

  #fetch(member: NodeId, from: number): void {
    this.#later(this.#random.next() * 5, () => {
      const { snapshot, entries } = this.log.medium;
      const found = entries.filter(({ index }) => index >= from).slice(0, 8);
      this.raft.fetched(member, from, from <= snapshot.index ? undefined : found);
    });
  }

  #answerReads(): void {
    const ready = this.#waiting.filter(({ index }) => index <= this.machine.index);
    this.#waiting = this.#waiting.filter(({ index }) => index > this.machine.index);
    for (const { id } of ready) this.#hooks.readable(this, id, this.machine);
  }

  #flush(): void {
    if (this.machine.index - this.log.medium.machine.index < flushEvery) return;
    const { log } = this.raft;
    const index = this.machine.index;
    if (index > log.durable) return;
    const position = {
      index,
      term: log.termOf(index) ?? 0,
      configuration: log.configurationAt(index),
    };
    this.raft.compacted(this.log.flush(this.machine, position, this.#random.below(20)));
  }
}
