import type { Raft } from '../../../dataplane/raft/raft.ts';
import { SafetyViolation } from '../violation.ts';

/** At most one leader in a term (election safety; thesis, figure 3.2). */
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
