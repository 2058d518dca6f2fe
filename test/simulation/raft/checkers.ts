import type { Entry } from '../../../dataplane/raft/entry.ts';
import type { Raft } from '../../../dataplane/raft/raft.ts';
import { SafetyViolation } from '../violation.ts';

/**
 * The safety properties of Raft (thesis, figure 3.2), one class each. They see every node's state after
 * every event, and know what was true before: nothing that was once committed is ever forgotten.
 */
/** At most one leader in a term. */
export class ElectionSafety {
  readonly #leaders = new Map<number, string>();

  observe({ id, role, term }: Raft): void {
    if (role !== 'leader') return;
    const known = this.#leaders.get(term);
    if (known !== undefined && known !== id) {
      throw new SafetyViolation(`election safety: ${known} and ${id} lead in term ${term}`);
    }
    this.#leaders.set(term, id);
  }

  get terms(): number {
    return this.#leaders.size;
  }
}

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

/** A leader's log has every entry that was committed before (leader completeness). */
export class LeaderCompleteness {
  readonly #safety: StateMachineSafety;
  readonly #checked = new Set<string>();

  constructor(safety: StateMachineSafety) {
    this.#safety = safety;
  }

  observe({ id, role, term, log }: Raft): void {
    if (role !== 'leader' || this.#checked.has(`${id}:${term}`)) return;
    this.#checked.add(`${id}:${term}`);
    for (let index = log.first; index <= this.#safety.last; index += 1) {
      const committed = this.#safety.at(index);
      // Committed in a newer term: this leader, which does not know it yet, need not have it.
      if (committed === undefined || committed.committedIn >= term) continue;
      if (log.termOf(index) !== committed.entryTerm) {
        throw new SafetyViolation(
          `leader completeness: ${id} leads in term ${term} without entry ${index} of term ${committed.entryTerm}`,
        );
      }
    }
  }
}

/** Two logs that agree on the term at an index agree on everything before it (log matching). */
export class LogMatching {
  check(nodes: readonly Raft[]): void {
    nodes.forEach((left, at) => {
      for (const right of nodes.slice(at + 1)) this.#pair(left, right);
    });
  }

  #pair(left: Raft, right: Raft): void {
    const first = Math.max(left.log.first, right.log.first);
    let hasMet = false;
    for (let index = Math.min(left.log.last, right.log.last); index >= first; index -= 1) {
      const isEqual = left.log.termOf(index) === right.log.termOf(index);
      if (hasMet && !isEqual) {
        throw new SafetyViolation(
          `log matching: ${left.id} and ${right.id} differ at ${index} and agree behind it`,
        );
      }
      hasMet ||= isEqual;
    }
  }
}
