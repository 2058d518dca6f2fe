import { updateBytes } from './member.ts';
import type { NodeId, Update } from './member.ts';

/**
 * News that wait to be passed on. Each is sent a bounded number of times, those first that were sent
 * least; newer news of a member replace older ones (SWIM, section 4.1).
 */
interface Queued {
  readonly update: Update;
  sent: number;
  readonly order: number;
}

export class BroadcastQueue {
  readonly #queued = new Map<NodeId, Queued>();
  #order = 0;

  get size(): number {
    return this.#queued.size;
  }

  add(update: Update): void {
    this.#order += 1;
    this.#queued.set(update.id, { update, sent: 0, order: this.#order });
  }

  /** As many as fit. `first`: news of this member go first, so that it can defend itself. */
  take(bytesMax: number, sendsMax: number, first?: NodeId): readonly Update[] {
    const isFirst = ({ update }: Queued): number => (update.id === first ? 0 : 1);
    const candidates = [...this.#queued.values()].sort(
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
      if (queued.sent >= sendsMax) this.#queued.delete(queued.update.id);
    }
    return taken;
  }
}
