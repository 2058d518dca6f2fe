import { readApplied } from '../apply/applier.ts';
import type { Applier } from '../apply/applier.ts';
import { entryOverheadBytes } from '../apply/replayed.ts';
import type { ReplayedEntry } from '../apply/replayed.ts';
import { assert } from '../common/assert.ts';
import { decodeUtf8, nameOfBytes, toHex } from '../common/bytes.ts';
import type { Datum } from '../datum/datum.ts';
import type { DocumentCodec } from '../datum/document-codec.ts';
import type { DamagedGroups } from '../integrity/damage.ts';
import { TableDamagedError } from '../integrity/errors.ts';
import type { ApplyStore } from '../kv/store.ts';
import { entryKind, onlyTerm } from '../replication/entry-kind.ts';
import { isRefusal } from '../replication/errors.ts';
import type { GroupLog } from '../replication/log.ts';
import type { AppliedIndex } from '../table/apply.ts';
import { anyVersion, encodeCommand } from '../table/command.ts';
import type { NewCommand } from '../table/command.ts';
import { decodeDocument, keyInKeyspace, keyspaceKey } from '../table/envelope.ts';
import type { StoredDocument } from '../table/envelope.ts';
import { StorageCorruptError } from '../table/errors.ts';
import { readStatistics } from '../table/statistics.ts';
import { Acknowledgement } from './acknowledgement.ts';
import type { Edit, EditOutcome } from './contract.ts';
import type { Row } from '../wire/table-access.ts';
import type { GroupDocuments } from './document-cache.ts';
import type { MemtableBudget } from './memtable-budget.ts';
import { Memtable } from './memtable.ts';
import type { MemtableEntry } from './memtable.ts';
import { Proposal, Proposals } from './proposal.ts';

/**
 * One shard of a table: a group of one member whose entries go log -> committed -> store. Guarded
 * invariants: writers of a key follow one another; nobody reads what is not committed; a write that
 * was acknowledged softly is committed before the next read of the group answers.
 */
export interface ShardReplicaOptions {
  readonly group: number;
  /** `database.table`, for sentences. */
  readonly name: string;
  /** The field of a document that holds its key. */
  readonly primaryKey: string;
  readonly store: ApplyStore;
  readonly log: GroupLog;
  readonly applier: Applier;
  readonly budget: MemtableBudget;
  /** Documents that were read by their key. */
  readonly cache: GroupDocuments;
  readonly codec: DocumentCodec;
  /** A command is closed when it holds so many bytes. */
  readonly commandBytesMax: number;
  /** Asked before anything of the group is read or written. */
  readonly damagedGroups: DamagedGroups;
  /** Indexes of the table now. */
  indexes(): readonly AppliedIndex[];
  /** What the log had when it was opened, and the store may have by now. */
  readonly replayed: Iterable<ReplayedEntry>;
  /** Documents of versions up to this one were never checked. */
  readonly unchecked: { readonly version: number };
  /** Why stored text is no document of its key, as the end of a sentence; undefined for one. */
  problemOf(text: string, key: Uint8Array): string | undefined;
  /** Hears of every damaged value that somebody read. */
  damaged(error: StorageCorruptError): void;
  /** Called with the first refusal of a soft write since the last `sync`. */
  softRefused(refusal: Error): void;
}

/** A command is closed when it holds so many bytes: bounds the records of the log. */
export const commandBytesMaxDefault = 1_048_576;

interface Current {
  readonly version: number;
  readonly text: string | undefined;
  /** There is a document, and nobody can read it. */
  readonly damage?: StorageCorruptError;
}

const noDocument: Current = { version: 0, text: undefined };

/** One `edit` call while its edits are evaluated. */
interface EditCall {
  readonly signal: AbortSignal;
  readonly acknowledgement: Acknowledgement;
  /** What is staged and not proposed; there is none while the call waits for anything. */
  staged: Proposal | undefined;
}

/** An edit, and the document that it was evaluated on. */
interface Evaluated {
  readonly edit: Edit;
  readonly name: string;
  readonly current: Current;
  readonly old: Datum;
  /** Of the document, while it is not committed. */
  readonly basis: Proposal | undefined;
}

/** What an edit came to, and the proposal that it stands for. */
type Result = readonly [outcome: EditOutcome, proposal: Proposal | undefined];

