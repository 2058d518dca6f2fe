import type { Clock } from '../common/clock.ts';

/** Counts what was refused, and logs it once for each node and minute, so that no peer can fill the log. */
const logEveryMs = 60_000;
const nodesMax = 1_024;

export class Refusals {
  /** By request. */
  readonly counts = new Map<string, number>();
  readonly #clock: Pick<Clock, 'now'>;
  readonly #warn: (message: string, fields: object) => void;
  /** The node that was logged longest ago first. */
  readonly #loggedAt = new Map<string, number>();

  constructor(clock: Pick<Clock, 'now'>, warn: (message: string, fields: object) => void) {
    this.#clock = clock;
    this.#warn = warn;
  }

  note(id: string, request: string, reason: string): void {
    this.counts.set(request, (this.counts.get(request) ?? 0) + 1);
    const now = this.#clock.now();
    if (now - (this.#loggedAt.get(id) ?? Number.NEGATIVE_INFINITY) < logEveryMs) return;
    this.#loggedAt.delete(id);
    this.#loggedAt.set(id, now);
    const [oldest] = this.#loggedAt.keys();
    if (this.#loggedAt.size > nodesMax && oldest !== undefined) this.#loggedAt.delete(oldest);
    this.#warn('a request of a node is refused', { id, request, reason });
  }
}
