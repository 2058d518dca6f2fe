import { setImmediate as turn } from 'node:timers/promises';
import { entryKind } from '../../replication/entry-kind.ts';
import {
  ChangeRefusedError,
  NotLeaderError,
  OutcomeUnknownError,
} from '../../replication/errors.ts';
import type {
  CommittedEntry,
  GroupMachine,
  GroupStart,
  ReplicatedGroup,
  Replication,
  ReplicationSource,
} from '../../replication/replicated-group.ts';
import { replicating } from './replicating.ts';

const noPayload = new Uint8Array();

/** A group as all of its members have it: what is committed, and what its leader has proposed. */
class SharedGroup {
  readonly entries: CommittedEntry[] = [];
  readonly members = new Map<string, Member>();
  pending: CommittedEntry[] = [];

  get nextIndex(): number {
    return this.entries.length + this.pending.length + 1;
  }

  commit(count: number): void {
    this.entries.push(...this.pending.splice(0, count));
  }
}

interface Member {
  readonly machine: GroupMachine;
  /** Of entries that it proposed and still answers for. */
  readonly own: Set<number>;
  /** The last entry that it was given. */
  last: number;
  isLeading: boolean;
}

/**
 * Groups over several databases of one process, all led by the node that a test names. The log of each group is one
 * list, so nothing is elected, sent or lost: it shows what machines make of what is handed over.
 */
export class ManualCluster {
  /** Whether proposals wait until a test commits them. */
  isHeld = false;
  readonly configurations = new Map<string, readonly string[]>();
  readonly #groups = new Map<number, SharedGroup>();
  #leader: string;
  #term = 1;
  #isRunning = false;

  constructor(leader: string) {
    this.#leader = leader;
  }

  get leader(): string {
    return this.#leader;
  }

  source(node: string, founders: readonly string[]): ReplicationSource {
    return replicating(() => this.#replication(node), { node, founders });
  }

  /** What the group has committed. */
  entriesOf(group: number): readonly CommittedEntry[] {
    return this.#group(group).entries;
  }

  hasProposals(group: number): boolean {
    return this.#group(group).pending.length > 0;
  }

  /** Commits everything that was proposed. */
  commit(): void {
    for (const group of this.#groups.values()) group.commit(group.pending.length);
    this.#pump();
  }

  /** Resolves when each member has what is committed, and the leader knows that it leads. */
  async settled(): Promise<void> {
    while ([...this.#groups.values()].some((group) => this.#isBehind(group))) await turn();
  }

  /** Another node leads all groups; of what the last one has proposed, the first `survivors` of each are committed. */
  elect(node: string, survivors = 0): void {
    const before = this.#leader;
    this.#leader = node;
    this.#term += 1;
    for (const group of this.#groups.values()) {
      this.#depose(group, before);
      group.commit(Math.min(survivors, group.pending.length));
      group.pending = [];
      this.#begin(group);
    }
    this.#pump();
  }

  /** Its process has ended: no machine of it is called any more. */
  kill(node: string): void {
    for (const { members } of this.#groups.values()) members.delete(node);
  }

  /** The first entry of a term. */
  #begin(group: SharedGroup): void {
    const index = group.entries.length + 1;
    group.entries.push({ index, term: this.#term, kind: entryKind.empty, payload: noPayload });
  }

  #depose(group: SharedGroup, node: string): void {
    const member = group.members.get(node);
    if (member === undefined || !member.isLeading) return;
    member.isLeading = false;
    member.own.clear();
    const from = group.entries.length + 1;
    if (group.pending.length > 0) member.machine.withdrawn(from, new OutcomeUnknownError());
    member.machine.led(false);
  }

  #group(id: number): SharedGroup {
    const known = this.#groups.get(id);
    if (known !== undefined) return known;
    const group = new SharedGroup();
    this.#groups.set(id, group);
    this.#begin(group);
    return group;
  }

  #isBehind({ entries, members }: SharedGroup): boolean {
    const isBehind = [...members.values()].some(({ last }) => last < entries.length);
    return isBehind || members.get(this.#leader)?.isLeading === false;
  }

  #replication(node: string): Replication {
    const joined = new Set<number>();
    const leave = (id: number): void => {
      joined.delete(id);
      this.#groups.get(id)?.members.delete(node);
    };
    return {
      join: (id, machine, start) => {
        joined.add(id);
        return this.#join(node, { id, machine, start });
      },
      leave,
      stop: () => {
        for (const id of joined) leave(id);
        return Promise.resolve();
      },
    };
  }

  #join(
    node: string,
    { id, machine, start }: { id: number; machine: GroupMachine; start: GroupStart },
  ): ReplicatedGroup {
    const group = this.#group(id);
    const member = { machine, own: new Set<number>(), last: start.applied.index, isLeading: false };
    group.members.set(node, member);
    this.#pump();
    const refusal = (): NotLeaderError | undefined =>
      member.isLeading ? undefined : new NotLeaderError(this.#leader);
    return {
      isFull: false,
      room: () => Promise.resolve(),
      get nextIndex() {
        return group.nextIndex;
      },
      propose: (payload) => {
        const why = refusal();
        if (why !== undefined) return why;
        const position = { index: group.nextIndex, term: this.#term };
        member.own.add(position.index);
        group.pending.push({ ...position, kind: entryKind.command, payload });
        if (!this.isHeld) queueMicrotask(() => this.commit());
        return position;
      },
      leader: { node: undefined, isHere: false },
      get refusal() {
        return refusal();
      },
      mustRejoin: undefined,
      isVoter: true,
      readable: () => {
        const why = refusal();
        return why === undefined ? undefined : Promise.reject(why);
      },
      configuration: start.configuration ?? { voters: [node], outgoing: [], learners: [] },
      matches: new Map(),
      changeMembers: () => new ChangeRefusedError('unchanged'),
      transferLeadership: () => new ChangeRefusedError('unchanged'),
      tell: () => undefined,
      giveState: () => Promise.resolve(undefined),
      takeState: () => Promise.resolve(false),
    };
  }

  #pump(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(() => {
      this.#isRunning = false;
      for (const group of this.#groups.values()) {
        for (const [node, member] of group.members) this.#handOver(group, node, member);
      }
      if ([...this.#groups.values()].some((group) => this.#isBehind(group))) this.#pump();
    });
  }

  /** One entry, or the news that it leads. */
  #handOver(group: SharedGroup, node: string, member: Member): void {
    const entry = group.entries[member.last];
    if (entry !== undefined) {
      member.last = entry.index;
      if (member.own.delete(entry.index)) member.machine.committed(entry.index);
      else member.machine.replicated(entry);
    }
    if (member.last < group.entries.length || node !== this.#leader || member.isLeading) return;
    member.isLeading = true;
    member.machine.led(true);
  }
}
