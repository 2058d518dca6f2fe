import { readAppliedPosition } from '../apply/applied-position.ts';
import type { Applier } from '../apply/applier.ts';
import type { ApplyItem, KeyspaceSum } from '../apply/apply-queue.ts';
import { EntryNotApplicableError } from '../apply/errors.ts';
import { readSessions } from '../apply/stored-sessions.ts';
import { commandOf, passed } from '../apply/replay.ts';
import type { ReplayedEntry } from '../apply/replayed.ts';
import { assert } from '../common/assert.ts';
import { copyBytes, nameOfBytes } from '../common/bytes.ts';
import type { Damage, DamagedGroups } from '../integrity/damage.ts';
import type { ApplyStore } from '../kv/store.ts';
import { isOfConsensus } from '../replication/entry-kind.ts';
import { NotLeaderError, OutcomeUnknownError } from '../replication/errors.ts';
import type {
  CommittedEntry,
  GroupMachine,
  GroupStart,
  ReplicatedGroup,
  Replication,
} from '../replication/replicated-group.ts';
import { encodeCommand, isComparison } from '../table/command.ts';
import type { Command } from '../table/command.ts';
import { SessionTable } from '../table/session-table.ts';
import type { SessionChange } from '../table/session-table.ts';
import { readStatistics } from '../table/statistics.ts';
import type { GroupDocuments } from './document-cache.ts';
import type { UnappliedKeys } from './direct-reads.ts';
import { entryBytes } from './evaluation.ts';
import { LoggedEntry } from './logged-entry.ts';
import type { MemtableBudget } from './memtable-budget.ts';
import type { Memtable, MemtableEntry } from './memtable.ts';
import { Proposal, Proposals } from './proposal.ts';
import type { ReplicaCare } from './replica-care.ts';

/** More in one term would take the generations of the next: a leader that loses its office has a new term. */
const withdrawalsMax = 2 ** 20;

type AppliedCommand = Omit<
  Extract<ApplyItem, { readonly type: 'table' }>,
  'type' | 'group' | 'session' | 'compared'
>;

export interface ProposerOptions {
  readonly group: number;
  /** Of the rows. */
  readonly keyspace: number;
  readonly store: ApplyStore;
  readonly replication: Replication;
  readonly applier: Applier;
  readonly budget: MemtableBudget;
  /** The members of a new group, or as of the applied position; without it the node is alone. */
  readonly membership?: Omit<GroupStart, 'applied'>;
  readonly damagedGroups: DamagedGroups;
  /** Called with what the log has and nobody can apply: the shard is closed, and its entries are kept. */
  notApplicable(damage: Damage): void;
  readonly memtable: Memtable;
  /** Documents that were read by their key. */
  readonly cache: GroupDocuments;
  /** Receives the keys of writes that the store does not have; undefined when nobody reads the store directly. */
  readonly unapplied: UnappliedKeys | undefined;
  /** What the log had when it was opened, and the store may have by now. */
  readonly replayed: Iterable<ReplayedEntry>;
  /** What compares the replica with others, and rebuilds it; undefined for a group of one member. */
  care(): ReplicaCare | undefined;
  /** Ends waits for room. */
  readonly signal: AbortSignal;
  /** Called with the first refusal of a soft write since the last `sync`. */
  softRefused(refusal: Error): void;
}

/**
 * From a staged command to a document that the store has: log -> committed -> applied, and back out of the memtable
 * when the log refuses it. Guarded invariants: nobody reads what is not committed; a write that was acknowledged
 * softly is committed before the next read of the shard answers.
 */
export class Proposer implements GroupMachine {
  readonly #options: ProposerOptions;
  readonly #proposals: Proposals;
  readonly #replicated: ReplicatedGroup;
  #count: number;
  #sessions: SessionTable;
  /** Documents that were written since the start. */
  #writes = 0;
  /** Of the newest entry that was committed here. */
  #term = 0;
  #hasLeft = false;
  /** The newest entry that was handed over. */
  #last: number;
  /** Withdrawals in that term. */
  #withdrawals = 0;