const entryBytes = (key: Uint8Array, body: Uint8Array | undefined): number =>
  key.byteLength * 2 + (body?.byteLength ?? 0) + entryOverheadBytes;

export class ShardReplica {
  readonly memtable = new Memtable();
  readonly options: ShardReplicaOptions;
  readonly counters = { reads: 0, writes: 0 };
  #nextIndex: number;
  #count: number;
  readonly #proposals: Proposals;
  readonly #latches = new Map<string, Promise<Result>>();

  constructor(options: ShardReplicaOptions) {
    this.options = options;
    this.#proposals = new Proposals((refusal) => options.softRefused(refusal));
    const applied = options.store.read((view) => readApplied(view, options.group));
    this.#nextIndex =
      Math.max(options.log.recovery.lastIndex(options.group)?.index ?? 0, applied) + 1;
    this.#count = options.store.read((view) => readStatistics(view, options.group)).count;
    for (const entry of options.replayed) if (entry.index > applied) this.#takeReplayed(entry);
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
    this.options.budget.take(staged.bytes);
    this.#show(staged);
    replayed.applied = () => this.#forget(staged);
  }

  get count(): number {
    return this.#count;
  }

  /** Throws when the table is damaged. */
  requireIntact(): void {
    const { damagedGroups, group, name } = this.options;
    if (damagedGroups.size === 0) return;
    const damage = damagedGroups.of(group);
    if (damage !== undefined) throw new TableDamagedError(name, damage);
  }

  /** Waits until every write acknowledged so far can be read. */
  async readable(): Promise<void> {
    this.requireIntact();
    if (this.#proposals.hasSoft) await this.#proposals.softEnded();
  }

  /**
   * Resolves when every write so far is on the medium; rejects when the log refused one that was acknowledged
   * softly since the last call.
   */
  sync(): Promise<void> {
    return this.#proposals.sync();
  }

  /** At once, unless soft writes wait for the log: most reads need no promise. */
  get(key: Uint8Array): Row | undefined | Promise<Row | undefined> {
    this.requireIntact();
    if (!this.#proposals.hasSoft) return this.#getNow(key);
    return this.#proposals.softEnded().then(() => this.#getNow(key));
  }

  #getNow(key: Uint8Array): Row | undefined {
    this.counters.reads += 1;
    const name = nameOfBytes(key);
    const { text } = this.read(key, name, this.memtable.committed(name));
    return text === undefined ? undefined : { key, text };
  }

  /** The document of a key: `entry` of the memtable when there is one, else what the store has. */
  read(key: Uint8Array, name: string, entry: MemtableEntry | undefined): Current {
    if (entry !== undefined) {
      const text = this.textOfEntry(entry);
      return { version: text === undefined ? 0 : entry.index, text };
    }
    return this.options.cache.get(name) ?? this.#readStore(key, name) ?? noDocument;
  }

  #readStore(key: Uint8Array, name: string): StoredDocument | undefined {
    const { group, cache, store } = this.options;
    const storedKey = keyspaceKey(group, key);
    return store.read((view) => {
      const value = view.peek('data', storedKey);
      if (value === undefined) return undefined;
      const document = this.#decode(storedKey, value);
      cache.keep(name, document);
      return document;
    });
  }

  /** The document of a stored value. */
  textOf(storedKey: Uint8Array, value: Uint8Array): string {
    return this.#decode(storedKey, value).text;
  }

  /** The document that waits for the store. */
  textOfEntry({ key, text, isUnchecked }: MemtableEntry): string | undefined {
    if (isUnchecked === true && text !== undefined) this.#requireDocument(text, key);
    return text;
  }

