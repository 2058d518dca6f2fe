import { entryKind, onlyTerm } from './entry-kind.ts';
import { isRefusal } from './errors.ts';
import type { GroupLog } from './log.ts';
import type { GroupMachine, Position, ReplicatedGroup, Replication } from './replicated-group.ts';

/** Groups of one member: a command is committed when the log has it. */
export class SingleNode implements Replication {
  readonly #log: GroupLog;

  constructor(log: GroupLog) {
    this.#log = log;
  }

  join(group: number, machine: GroupMachine, applied: number): ReplicatedGroup {
    const last = this.#log.recovery.lastIndex(group)?.index ?? 0;
    return new LoneGroup(this.#log, { group, machine, last: Math.max(last, applied) });
  }
}

interface LoneGroupOptions {
  readonly group: number;
  readonly machine: GroupMachine;
  /** The last index that was given out. */
  readonly last: number;
}

class LoneGroup implements ReplicatedGroup {
  readonly #log: GroupLog;
  readonly #group: number;
  readonly #machine: GroupMachine;
  #nextIndex: number;
  /** Counts withdrawals: the log answers for each withdrawn proposal, and means none that came later. */
  #generation = 0;

  constructor(log: GroupLog, { group, machine, last }: LoneGroupOptions) {
    this.#log = log;
    this.#group = group;
    this.#machine = machine;
    this.#nextIndex = last + 1;
  }

  get isFull(): boolean {
    return this.#log.full;
  }

  room(signal: AbortSignal): Promise<void> {
    return this.#log.room(signal);
  }

  get nextIndex(): number {
    return this.#nextIndex;
  }

  propose(payload: Uint8Array): Position {
    const index = this.#nextIndex;
    const generation = this.#generation;
    this.#nextIndex += 1;
    const record = {
      group: this.#group,
      term: onlyTerm,
      index,
      kind: entryKind.command,
      payload,
    };
    this.#log.append([record]).then(
      () => this.#machine.committed(index),
      (error: Error) => this.#rejected(index, generation, error),
    );
    return { term: onlyTerm, index };
  }

  /** The log refuses all behind the first that it refused, until that comes again. */
  #rejected(index: number, generation: number, error: Error): void {
    if (generation !== this.#generation) return;
    if (!isRefusal(error)) {
      this.#machine.failed(error);
      return;
    }
    this.#generation += 1;
    this.#nextIndex = index;
    this.#machine.withdrawn(index, error);
  }
}
