import { entryKind, onlyTerm } from './entry-kind.ts';
import { ChangeRefusedError, isRefusal } from './errors.ts';
import type { GroupLog } from './log.ts';
import type {
  Configuration,
  GroupLeader,
  GroupMachine,
  GroupStart,
  Position,
  ReplicatedGroup,
  Replication,
} from './replicated-group.ts';

/** Groups of one member: a command is committed when the log has it. */
export class SingleNode implements Replication {
  readonly #log: GroupLog;
  readonly #groups = new Map<number, LoneGroup>();

  constructor(log: GroupLog) {
    this.#log = log;
  }

  /** What the log has behind `applied` is committed, and replay hands it over: this does not. */
  join(group: number, machine: GroupMachine, { applied }: GroupStart): ReplicatedGroup {
    const last = this.#log.recovery.lastIndex(group)?.index ?? 0;
    const joined = new LoneGroup(this.#log, {
      group,
      machine,
      last: Math.max(last, applied.index),
    });
    this.#groups.set(group, joined);
    return joined;
  }

  leave(group: number): void {
    this.#groups.get(group)?.leave();
    this.#groups.delete(group);
  }

  stop(): Promise<void> {
    for (const group of this.#groups.keys()) this.leave(group);
    return Promise.resolve();
  }
}

/** The members are not counted where there is one. */
const onlyMember: Configuration = { voters: [], outgoing: [], learners: [] };

interface LoneGroupOptions {
  readonly group: number;
  readonly machine: GroupMachine;
  /** The last index that was given out. */
  readonly last: number;
}

class LoneGroup implements ReplicatedGroup {
  readonly leader: GroupLeader = { node: undefined, isHere: true };
  readonly refusal = undefined;
  readonly mustRejoin = undefined;
  readonly isVoter = true;
  readonly configuration = onlyMember;
  readonly matches = new Map();
  readonly #log: GroupLog;
  readonly #group: number;
  #machine: GroupMachine | undefined;
  #nextIndex: number;
  /** By index, each with a number of its own: the log also answers for withdrawn ones, whose indexes are in use again. */
  readonly #outstanding = new Map<number, number>();
  #count = 0;

  constructor(log: GroupLog, { group, machine, last }: LoneGroupOptions) {
    this.#log = log;
    this.#group = group;
    this.#machine = machine;
    this.#nextIndex = last + 1;
    queueMicrotask(() => this.#machine?.led(true));
  }

  leave(): void {
    this.#machine = undefined;
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
        this.#machine?.committed(index);
      },
      (error: Error) => this.#rejected(index, number, error),
    );
    return { term: onlyTerm, index };
  }

  /** The log refuses all behind the first that it refused, until that comes again. */
  #rejected(index: number, number: number, error: Error): void {
    if (this.#outstanding.get(index) !== number) return;
    if (!isRefusal(error)) {
      this.#machine?.failed(error);
      return;
    }
    for (const each of this.#outstanding.keys()) if (each >= index) this.#outstanding.delete(each);
    this.#nextIndex = index;
    this.#machine?.withdrawn(index, error);
  }

  /** What is committed here is all that there is. */
  readable(): undefined {
    return undefined;
  }

  changeMembers(): ChangeRefusedError {
    return new ChangeRefusedError('invalid');
  }

  transferLeadership(): ChangeRefusedError {
    return new ChangeRefusedError('unchanged');
  }

  tell(): void {
    // There is nobody else.
  }

  giveState(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  takeState(): Promise<boolean> {
    return Promise.resolve(false);
  }
}
