import type { MembershipEvent } from '../gossip/gossip.ts';
import { ConnectionLostError } from '../net/errors.ts';

/**
 * Notices nodes that are lost and found again and again. Guarded invariant: only what this node has seen itself
 * counts, its own probes and its own connections: otherwise one member that declares others dead could make a
 * healthy node look unsteady to everybody.
 */
export class SteadinessWatch {
  readonly #own: string;
  readonly #returned: (id: string, detail: string) => void;
  /** Lost by this node itself, with the reason; as many as there are members. */
  readonly #lost = new Map<string, string>();

  constructor(own: string, returned: (id: string, detail: string) => void) {
    this.#own = own;
    this.#returned = returned;
  }

  changed({ id, status, accuser }: MembershipEvent): void {
    if (status === 'suspect' && accuser === this.#own) this.#lost.set(id, 'did not answer');
    if (status === 'alive') this.#found(id);
    // In an orderly way.
    if (status === 'left') this.#lost.delete(id);
  }

  connected(id: string): void {
    this.#found(id);
  }

  /** A session that the peer or this node has closed is not lost. */
  disconnected(id: string, reason: Error): void {
    if (reason instanceof ConnectionLostError) this.#lost.set(id, 'its connection was lost');
  }

  #found(id: string): void {
    const why = this.#lost.get(id);
    if (why === undefined) return;
    this.#lost.delete(id);
    this.#returned(id, why);
  }
}
