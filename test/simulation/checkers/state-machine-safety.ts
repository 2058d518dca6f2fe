import type { Entry } from '../../../dataplane/raft/entry.ts';
import { SafetyViolation } from '../violation.ts';

const describe = (entry: Entry): string =>
  `${entry.term}:${entry.kind}:${entry.kind === 'command' ? new TextDecoder().decode(entry.payload) : ''}`;

/** What one node applied at an index, every node applies there (state machine safety). */
export class StateMachineSafety {
  readonly #applied = new Map<number, { readonly what: string; readonly term: number }>();
  #last = 0;

  /** `inTerm`: the term of the node; the entry was committed in it or in an earlier one. */
  applied(id: string, entry: Entry, inTerm: number): void {
    const found = describe(entry);
    const known = this.#applied.get(entry.index)?.what;
    if (known === undefined) this.#applied.set(entry.index, { what: found, term: inTerm });
    else if (known !== found) {
      throw new SafetyViolation(
        `state machine safety: ${id} applies ${found} at ${entry.index}, where ${known} was applied`,
      );
    }
    this.#last = Math.max(this.#last, entry.index);
  }

  get last(): number {
    return this.#last;
  }

  /** The entry's own term, and one in which it certainly was committed already. */
  at(index: number): { readonly entryTerm: number; readonly committedIn: number } | undefined {
    const known = this.#applied.get(index);
    if (known === undefined) return undefined;
    return { entryTerm: Number.parseInt(known.what, 10), committedIn: known.term };
  }
}
