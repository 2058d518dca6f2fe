import { assert } from '../common/assert.ts';
import { decodeUtf8, nameOfBytes, toHex } from '../common/bytes.ts';
import type { Datum } from '../datum/datum.ts';
import type { AppliedIndex } from '../table/apply.ts';
import { anyVersion, encodeCommand } from '../table/command.ts';
import type { NewCommand, NewOperation } from '../table/command.ts';
import { decodeDocument, keyInKeyspace, keyspaceKey } from '../table/envelope.ts';
import type { StoredDocument } from '../table/envelope.ts';
import { StorageCorruptError } from '../table/errors.ts';
import { readStatistics } from '../table/statistics.ts';
import { readApplied } from './applier.ts';
import type { Applier } from './applier.ts';
import type { ApplyStore, DocumentCodec, Edit, EditOutcome, GroupLog, Row } from './contract.ts';
import type { DamagedGroups } from './damage.ts';
import type { GroupDocuments } from './document-cache.ts';
import { entryKind, onlyTerm } from './entry-kind.ts';
import { isRefusal, TableDamagedError } from './errors.ts';
import { Overlay } from './overlay.ts';
import type { OverlayEntry } from './overlay.ts';
import type { OverlayBudget } from './overlay-budget.ts';
import type { ReplayedEntry } from './replayed.ts';

/**
 * One shard of a table: a group of one member whose entries go log -> committed -> store. Guarded
 * invariants: writers of a key follow one another; nobody reads what is not committed; a write that
 * was acknowledged softly is committed before the next read of the group answers.
 */
export interface TableGroupOptions {
  readonly group: number;
  /** `database.table`, for sentences. */
  readonly name: string;
  /** The field of a document that holds its key. */
  readonly primaryKey: string;
  readonly store: ApplyStore;
  readonly log: GroupLog;
  readonly applier: Applier;
  readonly budget: OverlayBudget;
  /** Documents that were read by their key. */
  readonly cache: GroupDocuments;
  readonly codec: DocumentCodec;
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
}

/** A command is closed when it holds so much: bounds the records of the log. */
const commandBytesMax = 1_048_576;
export const entryOverheadBytes = 200;

interface Current {
  readonly version: number;
  readonly text: string | undefined;
  /** There is a document, and nobody can read it. */
  readonly damage?: StorageCorruptError;
}

const noDocument: Current = { version: 0, text: undefined };

/** What an `edit` call has staged and not proposed: one command to be. */
interface Staged {
  readonly operations: NewOperation[];
  readonly entries: { readonly name: string; readonly entry: OverlayEntry }[];
  bytes: number;
  /** How the number of documents changes. */
  delta: number;
}

const entryBytes = (key: Uint8Array, body: Uint8Array | undefined): number =>
  key.byteLength * 2 + (body?.byteLength ?? 0) + entryOverheadBytes;

const nothingStaged = (): Staged => ({ operations: [], entries: [], bytes: 0, delta: 0 });

export class TableGroup {
  readonly overlay = new Overlay();
  readonly options: TableGroupOptions;
  readonly counters = { reads: 0, writes: 0 };
  #nextIndex: number;
  #count: number;
  #lastProposal: Promise<void> = Promise.resolve();
  #softPending = 0;
  /** By index, what the log was asked to take and has not answered. */
  readonly #outstanding = new Map<number, Staged>();
  /** How often proposals were withdrawn, and why the last time. */
  readonly #withdrawn: { times: number; reason?: Error } = { times: 0 };
  readonly #latches = new Map<string, Promise<void>>();

  constructor(options: TableGroupOptions) {
    this.options = options;
    const applied = options.store.read((view) => readApplied(view, options.group));
    this.#nextIndex =
      Math.max(options.log.recovery.lastIndex(options.group)?.index ?? 0, applied) + 1;
    this.#count = options.store.read((view) => readStatistics(view, options.group)).count;
    for (const entry of options.replayed) if (entry.index > applied) this.#takeReplayed(entry);
  }

  /** Committed before a restart, and not in the store: as if it had been committed now. */
  #takeReplayed(replayed: ReplayedEntry): void {
    const { index, command } = replayed;
    const staged = nothingStaged();
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
    if (this.#softPending > 0) await this.#answered();
  }

  /** What was refused for want of room is not there, which a reader may see. */
  async #answered(): Promise<void> {
    try {
      await this.#lastProposal;
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }

  /** Resolves when every write so far is on the medium; rejects when the last ones were refused. */
  async sync(): Promise<void> {
    await this.#lastProposal;
  }

