import { checkRegister } from '../linearizability.ts';
import type { Operation } from '../linearizability.ts';
import { Nemesis } from '../nemesis.ts';
import { SafetyViolation } from '../violation.ts';
import { faults, pace } from './faults.ts';
import { Group } from './group.ts';
import type { SimulatedNode } from './simulated-node.ts';

/**
 * One group of five nodes, of which some vote, under load and faults; then the faults end, and the
 * group must answer again with everything that it acknowledged.
 */
export interface ScenarioResult {
  readonly operations: number;
  readonly terms: number;
  readonly snapshots: number;
  readonly leaseReads: number;
  /** The same for the same seed: the whole run in one number. */
  readonly digest: number;
}

const ids = ['a', 'b', 'c', 'd', 'e'];
const allKeys = ['x', 'y', 'z'];
const clients = 4;
const faultsEndMs = 8_000;
const endMs = 14_000;
const clientTimeoutMs = 1_000;

interface Pending {
  kind: 'read' | 'write';
  key: string;
  value: string | undefined;
  calledAt: number;
  returnedAt: number;
}

/** How the clients of one seed behave. */
interface Habits {
  readonly pauseMs: number;
  readonly keys: readonly string[];
  /** The share of reads. */
  readonly reads: number;
}

class Client {
  readonly history: Pending[] = [];
  readonly #group: Group;
  readonly #name: string;
  readonly #habits: Habits;
  #sequence = 0;
  /** As a driver does, it stays with the node that it knows until that one fails it. */
  #node: SimulatedNode | undefined;

  constructor(group: Group, name: string, habits: Habits) {
    this.#group = group;
    this.#name = name;
    this.#habits = habits;
  }

  next(): void {
    const { time, random } = this.#group;
    if (time.now > endMs - 1_500) return;
    time.after(random.next() * this.#habits.pauseMs, () => this.#operate());
  }

  #operate(): void {
    const { random, time, running } = this.#group;
    const key = random.pick(this.#habits.keys);
    if (this.#node?.isUp !== true) this.#node = this.#group.leader ?? random.pick(running);
    const node = this.#node;
    if (node === undefined) return this.next();
    const operation = { key, calledAt: time.now, returnedAt: Number.POSITIVE_INFINITY };
    return random.next() < this.#habits.reads
      ? this.#read(node, operation)
      : this.#write(node, operation);
  }

  #read(node: SimulatedNode, base: Omit<Pending, 'kind' | 'value'>): void {
    const operation: Pending = { ...base, kind: 'read', value: undefined };
    const over = this.#once();
    this.#group.read(node, base.key, (outcome) => {
      if (outcome === 'refused') this.#node = undefined;
      if (outcome === 'refused' || !over()) return;
      operation.value = outcome.value;
      operation.returnedAt = this.#group.time.now;
      this.history.push(operation);
    });
  }

  #write(node: SimulatedNode, base: Omit<Pending, 'kind' | 'value'>): void {
    this.#sequence += 1;
    const sequence = this.#sequence;
    const value = `${this.#name}${sequence}`;
    const operation: Pending = { ...base, kind: 'write', value };
    this.history.push(operation);
    const over = this.#once();
    const command = { session: this.#name, sequence, key: base.key, value };
    const attempt = (target: SimulatedNode): boolean =>
      this.#group.write(target, command, (outcome) => {
        // Unknown: the same command once more, which must not be applied twice.
        if (outcome === 'unknown') this.#retry(attempt, operation.calledAt);
        else if (over()) operation.returnedAt = this.#group.time.now;
      }) === undefined;
    if (!attempt(node)) this.#retry(attempt, operation.calledAt);
  }

  #retry(attempt: (node: SimulatedNode) => boolean, calledAt: number): void {
    const { time } = this.#group;
    if (time.now - calledAt > clientTimeoutMs) return;
    time.after(40, () => {
      const { leader } = this.#group;
      this.#node = leader;
      if (leader === undefined || !attempt(leader)) this.#retry(attempt, calledAt);
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
    this.#group.time.after(clientTimeoutMs, () => {
      if (over()) this.#node = undefined;
    });
    return over;
  }
}

function checkHistories(histories: readonly Pending[]): void {
  for (const key of allKeys) {
    const history: Operation[] = histories.filter((each) => each.key === key);
    const { isLinearizable, unexplained } = checkRegister(history);
    if (isLinearizable) continue;
    const lines = unexplained
      .slice(0, 12)
      .map(
        ({ kind, value, calledAt, returnedAt }) => `${kind} ${value} ${calledAt}..${returnedAt}`,
      );
    throw new SafetyViolation(`register ${key} is not linearizable:\n${lines.join('\n')}`);
  }
}

function checkEnd(group: Group): void {
  const { leader } = group;
  if (leader === undefined) throw new SafetyViolation('no leader after the faults have ended');
  const { committed, last } = leader.raft.log;
  if (committed < last) throw new SafetyViolation('a settled group does not commit its log');
  const { voters } = leader.raft.configuration;
  for (const id of voters) {
    const { machine } = group.nodes.get(id) as SimulatedNode;
    if (machine.index !== committed || machine.digest !== leader.machine.digest) {
      throw new SafetyViolation(
        `${id} has applied ${machine.index} of ${committed} when nothing happens any more`,
      );
    }
  }
}

export function runRaft(
  seed: number,
  trace: (line: string) => void = () => undefined,
): ScenarioResult {
  const group = new Group(seed, ids, ids.slice(0, seed % 3 === 0 ? 5 : 3));
  const habits = {
    pauseMs: group.random.pick([12, 40, 90]),
    keys: allKeys.slice(0, 1 + group.random.below(allKeys.length)),
    reads: group.random.pick([0.2, 0.5, 0.8]),
  };
  const everyone = Array.from({ length: clients }, (_, at) => new Client(group, `c${at}-`, habits));
  for (const client of everyone) client.next();
  const nemesis = new Nemesis(group, faults, pace);
  const nextFault = (): void => {
    if (group.time.now > faultsEndMs) return;
    const { name, nextInMs } = nemesis.begin();
    trace(`${group.time.now.toFixed(1)} ${name}`);
    group.checkLogs();
    group.time.after(nextInMs, nextFault);
  };
  group.time.after(500, nextFault);
  group.time.runUntil(faultsEndMs + 2_100);
  group.network.heal();
  group.network.faults = {
    loss: 0,
    duplication: 0,
    delayMs: { least: 0.2, most: 2 },
    stragglers: 0,
  };
  for (const node of group.nodes.values()) {
    if (!node.isUp) node.start();
    node.resume();
  }
  group.time.runUntil(endMs);
  group.checkLogs();
  const history = everyone.flatMap((client) => client.history);
  checkHistories(history);
  checkEnd(group);
  return {
    operations: history.length,
    terms: group.electionSafety.terms,
    snapshots: group.counters.snapshots,
    leaseReads: group.counters.leaseReads,
    digest: group.leader?.machine.digest ?? 0,
  };
}
