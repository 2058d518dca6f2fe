import type { Raft } from '../../../dataplane/raft/raft.ts';
import { SafetyViolation } from '../violation.ts';
import type { StateMachineSafety } from './state-machine-safety.ts';

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