  /** At once, unless soft writes wait for the log: most reads need no promise. */
  get(key: Uint8Array): Row | undefined | Promise<Row | undefined> {
    this.requireIntact();
    if (this.#softPending === 0) return this.#getNow(key);
    return this.#answered().then(() => this.#getNow(key));
  }

  #getNow(key: Uint8Array): Row | undefined {
    this.counters.reads += 1;
    const name = nameOfBytes(key);
    const { text } = this.read(key, name, this.overlay.committed(name));
    return text === undefined ? undefined : { key, text };
  }

  /** The document of a key: `entry` of the overlay when there is one, else what the store has. */
  read(key: Uint8Array, name: string, entry: OverlayEntry | undefined): Current {
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
  textOfEntry({ key, text, isUnchecked }: OverlayEntry): string | undefined {
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

  /** Evaluates and commits edits, in order. Soft: resolves when they are proposed. */
  async edit(
    edits: readonly Edit[],
    durability: 'hard' | 'soft',
    signal: AbortSignal,
  ): Promise<EditOutcome[]> {
    this.requireIntact();
    if (this.#isCrowded || signal.aborted) await this.#room(signal);
    const outcomes: EditOutcome[] = [];
    let staged = nothingStaged();
    let last: Promise<void> | undefined;
    const flush = (): void => {
      if (staged.operations.length > 0) last = this.#propose(staged);
      staged = nothingStaged();
    };
    for (const edit of edits) {
      const name = nameOfBytes(edit.key);
      while (this.#latches.has(name)) {
        flush();
        await this.#latches.get(name);
        await this.#room(signal);
      }
      const started = this.#evaluate(edit, { name, signal }, staged);
      if (started instanceof Promise) {
        flush();
        outcomes.push(await started);
        await this.#room(signal);
      } else {
        outcomes.push(started);
      }
      if (staged.bytes >= commandBytesMax) {
        flush();
        await this.#room(signal);
      }
    }
    flush();
    if (durability === 'hard') await last;
    else if (last !== undefined) this.#acknowledgeSoftly(last);
    return outcomes;
  }

  get #isCrowded(): boolean {
    return this.options.budget.isUsedUp || this.options.log.full;
  }

  /**
   * Nothing is staged before the overlay and the log have room: an entry that the log refused would
   * leave a gap behind it. Nor is anything for a table that was found damaged meanwhile.
   */
  async #room(signal: AbortSignal): Promise<void> {
    const { budget, log } = this.options;
    do {
      await budget.room(signal);
      if (log.full) await log.room(signal);
    } while (log.full);
    this.requireIntact();
  }

  #acknowledgeSoftly(proposal: Promise<void>): void {
    this.#softPending += 1;
    const settled = (): void => {
      this.#softPending -= 1;
    };
    // A failed log stops the node by itself; nobody waits for this promise any more.
    proposal.then(settled, settled);
  }

