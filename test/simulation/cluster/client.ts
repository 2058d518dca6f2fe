import { encodeUtf8 } from '../../../dataplane/common/bytes.ts';
import type { Operation } from '../linearizability.ts';
import type { Command } from '../raft/register-machine.ts';
import type { Replica, WriteOutcome } from './replica.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedNode } from './simulated-node.ts';

export interface Recorded extends Operation {
  readonly group: number;
  readonly key: string;
  value: string | undefined;
  returnedAt: number;
}

/** How the clients of one seed behave. */
export interface Habits {
  readonly pauseMs: number;
  readonly keys: readonly string[];
  readonly groups: readonly number[];
  /** The share of reads. */
  readonly reads: number;
  /** Bytes that a command has besides. */
  readonly padding: number;
  readonly untilMs: number;
}

const timeoutMs = 1_000;
const retryMs = 40;

/** One client: operations one after the other, each to the node that it takes for the leader. */
export class Client {
  readonly history: Recorded[] = [];
  readonly #cluster: SimulatedCluster;
  readonly #name: string;
  readonly #habits: Habits;
  readonly #sequences = new Map<number, number>();
  #node: SimulatedNode | undefined;

  constructor(cluster: SimulatedCluster, name: string, habits: Habits) {
    this.#cluster = cluster;
    this.#name = name;
    this.#habits = habits;
  }

  next(): void {
    const { time, random } = this.#cluster;
    if (time.now > this.#habits.untilMs) return;
    time.after(random.next() * this.#habits.pauseMs, () => this.#operate());
  }

  #operate(): void {
    const { random, time } = this.#cluster;
    const { keys, groups, reads } = this.#habits;
    const operation = {
      group: random.pick(groups),
      key: random.pick(keys),
      calledAt: time.now,
      returnedAt: Number.POSITIVE_INFINITY,
    };
    if (random.next() < reads) this.#read({ ...operation, kind: 'read', value: undefined });
    else this.#write(operation);
  }

  /** As a driver does, it stays with the node that it knows until that one fails it. */
  #target(group: number): SimulatedNode | undefined {
    const { random, running } = this.#cluster;
    if (this.#node?.isUp === true && random.next() < 0.8) return this.#node;
    this.#node = this.#cluster.leader(group) ?? random.pick(running);
    return this.#node;
  }

  /** Runs with the replica when its process does; else the client's time runs out. */
  #at(group: number, work: (replica: Replica) => void): void {
    const node = this.#target(group);
    node?.life.run(() => {
      const replica = node.replicas.get(group);
      if (replica !== undefined) work(replica);
    });
  }

  #read(operation: Recorded & { kind: 'read' }): void {
    const over = this.#once();
    const answer = (replica: Replica): void => {
      if (!over()) return;
      operation.value = replica.machine.read(operation.key);
      operation.returnedAt = this.#cluster.time.now;
      this.history.push(operation);
    };
    this.#at(operation.group, (replica) => {
      const waiting = replica.group.readable();
      if (waiting === undefined) {
        this.#cluster.counters.leaseReads += 1;
        return answer(replica);
      }
      waiting.then(
        () => answer(replica),
        () => (this.#node = undefined),
      );
      return undefined;
    });
  }

  #write(base: Omit<Recorded, 'kind' | 'value'>): void {
    const { group, key } = base;
    const sequence = (this.#sequences.get(group) ?? 0) + 1;
    this.#sequences.set(group, sequence);
    const value = `${this.#name}${sequence}`;
    const operation: Recorded = { ...base, kind: 'write', value };
    this.history.push(operation);
    const over = this.#once();
    const command: Command = { session: this.#name, sequence, key, value };
    this.#attempt(operation, command, () => {
      this.#cluster.acknowledged(group, command);
      if (over()) operation.returnedAt = this.#cluster.time.now;
    });
  }

  #attempt(operation: Recorded, command: Command, acknowledged: () => void): void {
    const retry = (): void => {
      const { time } = this.#cluster;
      this.#node = undefined;
      if (time.now - operation.calledAt > timeoutMs) return;
      time.after(retryMs, () => this.#attempt(operation, command, acknowledged));
    };
    // Unknown: the same command once more, which must not be applied twice.
    const done = (outcome: WriteOutcome): void =>
      outcome === 'unknown' ? retry() : acknowledged();
    this.#at(operation.group, (replica) => {
      const padding = '.'.repeat(this.#habits.padding);
      const payload = encodeUtf8(JSON.stringify({ ...command, padding }));
      if (replica.group.isFull || !replica.propose(payload, done)) retry();
    });
  }

  /** The next operation begins when this one is answered or has taken too long. */
  #once(): () => boolean {
    let isOver = false;
    const over = (): boolean => {
      if (isOver) return false;
      isOver = true;
      this.next();
      return true;
    };
    this.#cluster.time.after(timeoutMs, () => {
      if (over()) this.#node = undefined;
    });
    return over;
  }
}
