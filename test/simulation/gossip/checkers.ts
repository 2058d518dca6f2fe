import { SafetyViolation } from '../violation.ts';
import type { SimulatedMember } from './simulated-member.ts';

/**
 * What must hold of the membership at every moment, and at rest. One class for each property.
 */
const rank = { alive: 0, suspect: 1, dead: 2, left: 3 } as const;

/** What a node knows of a member only rises: no dead state is reverted, no accusation outlives its refutation. */
export class NoResurrection {
  readonly #known = new Map<string, Map<string, number>>();

  observe(observer: SimulatedMember): void {
    const key = `${observer.id}#${observer.incarnation}`;
    const known = this.#known.get(key) ?? new Map<string, number>();
    this.#known.set(key, known);
    for (const { id, incarnation, status } of observer.node.members) {
      const now = incarnation * 4 + rank[status];
      const before = known.get(id) ?? 0;
      if (now < before) {
        throw new SafetyViolation(
          `${observer.id} took back what it knew of ${id}: ${before} became ${now} (${status}, ${incarnation})`,
        );
      }
      known.set(id, now);
    }
  }
}

/** The load of a node does not depend on the size of the cluster. */
export class BoundedLoad {
  readonly #sent = new Map<string, number>();
  worst = 0;

  /** Called once in each probe period. */
  observe({ id, sent }: SimulatedMember, messagesMax: number): void {
    const before = this.#sent.get(id);
    this.#sent.set(id, sent);
    if (before === undefined) return;
    this.worst = Math.max(this.worst, sent - before);
    if (sent - before > messagesMax) {
      throw new SafetyViolation(`${id} sent ${sent - before} messages in one period`);
    }
  }
}

/** At rest everybody knows who runs, who does not, and what each says of itself. */
export function checkConvergence(members: readonly SimulatedMember[]): void {
  const running = members.filter(({ isUp }) => isUp);
  for (const observer of running) {
    for (const member of members) {
      const seen = observer.node.members.find(({ id }) => id === member.id)?.status ?? 'unknown';
      const isRight = member.isUp ? seen === 'alive' : seen !== 'alive' && seen !== 'suspect';
      if (!isRight) {
        throw new SafetyViolation(
          `${observer.id} holds ${member.id} for ${seen}, which ${member.isUp ? 'runs' : 'is down'}`,
        );
      }
      if (!member.isUp) continue;
      const [told, heard] = [member, observer].map(({ node }) => node.state.get(member.id, 'life'));
      if (told !== heard) {
        throw new SafetyViolation(
          `${observer.id} knows ${heard} of ${member.id}, which says ${told}`,
        );
      }
    }
  }
}