  /** A damaged value is reported and never answered. */
  #decode(storedKey: Uint8Array, value: Uint8Array): StoredDocument {
    let document: StoredDocument;
    try {
      document = decodeDocument(storedKey, value);
    } catch (error) {
      throw error instanceof StorageCorruptError ? this.#met(error) : error;
    }
    if (document.version <= this.options.unchecked.version) {
      this.#requireDocument(document.text, keyInKeyspace(storedKey));
    }
    return document;
  }

  #requireDocument(text: string, key: Uint8Array): void {
    const problem = this.options.problemOf(text, key);
    if (problem === undefined) return;
    const place = { keyspace: this.options.group, keyHex: toHex(key) };
    throw this.#met(
      new StorageCorruptError(place, `its text is no document (${problem.replace(/[.]$/, '')})`),
    );
  }

  #met(error: StorageCorruptError): StorageCorruptError {
    const named = error.inTable(this.options.name);
    this.options.damaged(named);
    return named;
  }

  /**
   * Evaluates and commits edits, in order. Soft: resolves when they are proposed. An edit that the log refused
   * has the refusal as its outcome; rejects with it when none was taken.
   */
  async edit(
    edits: readonly Edit[],
    durability: 'hard' | 'soft',
    signal: AbortSignal,
  ): Promise<EditOutcome[]> {
    this.requireIntact();
    signal.throwIfAborted();
    const acknowledgement = new Acknowledgement();
    await this.#evaluateAll(edits, { signal, acknowledgement, staged: undefined });
    return durability === 'hard' ? acknowledgement.hard() : acknowledgement.soft(this.#proposals);
  }

  async #evaluateAll(edits: readonly Edit[], call: EditCall): Promise<void> {
    const { signal, acknowledgement } = call;
    for (const edit of edits) {
      try {
        const name = nameOfBytes(edit.key);
        // Asked in the same turn in which the edit is staged: others may have taken the room meanwhile.
        while (this.#isCrowded || this.#latches.has(name)) {
          this.#flush(call);
          await this.#latches.get(name);
          await this.#room(signal);
        }
        const result = this.#evaluate(edit, name, call);
        if (result instanceof Promise) {
          this.#flush(call);
          acknowledgement.add(...(await result));
          signal.throwIfAborted();
          this.requireIntact();
        } else acknowledgement.add(...result);
        if ((call.staged?.bytes ?? 0) >= this.options.commandBytesMax) this.#flush(call);
      } catch (error) {
        // There is no room for the rest of them; those before are on their way.
        if (!isRefusal(error)) throw error;
        acknowledgement.refuse(edits.length - acknowledgement.length, error);
        return;
      }
    }
    this.#flush(call);
  }

  #flush(call: EditCall): void {
    const { staged } = call;
    call.staged = undefined;
    if (staged !== undefined) this.#propose(staged);
  }

  get #isCrowded(): boolean {
    return this.options.budget.isUsedUp || this.options.log.full;
  }

  /**
   * Nothing is staged before the memtable and the log have room: an entry that the log refused would
   * leave a gap behind it. Nor is anything for a table that was found damaged meanwhile.
   */
  async #room(signal: AbortSignal): Promise<void> {
    const { budget, log } = this.options;
    await budget.room(signal);
    if (log.full) await log.room(signal);
    this.requireIntact();
  }

  /** Evaluates one edit on the newest document of its key, and stages what comes of it. */
  #evaluate(edit: Edit, name: string, call: EditCall): Result | Promise<Result> {
    let old: Datum = null;
    let basis: Proposal | undefined;
    try {
      const entry = this.memtable.newest(name);
      if (entry !== undefined) basis = this.#proposalOf(entry, call);
      const current = this.#currentOf(edit, name, entry);
      if (current.text !== undefined) old = this.options.codec.parse(current.text);
      const next = edit.evaluate(old);
      const evaluated = { edit, name, current, old, basis };
      if (next instanceof Promise) return this.#evaluateLatched(evaluated, next, call.signal);
      return this.#stage(evaluated, next, call);
    } catch (error) {
      return [{ old, new: old, error: error as Error }, basis];
    }
  }

  /** What an edit is evaluated on; a document that cannot be read only for one that replaces it. */
  #currentOf(edit: Edit, name: string, entry: MemtableEntry | undefined): Current {
    try {
      return this.read(edit.key, name, entry);
    } catch (error) {
      if (!(error instanceof StorageCorruptError) || edit.replacesDamage !== true) throw error;
      return { version: anyVersion, text: undefined, damage: error };
    }
  }

  /** Who proposed an entry, while it is not committed. */
  #proposalOf({ index }: MemtableEntry, { staged }: EditCall): Proposal | undefined {
    return index === staged?.index ? staged : this.#proposals.at(index);
  }

  /** An edit whose function must wait: other writers of the key wait until it is proposed. */
  #evaluateLatched(
    evaluated: Evaluated,
    pending: Promise<Datum>,
    signal: AbortSignal,
  ): Promise<Result> {
    const { name, old, basis } = evaluated;
    const stage = async (): Promise<Result> => {
      try {
        const next = await pending;
        do await this.#room(signal);
        while (this.#isCrowded);
        // The document that it was evaluated on never came to be.
        if (basis?.failure !== undefined) throw basis.failure;
        const call = { signal, acknowledgement: new Acknowledgement(), staged: undefined };
        const result = this.#stage(evaluated, next, call);
        this.#flush(call);
        return result;
      } catch (error) {
        return [
          { old, new: old, error: error as Error },
          basis?.failure === error ? undefined : basis,
        ];
      } finally {
        this.#latches.delete(name);
      }
    };
    const result = stage();
    this.#latches.set(name, result);
    return result;
  }

  #stage(evaluated: Evaluated, next: Datum, call: EditCall): Result {
    const { edit, name, current, old, basis } = evaluated;
    const { damage } = current;
    if (next === old && damage === undefined) return [{ old, new: next }, basis];
    const { codec, primaryKey } = this.options;
    const place = { key: edit.key, primaryKey, old };
    const document = next === null ? undefined : codec.validate(next, place);
    const text = document?.text;
    if (text === current.text && damage === undefined) return [{ old, new: old }, basis];
    const body = document?.bytes;
    const bytes = entryBytes(edit.key, body);
    call.staged ??= new Proposal(this.#nextIndex);
    const { staged } = call;
    const entry = { key: edit.key, index: staged.index, text, bytes, isShown: false };
    staged.operations.push({ key: edit.key, expectedVersion: current.version, body });
    staged.entries.push({ name, entry });
    staged.bytes += bytes;
    if (current.text === undefined && damage === undefined) staged.delta += 1;
    if (text === undefined) staged.delta -= 1;
    this.memtable.propose(name, entry);
    const outcome = { old, new: next, ...(damage === undefined ? {} : { damage }) };
    return [outcome, staged];
  }

  /** Appends what was staged as one entry of the group's log. How that ends, the proposal tells. */
  #propose(staged: Proposal): void {
    const { index, operations } = staged;
    assert(index === this.#nextIndex, 'what is staged is proposed before anything else happens');
    this.#nextIndex += 1;
    const { group, log, budget } = this.options;
    const command = { keyspace: group, version: index, operations };
    budget.take(staged.bytes);
    this.counters.writes += operations.length;
    const payload = encodeCommand(command);
    this.#proposals.add(staged);
    const record = { group, term: onlyTerm, index, kind: entryKind.command, payload };
    staged.proposed(
      log.append([record]).then(
        () => this.#commit(command, staged),
        (error: Error) => this.#fail(staged, error),
      ),
    );
  }

  #fail(proposal: Proposal, error: Error): void {
    proposal.fail(error);
    if (isRefusal(error)) this.#withdraw(proposal, error);
    // The log says so itself, and ends the node.
    else this.#proposals.failed(error);
  }

  /** The log refused an entry, and refuses all behind it: nothing may be built on them any more. */
  #withdraw(from: Proposal, refusal: Error): void {
    const withdrawn = this.#proposals.withdraw(from, refusal);
    if (withdrawn.length === 0) return;
    this.#nextIndex = from.index;
    for (const { bytes, operations } of withdrawn) {
      this.options.budget.give(bytes);
      this.counters.writes -= operations.length;
    }
    this.memtable.proposeOnly(this.#proposals.entries());
  }

  #commit(command: NewCommand, proposal: Proposal): void {
    this.#proposals.committed(proposal);
    this.#show(proposal);
    const { index } = proposal;
    const { group, applier } = this.options;
    const applied = (): void => this.#forget(proposal);
    applier.push({ type: 'table', group, index, command, origin: 'written', applied });
  }

  /** Readers see it from now on. */
  #show(staged: Proposal): void {
    for (const { name, entry } of staged.entries) this.memtable.commit(name, entry);
    this.#count += staged.delta;
  }

  /** The store has it. */
  #forget(staged: Proposal): void {
    for (const { name, entry } of staged.entries) this.#applied(name, entry);
    this.options.budget.give(staged.bytes);
  }

  /** The store has an entry: in one moment it leaves the memtable and is what the cache may have. */
  #applied(name: string, entry: MemtableEntry): void {
    const { index, text, isUnchecked } = entry;
    const isKnown = text !== undefined && isUnchecked !== true;
    const now = isKnown ? { version: index, text } : undefined;
    this.options.cache.replaced(name, now);
    this.memtable.applied(name, entry);
  }
}
