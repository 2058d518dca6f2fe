import { updateBytes } from './member.ts';
import type { NodeId, Update } from './member.ts';

/**
 * News that wait to be passed on. Each is sent a bounded number of times, those first that were sent
 * least; newer news of a member replace older ones (SWIM, section 4.1). Accusations of one incarnation by different
 * members are passed on each: together they shorten the suspicion (Lifeguard, section IV.B).
 */
interface Queued {
  readonly update: Update;
  sent: number;
  readonly order: number;
}

/** Two accusations of the same member by different ones. */
const standsBeside = (one: Update, other: Update): boolean =>
  one.status === 'suspect' &&
  other.status === 'suspect' &&
  one.incarnation === other.incarnation &&
  one.accuser !== other.accuser;

export class BroadcastQueue {
  readonly #queued = new Map<NodeId, Queued[]>();
  #order = 0;

  get size(): number {
    return this.#queued.size;
  }

  add(update: Update): void {
    this.#order += 1;
    const others = this.#queued.get(update.id) ?? [];
    const kept = others.filter((other) => standsBeside(other.update, update));
    this.#queued.set(update.id, [...kept, { update, sent: 0, order: this.#order }]);
  }

  #remove({ update }: Queued): void {
    const others = this.#queued.get(update.id)?.filter((other) => other.update !== update) ?? [];
    if (others.length > 0) this.#queued.set(update.id, others);
    else this.#queued.delete(update.id);
  }

  /** As many as fit. `first`: news of this member go first, so that it can defend itself. */
  take(bytesMax: number, sendsMax: number, first?: NodeId): readonly Update[] {
    const isFirst = ({ update }: Queued): number => (update.id === first ? 0 : 1);
    const candidates = [...this.#queued.values()]
      .flat()
      .sort(
        (left, right) =>
          isFirst(left) - isFirst(right) || left.sent - right.sent || right.order - left.order,
      );
    const taken: Update[] = [];
    let bytes = 0;
    for (const queued of candidates) {
      const size = updateBytes(queued.update);
      if (bytes + size > bytesMax) continue;
      bytes += size;
      taken.push(queued.update);
      queued.sent += 1;
      if (queued.sent >= sendsMax) this.#remove(queued);
    }
    return taken;
  }
}
