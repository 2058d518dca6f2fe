import { SafetyViolation } from '../violation.ts';

/** A command that a client sent several times changed the state at one place of the log, on every node. */
export class AppliedOnce {
  readonly #places = new Map<string, number>();

  changed({ session, sequence }: { session: string; sequence: number }, index: number): void {
    const command = `${session}/${sequence}`;
    const known = this.#places.get(command);
    if (known !== undefined && known !== index)
      throw new SafetyViolation(
        `applied once: ${command} changed the state at ${known} and ${index}`,
      );
    this.#places.set(command, index);
  }
}
