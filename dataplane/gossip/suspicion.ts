import type { NodeId } from './member.ts';

/**
 * A suspicion and when it becomes a declaration of death (Lifeguard, section IV.B). It starts with the
 * longest time; each further accuser shortens it logarithmically, down to the shortest time when as many
 * accusers as expected have spoken. So a single slow node cannot declare others dead quickly.
 */
export interface SuspicionTimes {
  readonly leastTicks: number;
  readonly mostTicks: number;
  /** Accusers beside the first one that shorten it to the least. */
  readonly confirmations: number;
}

export class Suspicion {
  readonly #times: SuspicionTimes;
  readonly #accusers: Set<NodeId>;
  readonly #first: NodeId;
  #elapsed = 0;

  constructor(times: SuspicionTimes, accuser: NodeId) {
    this.#times = times;
    this.#first = accuser;
    this.#accusers = new Set([accuser]);
  }

  /** Answers whether the accuser is a new one: then the news are worth passing on. */
  confirm(accuser: NodeId): boolean {
    if (this.#accusers.has(accuser) || this.#accusers.size > this.#times.confirmations)
      return false;
    this.#accusers.add(accuser);
    return true;
  }

  get accuser(): NodeId {
    return this.#first;
  }

  tick(): void {
    this.#elapsed += 1;
  }

  /** The member had time to refute it: the death that another node declares is believed. */
  get isEstablished(): boolean {
    return 2 * this.#elapsed >= this.#times.leastTicks;
  }

  get isOver(): boolean {
    return this.#elapsed >= this.timeoutTicks;
  }

  get timeoutTicks(): number {
    const { leastTicks, mostTicks, confirmations } = this.#times;
    if (confirmations < 1) return leastTicks;
    const confirmed = this.#accusers.size - 1;
    const share = Math.log(confirmed + 1) / Math.log(confirmations + 1);
    return Math.max(leastTicks, Math.round(mostTicks - share * (mostTicks - leastTicks)));
  }
}
