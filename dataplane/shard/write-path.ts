import { nameOfBytes } from '../common/bytes.ts';
import type { Datum } from '../datum/datum.ts';
import { isRefusal } from '../replication/errors.ts';
import { Acknowledgement } from './acknowledgement.ts';
import type { Edit, EditOutcome } from './contract.ts';
import { currentOf, stage } from './evaluation.ts';
import type { Evaluated, EvaluationParts, Result } from './evaluation.ts';
import type { MemtableBudget } from './memtable-budget.ts';
import type { MemtableEntry } from './memtable.ts';
import type { Proposal } from './proposal.ts';
import type { Proposer } from './proposer.ts';

/** What the writes of a shard need. */
export interface WritePathOptions extends EvaluationParts {
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
  readonly signal: AbortSignal;
  readonly acknowledgement: Acknowledgement;
  /** What is staged and not proposed; there is none while the call waits for anything. */
  staged: Proposal | undefined;
}

/**
 * The writes of a shard: edits are evaluated on the newest document of their key, staged, and proposed. Guarded
 * invariant: writers of a key follow one another.
 */
export class WritePath {
  readonly #options: WritePathOptions;
  readonly #latches = new Map<string, Promise<Result>>();

  constructor(options: WritePathOptions) {
    this.#options = options;
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
    this.#options.requireIntact();
    signal.throwIfAborted();
    const acknowledgement = new Acknowledgement();
    await this.#evaluateAll(edits, { signal, acknowledgement, staged: undefined });
    const { proposer } = this.#options;
    return durability === 'hard' ? acknowledgement.hard() : acknowledgement.soft(proposer);
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
          this.#options.requireIntact();
        } else acknowledgement.add(...result);
        if ((call.staged?.bytes ?? 0) >= this.#options.commandBytesMax) this.#flush(call);
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
    if (staged !== undefined) this.#options.proposer.propose(staged);
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
    this.#options.requireIntact();
  }

  /** Evaluates one edit on the newest document of its key, and stages what comes of it. */
  #evaluate(edit: Edit, name: string, call: EditCall): Result | Promise<Result> {
    let old: Datum = null;
    let basis: Proposal | undefined;
    try {
      const entry = this.#options.memtable.newest(name);
      if (entry !== undefined) basis = this.#proposalOf(entry, call);
      const current = currentOf(this.#options.documents, edit, name, entry);
      if (current.text !== undefined) old = this.#options.codec.parse(current.text);
      const next = edit.evaluate(old);
      const evaluated = { edit, name, current, old, basis };
      if (next instanceof Promise) return this.#evaluateLatched(evaluated, next, call.signal);
      return this.#stage(evaluated, next, call);
    } catch (error) {
      return [{ old, new: old, error: error as Error }, basis];
    }
  }

  /** Who proposed an entry, while it is not committed. */
  #proposalOf({ index }: MemtableEntry, { staged }: EditCall): Proposal | undefined {
    return index === staged?.index ? staged : this.#options.proposer.at(index);
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
    return stage(
      this.#options,
      evaluated,
      next,
      () => (call.staged ??= this.#options.proposer.begin()),
    );
  }
}
