import { nameOfBytes } from '../common/bytes.ts';
import { isRefusal, OutcomeUnknownError } from '../replication/errors.ts';
import { decideEdit, failedOutcome, outcomeOf } from '../wire/edit-decision.ts';
import type { Edit, EditBatch, EditEngine, EditOutcome, EditRun } from '../wire/table-edit.ts';
import { failureOf } from '../wire/table-failure.ts';
import { Acknowledgement } from './acknowledgement.ts';
import type { ShardDocuments } from './documents.ts';
import { currentOf, stage } from './evaluation.ts';
import type { Result } from './evaluation.ts';
import type { MemtableBudget } from './memtable-budget.ts';
import type { Memtable, MemtableEntry } from './memtable.ts';
import type { Proposal } from './proposal.ts';
import type { Proposer } from './proposer.ts';
import { Retries } from './retries.ts';
import { WriteGate } from './write-gate.ts';

/** What the writes of a shard need. */
export interface WritePathOptions {
  readonly documents: ShardDocuments;
  readonly memtable: Memtable;
  readonly edits: EditEngine;
  /** The field of a document that holds its key. */
  readonly primaryKey: string;
  readonly proposer: Proposer;
  readonly budget: MemtableBudget;
  /** A command is closed when it holds so many bytes. */
  readonly commandBytesMax: number;
  /** Throws when the shard is damaged. */
  requireIntact(): void;
}

/** A command is closed when it holds so many bytes: bounds the records of the log. */
export const commandBytesMaxDefault = 1_048_576;

/** One `edit` call while its edits are evaluated. */
interface EditCall {
  readonly batch: EditBatch;
  readonly run: EditRun;
  readonly signal: AbortSignal;
  readonly acknowledgement: Acknowledgement;
  /** What is staged and not proposed; there is none while the call waits for anything. */
  staged: Proposal | undefined;
  /** Outcomes that a command has, or an earlier attempt had. */
  kept: number;
  /** Of the leadership that it began in. */
  readonly term: number;
  /** Keys of edits that were returned to the query: those behind them are, too. */
  returned: Set<string> | undefined;
}

/** Edits of one shard that are proposed. An edit that the log refuses has the refusal as its outcome. */
export class ProposedEdits {
  readonly #acknowledgement: Acknowledgement;
  readonly #proposer: Proposer;
  readonly #gate: WriteGate;

  constructor(acknowledgement: Acknowledgement, proposer: Proposer, gate: WriteGate) {
    this.#acknowledgement = acknowledgement;
    this.#proposer = proposer;
    this.#gate = gate;
  }

  /** Waits until all of them are committed or refused; rejects with the refusal when none was taken. */
  hard(): Promise<EditOutcome[]> {
    return this.#acknowledgement.hard().then(
      (outcomes) => {
        this.#gate.leave();
        return outcomes;
      },
      (error: unknown) => {
        this.#gate.leave();
        throw error;
      },
    );
  }

  /** What is refused from now on, the next `sync` reports. Throws the refusal when none was taken. */
  soft(): EditOutcome[] {
    try {
      return this.#acknowledgement.soft(this.#proposer);
    } finally {
      this.#gate.leave();
    }
  }
}

/**
 * The writes of a shard: edits are evaluated on the newest document of their key, staged, and proposed. Guarded
 * invariant: writers of a key follow one another, and none of them waits for another while it is evaluated.
 */
export class WritePath {
  readonly #options: WritePathOptions;
  readonly gate = new WriteGate();
  readonly #retries: Retries;

  constructor(options: WritePathOptions) {
    this.#options = options;
    this.#retries = new Retries(() => options.proposer.sessions);
  }

