import type { PhotonError } from '../common/errors.ts';
import { isEntryKind, restartKind, truncateKind } from './record.ts';
import type { WalRecord } from './record.ts';

/**
 * Groups of which entries were refused for want of room, until the first of them, `index`, is taken. Guarded invariant:
 * nothing of a group is taken behind a gap.
 */
export class Refusals {
  readonly #refused = new Map<number, { readonly index: number; readonly reason: PhotonError }>();

  /** Nothing of these was taken. */
  add(records: readonly WalRecord[], reason: PhotonError): void {
    for (const { group, index, kind } of records) {
      const known = this.#refused.get(group)?.index ?? Number.POSITIVE_INFINITY;
      if (isEntryKind(kind) && index < known) this.#refused.set(group, { index, reason });
    }
  }

  /**
   * Throws the refusal unless each group begins again where it was refused, or where one of these truncates it. Also
   * in a group that has no entry yet, whose first one may have any index.
   */
  require(records: readonly WalRecord[]): void {
    if (this.#refused.size === 0) return;
    const expected = new Map<number, number | undefined>();
    for (const { group, index, kind } of records) {
      const refused = this.#refused.get(group);
      if (refused === undefined) continue;
      const wanted = expected.has(group) ? expected.get(group) : refused.index;
      if (kind === truncateKind && wanted !== undefined) {
        expected.set(group, Math.min(wanted, index));
        continue;
      }
      if (isEntryKind(kind) && wanted !== undefined && wanted !== index) throw refused.reason;
      if (isEntryKind(kind) || kind === restartKind) expected.set(group, undefined);
    }
  }

  accept({ group, index, kind }: WalRecord): void {
    const refused = this.#refused.get(group);
    if (refused === undefined) return;
    // Behind a truncation the group begins again where it was cut.
    if (kind === truncateKind)
      this.#refused.set(group, { ...refused, index: Math.min(index, refused.index) });
    else if (isEntryKind(kind) || kind === restartKind) this.#refused.delete(group);
  }
}
