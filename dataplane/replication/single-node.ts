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
  /** By index, each with a number of its own: the log also answers for withdrawn ones, whose indexes are in use again. */
  readonly #outstanding = new Map<number, number>();
  #count = 0;

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
    const number = (this.#count += 1);
    this.#nextIndex += 1;
    this.#outstanding.set(index, number);
    const record = {
      group: this.#group,
      term: onlyTerm,
      index,
      kind: entryKind.command,
      payload,
    };
    this.#log.append([record]).then(
      () => {
        this.#outstanding.delete(index);
        this.#machine.committed(index);
      },
      (error: Error) => this.#rejected(index, number, error),
    );
    return { term: onlyTerm, index };
  }

  /** The log refuses all behind the first that it refused, until that comes again. */
  #rejected(index: number, number: number, error: Error): void {
    if (this.#outstanding.get(index) !== number) return;
    if (!isRefusal(error)) {
      this.#machine.failed(error);
      return;
    }
    for (const each of this.#outstanding.keys()) if (each >= index) this.#outstanding.delete(each);
    this.#nextIndex = index;
    this.#machine.withdrawn(index, error);
  }
}
