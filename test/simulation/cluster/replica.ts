import { entryKind } from '../../../dataplane/replication/entry-kind.ts';
import { OutcomeUnknownError } from '../../../dataplane/replication/errors.ts';
import { decodeConfiguration } from '../../../dataplane/replication/member-records.ts';
import type { RaftGroup } from '../../../dataplane/replication/raft-group.ts';
import type {
  CommittedEntry,
  Configuration,
  GroupMachine,
  GroupSnapshots,
  Position,
  ReplicatedGroup,
  SnapshotPosition,
} from '../../../dataplane/replication/replicated-group.ts';
import type { RegisterMachine } from '../raft/register-machine.ts';

/** What the store of a node has of a group: changed as a whole. */
export interface Stored {
  readonly machine: RegisterMachine;
  readonly applied: Position;
  readonly configuration: Configuration;
}

export type WriteOutcome = 'applied' | 'unknown';

/** `isNew`: it changed the state; a retry of a command that is applied does not. */
export interface Applied {
  readonly entry: CommittedEntry;
  readonly isNew: boolean;
}

interface Proposed {
  readonly payload: Uint8Array;
  readonly term: number;
  readonly done: (outcome: WriteOutcome) => void;
}

export interface ReplicaHooks {
  applied(applied: Applied): void;
  failed(error: Error): void;
  /** Carries a state to another node; rejects when it does not arrive. */
  transfer(to: string, state: Stored): Promise<void>;
}

/** Registers over one group of one node, as a shard is. */
export class Replica implements GroupMachine, GroupSnapshots {
  stored: Stored;
  /** The states that have arrived, by their index. */
  readonly arrived: Map<number, Stored>;
  machine: RegisterMachine;
  applied: Position;
  configuration: Configuration;
  group!: ReplicatedGroup;
  installed = 0;
  readonly #hooks: ReplicaHooks;
  readonly #proposed = new Map<number, Proposed>();

  constructor(stored: Stored, arrived: Map<number, Stored>, hooks: ReplicaHooks) {
    this.stored = stored;
    this.arrived = arrived;
    this.machine = stored.machine.copy();
    this.applied = stored.applied;
    this.configuration = stored.configuration;
    this.#hooks = hooks;
  }

  get raft(): RaftGroup['raft'] {
    return (this.group as RaftGroup).raft;
  }

  /** Answers whether it was taken. */
  propose(payload: Uint8Array, done: Proposed['done']): boolean {
    const { nextIndex } = this.group;
    const position = this.group.propose(payload);
    if (position instanceof Error) return false;
    if (position.index !== nextIndex) this.#hooks.failed(new Error('another index was proposed'));
    this.#proposed.set(nextIndex, { payload, term: position.term, done });
    return true;
  }

  committed(upTo: number): void {
    for (const [index, { payload, term, done }] of this.#proposed) {
      if (index > upTo) return;
      this.#proposed.delete(index);
      this.#apply({ index, term, kind: entryKind.command, payload });
      done('applied');
    }
  }

  replicated(entry: CommittedEntry): void {
    if (this.#proposed.has(entry.index)) this.#hooks.failed(new Error('a proposal is not own'));
    this.#apply(entry);
  }

  #apply(entry: CommittedEntry): void {
    const { index, term, kind, payload } = entry;
    if (kind === entryKind.configuration) this.configuration = decodeConfiguration(payload);
    const { retries } = this.machine;
    this.machine.apply(index, kind === entryKind.command ? payload : undefined);
    this.applied = { index, term };
    this.#hooks.applied({ entry, isNew: this.machine.retries === retries });
  }

  withdrawn(from: number, reason: Error): void {
    const isUnknown = reason instanceof OutcomeUnknownError;
    if (!isUnknown) this.#hooks.failed(reason);
    for (const [index, { done }] of this.#proposed) {
      if (index < from) continue;
      this.#proposed.delete(index);
      done('unknown');
    }
  }

  led(): void {
    // Clients look at `refusal`.
  }

  failed(error: Error): void {
    this.#hooks.failed(error);
  }

  /** The store has everything that was handed over. */
  flush(): void {
    const { applied, configuration } = this;
    if (applied.index > this.stored.applied.index)
      this.stored = { machine: this.machine.copy(), applied, configuration };
  }

  async send(to: string): Promise<SnapshotPosition> {
    const { applied, configuration } = this;
    await this.#hooks.transfer(to, { machine: this.machine.copy(), applied, configuration });
    return { ...applied, configuration };
  }

  has({ index, term }: SnapshotPosition): boolean {
    return this.arrived.get(index)?.applied.term === term;
  }

  async install({ index }: SnapshotPosition): Promise<void> {
    await Promise.resolve();
    const state = this.arrived.get(index);
    if (state === undefined) throw new Error('nothing has arrived');
    this.stored = state;
    this.machine = state.machine.copy();
    this.applied = state.applied;
    this.configuration = state.configuration;
    this.installed += 1;
  }
}
