import { isWithdrawal } from '../replication/errors.ts';
import { failedOutcome } from '../wire/edit-decision.ts';
import type { EditBatch, EditOutcome } from '../wire/table-edit.ts';
import { failureOf as dataOf } from '../wire/table-failure.ts';
import { Proposal } from './proposal.ts';
import type { Proposals } from './proposal.ts';

/**
 * The answer to one `edit` call while it is made: an outcome for each edit, with the proposal that the outcome
 * stands for. Guarded invariant: outcomes come out only by `hard` or `soft`, so no write is acknowledged without
 * a look at every proposal that it rests on.
 */
export class Acknowledgement {
  readonly #outcomes: EditOutcome[] = [];
  /** By outcome: what it wrote, or what it read that was not committed then. */
  readonly #proposals: (Proposal | Error | undefined)[] = [];

  readonly #documents: EditBatch['documents'];

  constructor(documents: EditBatch['documents']) {
    this.#documents = documents;
  }

  get length(): number {
    return this.#outcomes.length;
  }

  /** The log has no room for the next `count` edits: nothing of them was staged. */
  refuse(count: number, refusal: Error): void {
    for (let left = count; left > 0; left -= 1) this.add({ result: 'failed' }, refusal);
  }

  add(outcome: EditOutcome, proposal: Proposal | Error | undefined): void {
    this.#outcomes.push(outcome);
    this.#proposals.push(proposal);
  }

  /** Outcomes from one on, as they are while nothing of them was refused. */
  from(at: number): readonly EditOutcome[] {
    return this.#outcomes.slice(at);
  }

  /** Resolves when each proposal is committed or refused, however the call ends. */
  settled(): Promise<void> {
    return this.#allEnded();
  }

  /** Waits until each proposal is committed or refused. */
  hard(): Promise<EditOutcome[]> {
    const [only, ...others] = this.#distinct();
    // Most edits are one command: nothing else is waited for.
    const ended = only !== undefined && others.length === 0 ? only.ended() : this.#allEnded();
    return ended.then(() => this.#judged());
  }

  async #allEnded(): Promise<void> {
    for (const proposal of this.#distinct()) await proposal.ended();
  }

  /** Hands the proposals over: their refusal is reported by the next `sync`. */
  soft(proposals: Pick<Proposals, 'acknowledgeSoftly'>): EditOutcome[] {
    const outcomes = this.#judged();
    for (const proposal of this.#distinct()) proposals.acknowledgeSoftly(proposal);
    return outcomes;
  }

  /** Each once for the outcomes that follow one another: commands are staged one after the other. */
  #distinct(): Proposal[] {
    const distinct: Proposal[] = [];
    for (const each of this.#proposals) {
      if (each instanceof Proposal && each !== distinct.at(-1)) distinct.push(each);
    }
    return distinct;
  }

  /** An edit that was refused has the refusal as its outcome; throws it when all were. */
  #judged(): EditOutcome[] {
    let first: Error | undefined;
    let refused = 0;
    for (let at = 0; at < this.#proposals.length; at += 1) {
      const proposal = this.#proposals[at];
      const error = failureOf(proposal);
      if (error === undefined) continue;
      first ??= error;
      refused += 1;
      const { old } = this.#outcomes[at] as EditOutcome;
      this.#outcomes[at] = failedOutcome(dataOf(error), old, this.#documents);
    }
    if (first !== undefined && refused === this.#outcomes.length) throw first;
    return this.#outcomes;
  }
}

/** Throws what is no withdrawal: then the node ends, and nothing is known of any write. */
function failureOf(proposal: Proposal | Error | undefined): Error | undefined {
  const failure = proposal instanceof Proposal ? proposal.failure : proposal;
  if (failure === undefined || isWithdrawal(failure)) return failure;
  throw failure as Error;
}
