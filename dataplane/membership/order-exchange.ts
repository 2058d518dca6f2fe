import { noBytes } from '../common/bytes.ts';
import { spawn } from '../common/spawn.ts';
import type { GossipNode } from '../gossip/gossip.ts';
import { MessageRefusedError } from './errors.ts';
import { stateKeys } from './member-view.ts';
import type { MembershipLog } from './membership-log.ts';
import type { Mesh } from './mesh.ts';
import { ordersCodec } from './orders.ts';
import type { QuarantineKeeper } from './quarantine-keeper.ts';

export interface OrderExchangeOptions {
  readonly keeper: QuarantineKeeper;
  readonly mesh: Pick<Mesh, 'peers' | 'request'>;
  readonly log: MembershipLog;
}

/**
 * Takes over the orders of administrators from members that know others than this node. Guarded invariant: a member
 * is asked once for what it announces, so that one which announces nonsense costs one request each time.
 */
export class OrderExchange {
  readonly #options: OrderExchangeOptions;
  /** What each connected member announced when it was asked last. */
  readonly #asked = new Map<string, string>();

  constructor(options: OrderExchangeOptions) {
    this.#options = options;
  }

  /** Asks those that announce something else than this node knows; to be called often. */
  tick(gossip: GossipNode | undefined): void {
    const { mesh, keeper } = this.#options;
    const connected = new Set(mesh.peers.map(({ id }) => id));
    for (const id of this.#asked.keys()) if (!connected.has(id)) this.#asked.delete(id);
    for (const id of connected) {
      const announced = gossip?.state.get(id, stateKeys.orders) ?? '';
      if (announced === '' || announced === keeper.orders.digest) continue;
      if (this.#asked.get(id) === announced) continue;
      this.#asked.set(id, announced);
      this.#ask(id);
    }
  }

  #ask(id: string): void {
    const { mesh, keeper, log } = this.#options;
    const warn = (error: unknown): void =>
      log.warn('the orders that a node passes on are refused', {
        id,
        reason: (error as Error).message,
      });
    const ask = async (): Promise<void> => {
      const { orders } = ordersCodec.decode(await mesh.request(id, 'readOrders', noBytes));
      // One that is refused does not hold back the others.
      for (const order of orders) {
        try {
          keeper.adopt([order]);
        } catch (error) {
          warn(error);
        }
      }
    };
    spawn(ask, (error) => {
      warn(error);
      // It did not answer: it is asked again.
      if (!(error instanceof MessageRefusedError)) this.#asked.delete(id);
    });
  }
}
