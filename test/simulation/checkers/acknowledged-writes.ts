import { SafetyViolation } from '../violation.ts';

/** What was acknowledged is there when the faults have ended. */
export class AcknowledgedWrites {
  /** By session: the newest sequence number. */
  readonly #newest = new Map<string, number>();
  count = 0;

  acknowledged({ session, sequence }: { session: string; sequence: number }): void {
    this.count += 1;
    this.#newest.set(session, Math.max(sequence, this.#newest.get(session) ?? 0));
  }

  check(appliedOf: (session: string) => number): void {
    for (const [session, sequence] of this.#newest) {
      if (appliedOf(session) >= sequence) continue;
      throw new SafetyViolation(
        `acknowledged writes: ${session}/${sequence} was acknowledged and is lost`,
      );
    }
  }
}