  /**
   * Evaluates edits, in order, and proposes what they come to. Whoever calls acknowledges them then: until that
   * they count as under way.
   */
  propose(batch: EditBatch, signal: AbortSignal): ProposedEdits | Promise<ProposedEdits> {
    const { edits, primaryKey } = this.#options;
    const waits = this.gate.isOpen ? this.#retries.earlier(batch.session) : this.gate.opened();
    if (waits !== undefined) return waits.then(() => this.propose(batch, signal));
    this.#requireLeader();
    signal.throwIfAborted();
    const { term, nextIndex } = this.#options.proposer;
    const known = this.#retries.known(batch.session, batch.edits.length, nextIndex);
    const acknowledgement = new Acknowledgement(batch.documents);
    const run = edits.begin(batch, { primaryKey });
    const call: EditCall = {
      batch,
      run,
      signal,
      acknowledgement,
      term,
      kept: known.length,
      staged: undefined,
      returned: undefined,
    };
    this.gate.enter();
    const evaluated = this.#retries.begin(batch.session, () => acknowledgement.settled());
    const left = (error: unknown): never => {
      evaluated();
      this.gate.leave();
      throw error;
    };
    const proposed = (): ProposedEdits => {
      evaluated();
      return new ProposedEdits(acknowledgement, this.#options.proposer, this.gate);
    };
    try {
      this.#repeat(call, known);
      const at = this.#evaluateFrom(call, known.length);
      if (at === batch.edits.length) return proposed();
      return this.#evaluateCrowded(call, at).then(proposed, left);
    } catch (error) {
      return left(error);
    }
  }

  /** Answers what an earlier attempt has carried out. What the query must evaluate, it gets as it is now. */
  #repeat(call: EditCall, known: readonly EditOutcome[]): void {
    for (const [at, outcome] of known.entries()) {
      const edit = call.batch.edits[at] as Edit;
      const isReturned = outcome.result === 'returned';
      if (isReturned) (call.returned ??= new Set()).add(nameOfBytes(edit.key));
      call.acknowledgement.add(
        ...(isReturned ? this.#evaluate(edit, call) : ([outcome, undefined] as const)),
      );
    }
  }

  /** Until there is no room for the next edit: its position. */
  #evaluateFrom(call: EditCall, first: number): number {
    const { acknowledgement, batch } = call;
    for (let at = first; at < batch.edits.length; at += 1) {
      // Asked in the same turn in which the edit is staged: others may have taken the room meanwhile.
      if (this.#isCrowded) return at;
      acknowledgement.add(...this.#evaluate(batch.edits[at] as Edit, call));
      if ((call.staged?.bytes ?? 0) >= this.#options.commandBytesMax) this.#flush(call);
    }
    this.#flush(call);
    return batch.edits.length;
  }

  /** The rest of the edits, each when there is room for it. */
  async #evaluateCrowded(call: EditCall, first: number): Promise<void> {
    const { signal, acknowledgement, batch } = call;
    for (let at = first; at < batch.edits.length; at = this.#evaluateFrom(call, at)) {
      this.#flush(call);
      try {
        await this.#room(signal);
        this.#requireTerm(call);
      } catch (error) {
        // There is no room for the rest of them; those before are on their way.
        if (!isRefusal(error)) throw error;
        acknowledgement.refuse(batch.edits.length - acknowledgement.length, error);
        return;
      }
    }
  }

  #flush(call: EditCall): void {
    const { staged, acknowledgement } = call;
    const { session } = call.batch;
    call.staged = undefined;
    if (staged === undefined) return;
    if (session !== undefined) {
      staged.session = this.#retries.toKeep(session, call.kept, acknowledgement.from(call.kept));
      call.kept = acknowledgement.length;
    }
    this.#options.proposer.propose(staged);
  }

  get #isCrowded(): boolean {
    return this.#options.budget.isUsedUp || this.#options.proposer.isFull;
  }

  /**
   * Nothing is staged before the memtable and the log have room: an entry that the log refused would
   * leave a gap behind it. Nor is anything for a table that was found damaged meanwhile.
   */
  async #room(signal: AbortSignal): Promise<void> {
    const { budget, proposer } = this.#options;
    await budget.room(signal);
    if (proposer.isFull) await proposer.room(signal);
    this.#requireLeader();
  }

  /** Another leader may have written what this node does not have yet: nothing is evaluated on that. */
  #requireLeader(): void {
    this.#options.requireIntact();
    const { refusal } = this.#options.proposer;
    if (refusal !== undefined) throw refusal;
  }

  /** In another term another leader may have carried out the request: the router that waits for it asks again. */
  #requireTerm({ batch, term }: EditCall): void {
    if (batch.session !== undefined && this.#options.proposer.term !== term)
      throw new OutcomeUnknownError();
  }

  /** Evaluates one edit on the newest document of its key, and stages what comes of it. */
  #evaluate(edit: Edit, call: EditCall): Result {
    const { memtable, documents, proposer } = this.#options;
    const wanted = call.batch.documents;
    const name = nameOfBytes(edit.key);
    let basis: Proposal | undefined;
    try {
      const entry = memtable.newest(name);
      if (entry !== undefined) basis = this.#proposalOf(entry, call);
      const current = currentOf(documents, edit, name, entry);
      const document = {
        text: current.text,
        version: current.version,
        generation: proposer.generation,
        isCommitted: basis === undefined,
        damage: current.damage?.message,
      };
      const decision =
        call.returned?.has(name) === true ? returned : decideEdit(edit, document, call.run);
      const outcome = outcomeOf(decision, document, wanted);
      if (decision.type === 'returned') {
        (call.returned ??= new Set()).add(name);
        return [outcome, undefined];
      }
      if (decision.type !== 'write') return [outcome, basis];
      const staged = (call.staged ??= proposer.begin());
      stage(memtable, { key: edit.key, name, current, text: decision.text }, staged);
      return [outcome, staged];
    } catch (error) {
      return [failedOutcome(failureOf(error), undefined, wanted), basis];
    }
  }

  /** Who proposed an entry, while it is not committed. */
  #proposalOf({ index }: MemtableEntry, { staged }: EditCall): Proposal | undefined {
    return index === staged?.index ? staged : this.#options.proposer.at(index);
  }
}

const returned = { type: 'returned' } as const;
