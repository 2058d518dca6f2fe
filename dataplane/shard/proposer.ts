import { readApplied } from '../apply/applied-position.ts';
import type { Applier } from '../apply/applier.ts';
import type { ReplayedEntry } from '../apply/replayed.ts';
import { assert } from '../common/assert.ts';
import { decodeUtf8, nameOfBytes } from '../common/bytes.ts';
import type { ApplyStore } from '../kv/store.ts';
import { isOfConsensus, onlyTerm } from '../replication/entry-kind.ts';
import type {
  CommittedEntry,
  GroupMachine,
  ReplicatedGroup,
  Replication,
} from '../replication/replicated-group.ts';
import { encodeCommand } from '../table/command.ts';
import { readStatistics } from '../table/statistics.ts';
import type { GroupDocuments } from './document-cache.ts';
import { entryBytes } from './evaluation.ts';
import type { MemtableBudget } from './memtable-budget.ts';
import type { Memtable, MemtableEntry } from './memtable.ts';
import { Proposal, Proposals } from './proposal.ts';

export interface ProposerOptions {
  readonly group: number;
  /** Of the rows. */
  readonly keyspace: number;
  readonly store: ApplyStore;
  readonly replication: Replication;
  readonly applier: Applier;
  readonly budget: MemtableBudget;
  readonly memtable: Memtable;
  /** Documents that were read by their key. */
  readonly cache: GroupDocuments;
  /** What the log had when it was opened, and the store may have by now. */
  readonly replayed: Iterable<ReplayedEntry>;
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
  /** Documents that were written since the start. */
  #writes = 0;
  #generation = 1;

  constructor(options: ProposerOptions) {
    this.#options = options;
    this.#proposals = new Proposals((refusal) => options.softRefused(refusal));
    const applied = options.store.read((view) => readApplied(view, options.group));
    const start = { applied: { index: applied, term: onlyTerm } };
    this.#replicated = options.replication.join(options.group, this, start);
    this.#count = options.store.read((view) => readStatistics(view, options.keyspace)).count;
    for (const entry of options.replayed) if (entry.index > applied) this.#takeReplayed(entry);
  }

  /** Documents of the shard, with those that are committed and wait for the store. */
  get count(): number {
    return this.#count;
  }

  /** Another one whenever proposals were withdrawn: indexes of theirs are given out again. */
  get generation(): number {
    return this.#generation;
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

  /** The outstanding proposal of an index. */
  at(index: number): Proposal | undefined {
    return this.#proposals.at(index);
  }

  /** A proposal to stage into, and to propose before anything else happens. */
  begin(): Proposal {
    return new Proposal(this.#replicated.nextIndex);
  }

  /** Committed before a restart, and not in the store: as if it had been committed now. */
  #takeReplayed(replayed: ReplayedEntry): void {
    const { index, command } = replayed;
    const staged = new Proposal(index);
    for (const { key, expectedVersion, body } of command.operations) {
      const text = body === undefined ? undefined : decodeUtf8(body);
      const bytes = entryBytes(key, body);
      const entry = { key, index, text, bytes, isShown: false, isUnchecked: true };
      staged.entries.push({ name: nameOfBytes(key), entry });
      staged.bytes += bytes;
      // A command holds what was evaluated on the newest document: its expectations hold.
      if (expectedVersion === 0) staged.delta += 1;
      if (body === undefined) staged.delta -= 1;
    }
    this.#options.budget.take(staged.bytes);
    this.#show(staged);
    replayed.applied = () => this.#forget(staged);
  }

  /** How it ends, the proposal tells. */
  propose(staged: Proposal): void {
    const { index, operations } = staged;
    const { keyspace, budget } = this.#options;
    budget.take(staged.bytes);
    this.#writes += operations.length;
    this.#proposals.add(staged);
    const position = this.#replicated.propose(
      encodeCommand({ keyspace, version: index, operations }),
    );
    if (position instanceof Error) {
      this.withdrawn(index, position);
      return;
    }
    assert(position.index === index, 'what is staged is proposed before anything else happens');
    staged.term = position.term;
  }

  committed(upTo: number): void {
    const { group, keyspace, applier } = this.#options;
    for (const proposal of this.#proposals.committed(upTo)) {
      this.#show(proposal);
      const { index, term, operations } = proposal;
      const command = { keyspace, version: index, operations };
      const applied = (): void => this.#forget(proposal);
      applier.push({ type: 'table', group, index, term, command, origin: 'written', applied });
    }
  }

  /** A shard without other replicas proposes every command itself. */
  replicated({ kind, index }: CommittedEntry): void {
    assert(isOfConsensus(kind), `entry ${index} is of another leader`);
  }

  led(): void {
    // Evaluation waits for `refusal` to end.
  }

  /** Nothing may be built on these any more. */
  withdrawn(from: number, reason: Error): void {
    const withdrawn = this.#proposals.withdraw(from, reason);
    if (withdrawn.length === 0) return;
    this.#generation += 1;
    for (const { bytes, operations } of withdrawn) {
      this.#options.budget.give(bytes);
      this.#writes -= operations.length;
    }
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

  /** The store has it. */
  #forget(staged: Proposal): void {
    for (const { name, entry } of staged.entries) this.#applied(name, entry);
    this.#options.budget.give(staged.bytes);
  }

  /** The store has an entry: in one moment it leaves the memtable and is what the cache may have. */
  #applied(name: string, entry: MemtableEntry): void {
    const { index, text, isUnchecked } = entry;
    const isKnown = text !== undefined && isUnchecked !== true;
    const now = isKnown ? { version: index, text } : undefined;
    this.#options.cache.replaced(name, now);
    this.#options.memtable.applied(name, entry);
  }
}
