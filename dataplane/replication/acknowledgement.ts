import type { EditOutcome } from './contract.ts';
import { isRefusal } from './errors.ts';
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

  get length(): number {
    return this.#outcomes.length;
  }

  /** The log has no room for the next `count` edits: nothing of them was staged. */
  refuse(count: number, refusal: Error): void {
    for (let left = count; left > 0; left -= 1) this.add({ old: null, new: null }, refusal);
  }

  add(outcome: EditOutcome, proposal: Proposal | Error | undefined): void {
    this.#outcomes.push(outcome);
    this.#proposals.push(proposal);
  }

  /** Waits until each proposal is committed or refused. */
  async hard(): Promise<EditOutcome[]> {
    for (const proposal of this.#distinct()) await proposal.ended();
    return this.#judged();
  }

  /** Hands the proposals over: their refusal is reported by the next `sync`. */
  soft(proposals: Proposals): EditOutcome[] {
    const outcomes = this.#judged();
    for (const proposal of this.#distinct()) proposals.acknowledgeSoftly(proposal);
    return outcomes;
  }

  #distinct(): Set<Proposal> {
    return new Set(this.#proposals.filter((each) => each instanceof Proposal));
  }

  /** An edit that was refused has the refusal as its outcome; throws it when all were. */
  #judged(): EditOutcome[] {
    const refusals = this.#proposals.map(failureOf);
    const [first] = refusals;
    if (first !== undefined && refusals.every((each) => each !== undefined)) throw first;
    return this.#outcomes.map((outcome, at) => {
      const error = refusals[at];
      return error === undefined ? outcome : { old: outcome.old, new: outcome.old, error };
    });
  }
}

/** Throws what is no refusal: then the node ends, and nothing is known of any write. */
function failureOf(proposal: Proposal | Error | undefined): Error | undefined {
  const failure = proposal instanceof Proposal ? proposal.failure : proposal;
  if (failure === undefined || isRefusal(failure)) return failure;
  throw failure as Error;
}