  constructor(options: ProposerOptions) {
    this.#options = options;
    this.#proposals = new Proposals((refusal) => options.softRefused(refusal));
    const applied = options.store.read((view) => readAppliedPosition(view, options.group));
    this.#term = applied.term;
    this.#last = applied.index;
    this.#sessions = new SessionTable(
      options.store.read((view) => readSessions(view, options.group)),
    );
    const start = { ...options.membership, applied };
    this.#replicated = options.replication.join(options.group, this, start);
    this.#count = options.store.read((view) => readStatistics(view, options.keyspace)).count;
    for (const entry of options.replayed) {
      if (entry.index > applied.index) entry.applied = this.#showCommitted(entry);
    }
  }

  /** Documents of the shard, with those that are committed and wait for the store. */
  get count(): number {
    return this.#count;
  }

  /**
   * Another one whenever proposals were withdrawn: indexes of theirs are given out again. No two leaders of a group
   * share one, since each has a term of its own.
   */
  get generation(): number {
    return this.#term * withdrawalsMax + this.#withdrawals + 1;
  }

  /** Of the newest entry here; of its own leadership while this node leads. */
  get term(): number {
    return this.#term;
  }

  /** Requests that may be repeated, as of what is committed here. */
  get sessions(): SessionTable {
    return this.#sessions;
  }

  /** The index that the next command gets. */
  get nextIndex(): number {
    return this.#replicated.nextIndex;
  }

  get writes(): number {
    return this.#writes;
  }

  /** Whether readers must wait for `softEnded`. */
  get hasSoft(): boolean {
    return this.#proposals.hasSoft;
  }

  /** Resolves when each write that was acknowledged softly before the call is committed or was refused. */
  softEnded(): Promise<void> {
    return this.#proposals.softEnded();
  }

  acknowledgeSoftly(proposal: Proposal): void {
    this.#proposals.acknowledgeSoftly(proposal);
  }

  /**
   * Resolves when every write so far is on the medium; rejects when the log refused one that was acknowledged
   * softly since the last call.
   */
  sync(): Promise<void> {
    return this.#proposals.sync();
  }

  /** Whether commands are refused for now; `room` waits until it does not. */
  get isFull(): boolean {
    return this.#replicated.isFull;
  }

  room(signal: AbortSignal): Promise<void> {
    return this.#replicated.room(signal);
  }

  /** Why this node neither evaluates nor proposes, if it does not. */
  get refusal(): NotLeaderError | undefined {
    return this.#hasLeft ? new NotLeaderError(undefined) : this.#replicated.refusal;
  }

  /** The store has another state, which no entry here has led to. */
  restored(): void {
    const { store, group, keyspace } = this.#options;
    const applied = store.read((view) => readAppliedPosition(view, group));
    this.#term = applied.term;
    this.#last = applied.index;
    this.#count = store.read((view) => readStatistics(view, keyspace)).count;
    this.#sessions = new SessionTable(store.read((view) => readSessions(view, group)));
  }

  /** This node has no replica any more: what was proposed may be committed by others. */
  leave(): void {
    this.#hasLeft = true;
    this.withdrawn(0, new OutcomeUnknownError());
  }

  /** The group, for whoever changes its members. */
  get replicas(): ReplicatedGroup {
    return this.#replicated;
  }

  /**
   * Resolves when what is committed here now has every write that was acknowledged before the call; undefined when it
   * has. Rejects with `NotLeaderError`. `isConfirmed`: by most of the replicas, after the call.
   */
  readable(isConfirmed = false): Promise<void> | undefined {
    if (this.#hasLeft) return Promise.reject(new NotLeaderError(undefined));
    const known = this.#replicated.readable(isConfirmed);
    if (!this.hasSoft) return known;
    return known === undefined ? this.softEnded() : known.then(() => this.softEnded());
  }

  /** The outstanding proposal of an index. */
  at(index: number): Proposal | undefined {
    return this.#proposals.at(index);
  }

  /** A proposal to stage into, and to propose before anything else happens. */
  begin(): Proposal {
    return new Proposal(this.#replicated.nextIndex);
  }

  /** Committed by another leader or before a restart, and not in the store. Returns what to call when it is there. */
  #showCommitted({ index, command }: Pick<ReplayedEntry, 'index' | 'command'>): () => void {
    const staged = new Proposal(index);
    for (const { key, expectedVersion, body } of command.operations) {
      const bytes = entryBytes(key, body);
      const entry = new LoggedEntry(key, { index, body, bytes });
      staged.entries.push({ name: nameOfBytes(key), entry });
      staged.bytes += bytes;
      // A command holds what was evaluated on the newest document: its expectations hold.
      if (expectedVersion === 0) staged.delta += 1;
      if (body === undefined) staged.delta -= 1;
    }
    this.#options.budget.take(staged.bytes);
    this.#unapplied(staged);
    this.#show(staged);
    return () => this.#forget(staged);
  }

  /** Proposes an entry at which the replicas are compared; undefined when nothing is proposed now. */
  proposeComparison(): number | undefined {
    if (this.refusal !== undefined || this.isFull) return undefined;
    const staged = this.begin();
    this.propose(staged);
    return staged.failure === undefined ? staged.index : undefined;
  }

  /** The newest entry that was handed over. */
  get handedOver(): number {
    return this.#last;
  }

  told(from: string, note: Uint8Array): void {
    this.#options.care()?.told(from, note);
  }

  /** Whether the rows here are known to be wrong. */
  get isUnfit(): boolean {
    return this.#options.care()?.isUnfit === true;
  }

  /** How it ends, the proposal tells. */
  propose(staged: Proposal): void {
    const { index, operations } = staged;
    const { keyspace, budget } = this.#options;
    const position = this.#replicated.propose(
      encodeCommand({
        keyspace,
        version: index,
        operations,
        session: staged.session,
      }),
    );
    if (position instanceof Error) {
      // Its index may be that of another proposal by now, which is not the one that is refused.
      this.#buildOnTheRest();
      staged.end(position);
      return;
    }
    assert(position.index === index, 'what is staged is proposed before anything else happens');
    staged.term = position.term;
    budget.take(staged.bytes);
    this.#unapplied(staged);
    this.#writes += operations.length;
    this.#proposals.add(staged);
  }

  committed(upTo: number): void {
    const { keyspace } = this.#options;
    this.#last = Math.max(this.#last, upTo);
    for (const proposal of this.#proposals.committed(upTo)) {
      this.#show(proposal);
      const { index, term, operations } = proposal;
      const command = {
        keyspace,
        version: index,
        operations,
        session: proposal.session,
      };
      const applied = (): void => this.#forget(proposal);
      this.#apply({ index, term, command, origin: 'written', applied });
    }
  }

  /** Of another leader, or of consensus: readers see it from now on, as on the node that proposed it. */
  replicated(entry: CommittedEntry): void {
    const { group, keyspace, applier, damagedGroups } = this.#options;
    const { index, term, kind } = entry;
    if (term !== this.#term) this.#withdrawals = 0;
    this.#term = term;
    this.#last = index;
    if (this.at(index)?.term === term) {
      this.committed(index);
      return;
    }
    const record = { group, index, term, kind, payload: entry.payload };
    if (isOfConsensus(kind)) {
      applier.push(passed(record));
      return;
    }
    const command = damagedGroups.of(group) === undefined ? commandOf(record, keyspace) : undefined;
    if (command === undefined || command instanceof EntryNotApplicableError) {
      if (command !== undefined) this.#options.notApplicable(command);
      applier.push({
        ...record,
        type: 'quarantined',
        payload: copyBytes(entry.payload),
      });
      return;
    }
    const applied = this.#showCommitted({ index, command });
    this.#apply({ index, term, command, origin: 'replicated', applied });
  }

  #apply({ index, term, command, origin, applied }: AppliedCommand): void {
    const { group, applier } = this.#options;
    const session = this.#sessionChange(index, command);
    const care = isComparison(command) ? this.#options.care() : undefined;
    const compared =
      care === undefined
        ? undefined
        : (sums: readonly KeyspaceSum[]): void => care.reached(index, sums);
    applier.push({
      type: 'table',
      group,
      index,
      term,
      command,
      origin,
      session,
      applied,
      compared,
    });
  }

  #sessionChange(index: number, { session }: Command): SessionChange | undefined {
    return session === undefined ? undefined : this.#sessions.record(index, session);
  }

  /** Asked before the next `replicated`: a follower whose memtable is full takes it later. */
  roomForNext(): Promise<void> | undefined {
    const { budget } = this.#options;
    const hold = this.#options.care()?.hold;
    if (hold !== undefined) return hold;
    return budget.isUsedUp ? budget.room(this.#options.signal) : undefined;
  }

  led(): void {
    // Evaluation waits for `refusal` to end.
  }

  /** Nothing may be built on these any more. */
  withdrawn(from: number, reason: Error): void {
    const withdrawn = this.#proposals.withdraw(from, reason);
    if (withdrawn.length === 0) return;
    for (const proposal of withdrawn) {
      this.#options.budget.give(proposal.bytes);
      this.#ended(proposal);
      this.#writes -= proposal.operations.length;
    }
    this.#buildOnTheRest();
  }

  /** Writers build on what is still proposed. */
  #buildOnTheRest(): void {
    this.#withdrawals += 1;
    this.#options.memtable.proposeOnly(this.#proposals.entries());
  }

  failed(error: Error): void {
    this.#proposals.failed(error);
  }

  /** Readers see it from now on. */
  #show(staged: Proposal): void {
    for (const { name, entry } of staged.entries) this.#options.memtable.commit(name, entry);
    this.#count += staged.delta;
  }

  /** Before anybody learns of it: whoever reads the store directly must not miss it. */
  #unapplied({ entries }: Proposal): void {
    const { unapplied } = this.#options;
    if (unapplied !== undefined) for (const { entry } of entries) unapplied.add(entry.key);
  }

  /** The store has it, or never will. */
  #ended({ entries }: Proposal): void {
    const { unapplied } = this.#options;
    if (unapplied !== undefined) for (const { entry } of entries) unapplied.remove(entry.key);
  }

  /** The store has it. */
  #forget(staged: Proposal): void {
    for (const { name, entry } of staged.entries) this.#applied(name, entry);
    this.#ended(staged);
    this.#options.budget.give(staged.bytes);
  }

  /** The store has an entry: in one moment it leaves the memtable and is what the cache may have. */
  #applied(name: string, entry: MemtableEntry): void {
    const { index } = entry;
    const text = entry.isUnchecked === true ? undefined : entry.text;
    const now = text === undefined ? undefined : { version: index, text };
    this.#options.cache.replaced(name, now);
    this.#options.memtable.applied(name, entry);
  }
}
