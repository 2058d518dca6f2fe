import type { Raft } from '../../../dataplane/raft/raft.ts';
import { SafetyViolation } from '../violation.ts';

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