  /** Evaluates one edit on the newest document of its key, and stages what comes of it. */
  #evaluate(
    edit: Edit,
    { name, signal }: { readonly name: string; readonly signal: AbortSignal },
    staged: Staged,
  ): EditOutcome | Promise<EditOutcome> {
    let old: Datum = null;
    try {
      const current = this.#currentOf(edit, name);
      if (current.text !== undefined) old = this.options.codec.parse(current.text);
      const next = edit.evaluate(old);
      if (!(next instanceof Promise))
        return this.#stage(edit, { name, current, old, next }, staged);
      return this.#evaluateLatched(edit, { name, signal }, { current, old, next });
    } catch (error) {
      return { old, new: old, error: error as Error };
    }
  }

  /** What an edit is evaluated on; a document that cannot be read only for one that replaces it. */
  #currentOf(edit: Edit, name: string): Current {
    try {
      return this.read(edit.key, name, this.overlay.newest(name));
    } catch (error) {
      if (!(error instanceof StorageCorruptError) || edit.replacesDamage !== true) throw error;
      return { version: anyVersion, text: undefined, damage: error };
    }
  }

  /** An edit whose function must wait: other writers of the key wait for it. */
  #evaluateLatched(
    edit: Edit,
    { name, signal }: { readonly name: string; readonly signal: AbortSignal },
    pending: { readonly current: Current; readonly old: Datum; readonly next: Promise<Datum> },
  ): Promise<EditOutcome> {
    const { current, old } = pending;
    const { times } = this.#withdrawn;
    const outcome = pending.next
      .then(async (next) => {
        await this.#room(signal);
        // The document that it was evaluated on may never have come to be.
        const { times: timesNow, reason } = this.#withdrawn;
        if (reason !== undefined && timesNow > times) throw reason;
        const staged = nothingStaged();
        const result = this.#stage(edit, { name, current, old, next }, staged);
        if (staged.operations.length > 0) await this.#propose(staged);
        return result;
      })
      .catch((error: unknown): EditOutcome => ({ old, new: old, error: error as Error }));
    const latch = outcome.then(() => {
      this.#latches.delete(name);
    });
    this.#latches.set(name, latch);
    return outcome;
  }

  #stage(
    edit: Edit,
    step: {
      readonly name: string;
      readonly current: Current;
      readonly old: Datum;
      readonly next: Datum;
    },
    staged: Staged,
  ): EditOutcome {
    const { name, current, old, next } = step;
    const { damage } = current;
    if (next === old && damage === undefined) return { old, new: next };
    const { codec, primaryKey } = this.options;
    const place = { key: edit.key, primaryKey, old };
    const document = next === null ? undefined : codec.validate(next, place);
    const text = document?.text;
    if (text === current.text && damage === undefined) return { old, new: old };
    const body = document?.bytes;
    const bytes = entryBytes(edit.key, body);
    const entry = { key: edit.key, index: this.#nextIndex, text, bytes, isShown: false };
    staged.operations.push({ key: edit.key, expectedVersion: current.version, body });
    staged.entries.push({ name, entry });
    staged.bytes += bytes;
    if (current.text === undefined && damage === undefined) staged.delta += 1;
    if (text === undefined) staged.delta -= 1;
    this.overlay.propose(name, entry);
    return { old, new: next, ...(damage === undefined ? {} : { damage }) };
  }

  /** Appends what was staged as one entry of the group's log; resolves when it is committed. */
  #propose(staged: Staged): Promise<void> {
    const index = this.#nextIndex;
    this.#nextIndex += 1;
    const { group, log, budget } = this.options;
    const command = { keyspace: group, version: index, operations: staged.operations };
    budget.take(staged.bytes);
    this.counters.writes += staged.operations.length;
    const payload = encodeCommand(command);
    this.#outstanding.set(index, staged);
    const committed = log
      .append([{ group, term: onlyTerm, index, kind: entryKind.command, payload }])
      .then(
        () => this.#commit(index, command, staged),
        (error: unknown) => {
          if (isRefusal(error)) this.#withdraw(index, error);
          throw error;
        },
      );
    this.#lastProposal = committed;
    // Whoever waits for it sees the failure; without anybody, the log's own `failed` stops the node.
    committed.catch(() => undefined);
    return committed;
  }

  /** The log refused an entry, and refuses all behind it: nothing may be built on them any more. */
  #withdraw(from: number, refusal: Error): void {
    if (!this.#outstanding.has(from)) return;
    this.#withdrawn.times += 1;
    this.#withdrawn.reason = refusal;
    this.#nextIndex = from;
    for (const [index, staged] of this.#outstanding) {
      if (index < from) continue;
      this.#outstanding.delete(index);
      this.options.budget.give(staged.bytes);
      this.counters.writes -= staged.operations.length;
    }
    const kept = [...this.#outstanding.values()].flatMap(({ entries }) => entries);
    this.overlay.proposeOnly(kept);
  }

  #commit(index: number, command: NewCommand, staged: Staged): void {
    const isOwn = staged.entries.every(({ entry }) => entry.index === index);
    assert(isOwn, 'an entry is committed by its own command');
    this.#outstanding.delete(index);
    this.#show(staged);
    const { group, applier } = this.options;
    const applied = (): void => this.#forget(staged);
    applier.push({ type: 'table', group, index, command, origin: 'written', applied });
  }

  /** Readers see it from now on. */
  #show(staged: Staged): void {
    for (const { name, entry } of staged.entries) this.overlay.commit(name, entry);
    this.#count += staged.delta;
  }

  /** The store has it. */
  #forget(staged: Staged): void {
    for (const { name, entry } of staged.entries) this.#applied(name, entry);
    this.options.budget.give(staged.bytes);
  }

  /** The store has an entry: in one moment it leaves the overlay and is what the cache may have. */
  #applied(name: string, entry: OverlayEntry): void {
    const { index, text, isUnchecked } = entry;
    const isKnown = text !== undefined && isUnchecked !== true;
    const now = isKnown ? { version: index, text } : undefined;
    this.options.cache.replaced(name, now);
    this.overlay.applied(name, entry);
  }
}
